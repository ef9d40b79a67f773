"""Verdicts: effects in pairs, intervals against scipy and numpy, and rules that can fall either way."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from normscope.findings import Criterion, Outcome, judge
from normscope.intervals import interval

if TYPE_CHECKING:
    from collections.abc import Sequence

FASTER = Criterion("steps, batch ÷ none", "steps", "batch", "<", 1.0, how="ratio", against="none")


def outcomes(batch: Sequence[float], none: Sequence[float], /, **varied: float) -> list[Outcome]:
    return [
        Outcome(arm, seed, varied, {"steps": value})
        for arm, values in (("batch", batch), ("none", none))
        for seed, value in enumerate(values)
    ]


def test_a_ratio_is_of_pairs_and_its_mean_is_geometric() -> None:
    found = judge([FASTER], outcomes([10, 40, 10, 30], [20, 50, 40, 60])).evidence[0]
    assert found.seeds == pytest.approx({0: 0.5, 1: 0.8, 2: 0.25, 3: 0.5})
    assert found.estimate == pytest.approx(stats.gmean([0.5, 0.8, 0.25, 0.5]))


def test_the_interval_is_scipys_bca_bootstrap_of_the_logarithms_expanded_for_few_seeds() -> None:
    ratios = np.array([0.5, 0.8, 0.25, 0.5, 0.6])
    found = judge([FASTER], outcomes(list(ratios), [1.0] * 5)).evidence[0]
    level = 1 - 2 * stats.norm.cdf(-math.sqrt(5 / 4) * stats.t.ppf(0.975, 4))
    assert level == pytest.approx(0.9981, abs=1e-4)
    expected = stats.bootstrap(
        (np.log(ratios),), np.mean, confidence_level=level, n_resamples=9999, method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert found.interval == pytest.approx((math.exp(expected.low), math.exp(expected.high)), rel=1e-9)
    assert found.interval is not None
    assert found.estimate is not None
    assert 0.25 <= found.interval[0] < found.estimate < found.interval[1] <= 0.8


@pytest.mark.parametrize(
    ("batch", "verdict"),
    [([1, 2, 1, 2, 1], "supported"), ([9, 8, 7, 9, 8], "contradicted"), ([1, 9, 1, 9, 3], "undecided")],
)
def test_a_rule_can_fall_either_way(batch: list[float], verdict: str) -> None:
    assert judge([FASTER], outcomes(batch, [3.0] * 5)).verdict == verdict
    other = replace(FASTER, relation=">")
    opposite = {"supported": "contradicted", "contradicted": "supported"}
    assert judge([other], outcomes(batch, [3.0] * 5)).verdict == opposite.get(verdict, verdict)


@pytest.mark.parametrize("seeds", [0, 1, 2, 4])
def test_there_is_no_verdict_from_few_seeds(seeds: int) -> None:
    finding = judge([FASTER], outcomes([1.0] * seeds, [3.0] * seeds))
    assert (finding.verdict, finding.reason) == ("undecided", f"{seeds} of the 5 seeds that a verdict needs are in")
    assert (finding.evidence[0].interval is None) == (seeds < 2)


def test_one_criterion_against_outweighs_those_for_and_what_is_beside_weighs_nothing() -> None:
    against = replace(FASTER, name="slower", relation=">")
    data = outcomes([1, 2, 1, 1, 1], [3, 3, 4, 3, 3])
    assert judge([FASTER, against], data).verdict == "contradicted"
    assert judge([FASTER, replace(against, decisive=False)], data).verdict == "supported"


def test_a_rule_is_judged_as_far_as_the_arms_allow_and_says_so() -> None:
    other = replace(FASTER, name="of others", arm="layer")
    found = judge([FASTER, other], outcomes([1] * 5, [3] * 5))
    assert found.verdict == "supported"
    assert found.reason.endswith("; these runs allow 1 of the rule's 2 criteria")
    assert judge([other], outcomes([1] * 5, [3] * 5)).verdict == "undecided"


def test_what_was_not_varied_is_not_compared_and_its_one_value_is_both_ends() -> None:
    data = outcomes([1, 2, 1, 1, 1], [3, 3, 4, 3, 3])
    ends = replace(FASTER, arm="none", against=None, where={"shift": "max"}, against_where={"shift": "min"})
    slope = replace(FASTER, how="slope", against=None, over="shift")
    spread = replace(FASTER, how="spread", over="shift")
    for other in (ends, slope, spread):
        found = judge([FASTER, replace(other, name="over shifts")], data)
        assert (found.verdict, found.evidence[1].seeds) == ("supported", {})
        assert found.reason == "every criterion holds, over 5 seeds; these runs allow 1 of the rule's 2 criteria"
    largest = judge([replace(FASTER, where={"rate": "max"})], data).evidence[0]
    assert largest.seeds == judge([FASTER], data).evidence[0].seeds


def test_what_is_measured_of_a_net_that_did_not_learn_is_told() -> None:
    smoother = replace(FASTER, of="loss_range")

    def data(learned: float) -> list[Outcome]:
        numbers = {"batch": {"learned": 1.0, "loss_range": 9.0}, "none": {"learned": learned, "loss_range": 1.0}}
        return [Outcome(arm, seed, {}, found) for seed in range(5) for arm, found in numbers.items()]

    assert "no run of none reached the loss" in judge([smoother], data(0.0)).reason
    assert "reached" not in judge([smoother], data(1.0)).reason
    assert "reached" not in judge([replace(smoother, of="learned")], data(0.0)).reason


def test_values_alike_need_no_resampling() -> None:
    assert interval(np.array([0.25, 0.25, 0.25])) == (0.25, 0.25)


def test_a_seed_whose_number_is_missing_is_left_out_and_there_is_no_verdict() -> None:
    """The nets of two seeds have diverged: the others agree, which says nothing of the claim."""
    data = outcomes([1, 2, 1, 2, 2, 2, 2], [3, 3, math.nan, 3, 3, 3, 3])
    del data[0]
    found = judge([FASTER], data)
    (evidence,) = found.evidence
    assert evidence.seeds == pytest.approx(dict.fromkeys((1, 3, 4, 5, 6), 2 / 3))
    assert (evidence.missing, evidence.verdict, found.verdict) == ((0, 2), "undecided", "undecided")
    assert found.reason.endswith(
        "; in 2 of 7 seeds there is no number to compare, as where a net diverges: steps, batch ÷ none"
    )
    diverged = judge([FASTER], outcomes([math.nan] * 5, [3.0] * 5))
    assert "of the 5 seeds" not in diverged.reason  # they are all in
    assert "in 5 of 5 seeds there is no number" in diverged.reason


def test_a_slope_is_that_of_logarithms() -> None:
    slope = Criterion("power", "steps", "batch", "<", -0.5, how="slope", over="batch")
    data = [o for size in (8, 32, 128) for o in outcomes([k / size for k in (5, 7, 2, 3, 4)], [1] * 5, batch=size)]
    finding = judge([slope], data)
    assert finding.evidence[0].seeds == pytest.approx(dict.fromkeys(range(5), -1))
    assert finding.verdict == "supported"
    full = outcomes([0] * 5, [1] * 5, batch=1000)  # where there is no difference there is no logarithm
    assert judge([slope], data + full).evidence[0].seeds == pytest.approx(dict.fromkeys(range(5), -1))
    one = judge([slope], outcomes([1, 2, 3], [1, 1, 1], batch=8))
    assert one.evidence[0].seeds == {}


def test_a_spread_is_over_what_was_varied_and_relative_to_another_arm() -> None:
    spread = Criterion("spread", "steps", "batch", "<", 1.0, how="spread", against="none", over="rate")
    data = [o for rate, far in ((0.1, 1), (1.0, 3)) for o in outcomes([far, far, far], [5 * far] * 3, rate=rate)]
    assert judge([spread], data).evidence[0].seeds == pytest.approx({0: 0.2, 1: 0.2, 2: 0.2})
    assert judge([spread], outcomes([1, 2, 3], [1, 2, 3], rate=0.1)).evidence[0].seeds == {}


def test_conditions_choose_and_pair_runs() -> None:
    data = [o for depth in (3, 10) for o in outcomes([depth] * 3, [2 * depth] * 3, depth=depth)]
    deep = Criterion("deep", "steps", "batch", "<", 1.0, where={"depth": "max"})
    assert judge([deep], data).evidence[0].estimate == 10
    ends = Criterion(
        "ends", "steps", "none", ">", 1.0, how="ratio", where={"depth": "max"}, against_where={"depth": "min"}
    )
    assert judge([ends], data).evidence[0].estimate == pytest.approx(10 / 3)
    pairs = Criterion("pairs", "steps", "batch", "<", 0.0, how="difference", against="none")
    assert judge([pairs], data).evidence[0].estimate == pytest.approx(-6.5)


def test_several_arms_count_alike() -> None:
    both = replace(FASTER, arm=("batch", "none"))
    assert judge([both], outcomes([1, 1, 1], [4, 4, 4])).evidence[0].estimate == pytest.approx(0.5)
