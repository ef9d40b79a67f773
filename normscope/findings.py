"""From what runs came to, to a verdict, by a rule that was written down before. Needs no torch.

An arm's effect is found for each seed apart: runs of one seed start from the same weights and see the same data in the
same order, so they are compared in pairs, and the interval is one of the mean over seeds (`normscope.intervals`). It is
not a statement about other nets or other data at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from .intervals import interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Verdict = Literal["supported", "contradicted", "undecided"]
How = Literal["value", "difference", "ratio", "slope", "spread"]

MIN_SEEDS: Final = 5
"""Seeds without which there is no verdict."""
_LEARNING: Final = ("learned", "steps_to_loss", "final_loss", "mean_loss", "test_accuracy")
"""Numbers that say whether a net learns, and how well."""
_RATIOS: Final = ("ratio", "spread")
"""What is averaged as logarithms."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: one arm with one seed.

    Attributes:
        arm: Which variant.
        seed: Of its weights and its data.
        varied: What else was varied over runs, by name of the field of a Spec: depth, rate, ….
        numbers: What was measured, by name; NaN or absent where it could not be.
    """

    arm: str
    seed: int
    varied: Mapping[str, Any]
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One comparison that a verdict rests on, fixed before there are data.

    Attributes:
        name: What is compared, in a few words.
        of: The name of the number in an Outcome.
        arm: Whose; of several arms, the mean.
        relation: On which side of the threshold the claim expects the effect.
        threshold: The side's edge, in the effect's unit.
        how: The number itself; its difference from, or ratio to, that of `against`; the slope of its logarithm over
            the logarithm of `over`; or its spread, largest less smallest, over `over`, relative to that of `against`.
        against: The arm that the others are compared with; the same arm under `against_where` unless given.
        where: Values of varied fields that count, "min" and "max" being the ends of what was run; all, averaged,
            for fields that are not named.
        against_where: The same for `against`; as `where` unless given.
        over: The varied field of a slope or a spread.
        decisive: Whether the verdict rests on it. Others are shown beside it.
        unit: Of the effect.
    """

    name: str
    of: str
    arm: str | tuple[str, ...]
    relation: Literal["<", ">"]
    threshold: float
    how: How = "value"
    against: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    against_where: Mapping[str, Any] | None = None
    over: str | None = None
    decisive: bool = True
    unit: str = ""

    @property
    def arms(self) -> tuple[str, ...]:
        """All that it compares."""
        own = (self.arm,) if isinstance(self.arm, str) else self.arm
        return own if self.against is None else (*own, self.against)

    @property
    def conditions(self) -> set[str]:
        """The varied fields of which it compares several values: without them it has nothing to say."""
        there = self.where if self.against_where is None else self.against_where
        compared = {name for name in {*self.where, *there} if self.where.get(name) != there.get(name)}
        return compared if self.over is None else {*compared, self.over}

    def fits(self, outcomes: Iterable[Outcome]) -> bool:
        """Whether there are runs of all that it compares."""
        known = tuple(outcomes)
        varied = {name for o in known for name in o.varied}
        return {o.arm for o in known}.issuperset(self.arms) and varied.issuperset(self.conditions)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the data say about a criterion.

    Attributes:
        criterion: Which.
        seeds: The effect, by seed; a geometric mean over what was varied for ratios, else an arithmetic one.
        estimate: Its mean over seeds, geometric for ratios; None without any.
        interval: The bootstrap interval of the mean at 95 %; None with fewer than two seeds.
        verdict: What this criterion alone would say: nothing while it lacks a seed, which may well be missing for the
            reason that counts, as that a net diverged.
        missing: The seeds that are done and have no such number.
    """

    criterion: Criterion
    seeds: Mapping[int, float]
    estimate: float | None
    interval: tuple[float, float] | None
    verdict: Verdict
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict and what it rests on: supported if every decisive criterion is, contradicted if any is."""

    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...]


def judge(criteria: Sequence[Criterion], outcomes: Iterable[Outcome]) -> Finding:
    """What the outcomes say about a claim whose rule these criteria are, as far as they can of what was run.

    Raises:
        ValueError: If a criterion asks for what cannot be, as a slope over nothing.
    """
    known = tuple(outcomes)
    evidence = tuple(_weigh(criterion, known) for criterion in criteria)
    rule = [e for e in evidence if e.criterion.decisive]
    decisive = [e for e in rule if not known or e.criterion.fits(known)]
    verdict, reason = _verdict(decisive)
    if len(decisive) < len(rule):
        reason += f"; these runs allow {len(decisive)} of the rule's {len(rule)} criteria"
    if lacking := [e for e in decisive if e.missing]:
        reason += f"; {_lacking(lacking)}"
    if idle := _idle(decisive, known):
        reason += f"; mind that no run of {' or '.join(idle)} reached the loss that counts"
    return Finding(verdict, reason, evidence)


def _verdict(decisive: Sequence[Evidence]) -> tuple[Verdict, str]:
    """By the criteria that count, and why."""
    verdicts = [e.verdict for e in decisive]
    fewest = min((len(e.seeds) + len(e.missing) for e in decisive), default=0)
    if "contradicted" in verdicts:
        return "contradicted", _because(decisive, "contradicted")
    if verdicts and set(verdicts) == {"supported"}:
        return "supported", f"every criterion holds, over {fewest} seeds"
    if fewest < MIN_SEEDS:
        return "undecided", f"{fewest} of the {MIN_SEEDS} seeds that a verdict needs are in"
    return "undecided", _because(decisive, "undecided")


