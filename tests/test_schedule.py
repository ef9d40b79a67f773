"""Schedules on made-up clocks."""

from __future__ import annotations

import pytest

from normscope.schedule import Budget, every


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
