"""Schedules on made-up clocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normscope.schedule import Budget, Nested, every, log_spaced


def test_every_so_many_steps_from_the_first() -> None:
    assert [step for step in range(10) if every(3)(step)] == [0, 3, 6, 9]
    assert all(map(every(1), range(5)))


@pytest.mark.parametrize("steps", [0, -1])
def test_every_needs_a_positive_number(steps: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        every(steps)


@pytest.mark.parametrize("share", [0, -0.1, 1.5, float("nan")])
def test_a_budget_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Budget(share)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("price", [0.0001, 0.004, 0.1])
@pytest.mark.parametrize("told", [1.0, 0.2])
def test_the_share_is_kept_whatever_a_look_costs_and_says_it_does(share: float, price: float, told: float) -> None:
    budget, plain, spent, seen = Budget(share), 0.001, 0.0, 0
    steps = 40_000
    for _ in range(steps):
        looked = budget.allows()
        cost = price if looked else 0.0
        budget.note(told * cost, plain + cost, looked=looked)
        spent, seen = spent + cost, seen + (cost > 0)
    unknown = 30 * price / (steps * plain)  # until there is something to compare
    assert spent / (steps * plain + spent) <= share * 1.1 + unknown
    affordable = min(steps, share * steps * plain / (1 - share) / price)
    assert seen >= 0.8 * affordable - 1


def test_without_a_bound_every_step_is_observed() -> None:
    budget = Budget(None)
    budget.note(0.9, 1.0)
    assert budget.allows()
    assert budget.cost == pytest.approx(0.9)


def test_cost_forgets() -> None:
    budget = Budget(0.05)
    budget.note(1.0, 1.0)
    assert budget.cost == 1.0
    for _ in range(2000):
        budget.note(0.0, 0.1, looked=False)
    assert budget.cost < 0.01


def test_there_are_always_steps_to_compare_with() -> None:
    budget, looks = Budget(1.0), []
    for _ in range(20):
        looks.append(budget.allows())
        budget.note(0.0, 1.0, looked=looks[-1])
    assert looks == [True, True, True, True, False] * 4


@given(st.integers(1, 200), st.integers(1, 300_000))
def test_log_spaced_steps_are_dense_early_and_so_many_a_decade(per_decade: int, step: int) -> None:
    at = log_spaced(per_decade)
    assert at(0)
    if step * 2.4 < per_decade:  # ln 10 = 2.3: neighbours are further apart than what is asked for
        assert at(step)
    # Between a step and ten times that, exactly so many, but for those that would fall onto the same step.
    found = sum(map(at, range(step, 10 * step))) if step < 500 else per_decade
    assert found <= per_decade + 1
    if step * 2.3 > per_decade and step < 500:
        assert found >= per_decade - 1


def test_log_spaced_needs_a_positive_number() -> None:
    with pytest.raises(ValueError, match="positive"):
        log_spaced(0)


def test_what_the_description_of_log_spaced_says() -> None:
    found = [step for step in range(100_000) if log_spaced()(step)]
    assert len(found) == 205
    assert found[:24] == list(range(24))


@given(
    share=st.floats(0.005, 0.5),
    before=st.tuples(st.floats(1e-4, 0.5), st.floats(1e-5, 0.3)),
    after=st.tuples(st.floats(1e-4, 0.5), st.floats(1e-5, 0.3)),
)
def test_the_share_holds_within_a_second_of_a_change(
    share: float, before: tuple[float, float], after: tuple[float, float]
) -> None:
    """Whatever a step and a look took before, and whatever they take from then on."""
    budget = Budget(share)
    for plain, price in (before, after):
        times: list[tuple[float, float]] = []
        clock = 0.0
        while clock < 12 and len(times) < 20_000:
            cost = price if budget.allows() else 0.0
            budget.note(cost, plain + cost, looked=cost > 0)
            clock += plain + cost
            times.append((clock, cost))
    late = [(when, cost) for when, cost in times if when > 1]
    if late:
        spent, seconds = sum(cost for _, cost in late), late[-1][0] - 1
        # One look may have begun before its price was known, and one is always allowed once enough has been saved.
        assert spent <= share * seconds * 1.5 + 2 * after[1]


@given(
    share=st.floats(0.005, 0.5),
    prices=st.lists(st.tuples(st.floats(1e-4, 0.1), st.floats(1e-5, 0.05)), min_size=2, max_size=4),
)
def test_looks_of_nested_budgets_fall_together_and_each_keeps_its_share(
    share: float, prices: list[tuple[float, float]]
) -> None:
    looks: list[set[int]] = []
    steps = 6000
    for plain, price in prices:
        budget, mine, spent, late = Nested(share), set(), 0.0, 0.0
        for step in range(steps):
            looked = budget.allows()
            cost = price if looked else 0.0
            budget.note(cost, plain + cost, looked=looked)
            if looked:
                mine.add(step)
            if step >= steps // 2:  # before, it finds out how often it may look
                spent, late = spent + cost, late + plain + cost
        assert mine
        assert spent <= 1.5 * share * late + 2 * price
        looks.append(mine)
    # Once they are settled, whoever looks less often looks where the others look too.
    settled = [{step for step in mine if step >= steps // 2} for mine in looks]
    for rare in settled:
        for often in settled:
            if len(rare) < len(often) / 2:
                assert len(rare & often) >= 0.8 * len(rare)