def _lacking(evidence: Sequence[Evidence]) -> str:
    """In how many seeds which criteria have no number."""
    seeds = {seed for e in evidence for seed in e.missing}
    every = seeds.union(*(e.seeds for e in evidence))
    names = "; ".join(e.criterion.name for e in evidence)
    return f"in {len(seeds)} of {len(every)} seeds there is no number to compare, as where a net diverges: {names}"


def _idle(decisive: Sequence[Evidence], outcomes: Sequence[Outcome]) -> list[str]:
    """Arms that are compared in something else than whether they learn, no run of which has learned."""
    compared = {arm: None for e in decisive if e.criterion.of not in _LEARNING for arm in e.criterion.arms}
    return [
        arm for arm in compared
        if outcomes and not any(o.numbers.get("learned", 1.0) for o in outcomes if o.arm == arm)
    ]  # fmt: skip


def _because(decisive: Sequence[Evidence], verdict: Verdict) -> str:
    names = [e.criterion.name for e in decisive if e.verdict == verdict]
    how = "against it" if verdict == "contradicted" else "the interval does not decide"
    return f"{how}: {'; '.join(names)}"


def _weigh(criterion: Criterion, outcomes: Sequence[Outcome]) -> Evidence:
    seeds = sorted({o.seed for o in outcomes})
    fits = criterion.fits(outcomes)
    values = {seed: _effect(criterion, [o for o in outcomes if o.seed == seed]) for seed in seeds if fits}
    known = {seed: value for seed, value in values.items() if math.isfinite(value)}
    missing = tuple(seed for seed in values if seed not in known)
    if not known:
        return Evidence(criterion, {}, None, None, "undecided", missing)
    logarithmic = criterion.how in _RATIOS
    sample = np.array(list(known.values()))
    transformed = np.log(sample) if logarithmic else sample
    back = np.exp if logarithmic else np.asarray
    low, high = interval(transformed) if len(known) > 1 else (math.nan, math.nan)
    bounds = (float(back(low)), float(back(high))) if len(known) > 1 else None
    verdict: Verdict = "undecided"
    if bounds is not None and len(known) >= MIN_SEEDS and not missing:
        holds, fails = bounds[0] > criterion.threshold, bounds[1] < criterion.threshold
        if criterion.relation == "<":
            holds, fails = fails, holds
        verdict = "supported" if holds else "contradicted" if fails else "undecided"
    return Evidence(criterion, known, float(back(transformed.mean())), bounds, verdict, missing)


def _effect(criterion: Criterion, outcomes: Sequence[Outcome]) -> float:
    """The effect in one seed; NaN if a number that it needs is missing."""
    arms = (criterion.arm,) if isinstance(criterion.arm, str) else criterion.arm
    found = [_of_arm(criterion, arm, outcomes) for arm in arms]
    if criterion.how in _RATIOS:
        return _exp(_mean([math.log(v) if v > 0 else math.nan for v in found]))
    return _mean(found)


def _of_arm(criterion: Criterion, arm: str, outcomes: Sequence[Outcome]) -> float:
    c = criterion
    mine = _select(c.of, arm, c.where, outcomes)
    if c.how == "slope":
        if c.over is None:
            raise ValueError(f"{c.name}: a slope is over something that was varied")
        return _slope([(float(o.varied[c.over]), o.numbers[c.of]) for o in mine if c.over in o.varied])
    if c.how == "spread":
        own, other = (
            np.ptp([o.numbers[c.of] for o in _select(c.of, a, c.where, outcomes)] or [0.0])
            for a in (arm, c.against or arm)
        )
        return float(own / other) if other > 0 else math.nan
    if c.how == "value":
        return _mean([o.numbers[c.of] for o in mine])
    there = c.where if c.against_where is None else c.against_where
    others = _select(c.of, c.against or arm, there, outcomes)
    fixed = set(c.where) | set(there)
    pairs = _pairs(c.of, mine, others, fixed)
    if c.how == "difference":
        return _mean([a - b for a, b in pairs])
    return _exp(_mean([math.log(a / b) if a > 0 and b > 0 else math.nan for a, b in pairs]))


def _select(of: str, arm: str, where: Mapping[str, Any], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of an arm under some conditions that have the number."""
    wanted: dict[str, Any] = {}
    for name, value in where.items():
        if value in ("min", "max"):
            every = [float(o.varied[name]) for o in outcomes if name in o.varied]
            if not every:  # one value is both ends
                continue
            value = min(every) if value == "min" else max(every)
        wanted[name] = value
    return [
        o
        for o in outcomes
        if o.arm == arm and of in o.numbers and all(o.varied.get(name) == value for name, value in wanted.items())
    ]


def _pairs(of: str, mine: Sequence[Outcome], others: Sequence[Outcome], fixed: set[str]) -> list[tuple[float, float]]:
    """The numbers of runs that are alike in everything that is varied and not fixed."""

    def rest(outcome: Outcome) -> tuple[tuple[str, Any], ...]:
        return tuple(sorted((k, v) for k, v in outcome.varied.items() if k not in fixed))

    partner = {rest(o): o.numbers[of] for o in others}
    return [(o.numbers[of], partner[rest(o)]) for o in mine if rest(o) in partner]


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares of log y over log x, without what is not positive; NaN with fewer than two xs."""
    known = [point for point in points if min(point) > 0]
    if len({x for x, _ in known}) < 2:
        return math.nan
    x, y = np.log(np.array(known, dtype=np.float64)).T
    return float(np.polynomial.Polynomial.fit(x, y, 1).convert().coef[1])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _exp(value: float) -> float:
    return math.exp(value) if math.isfinite(value) else math.nan
