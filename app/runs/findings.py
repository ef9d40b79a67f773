"""What an experiment has found so far, by its claim's rule, and the command that repeats it."""

from __future__ import annotations

import asyncio
import math
import shlex
from collections import OrderedDict, defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from normscope import catalogue
from normscope.findings import MIN_SEEDS, Evidence, Finding, Outcome, judge
from normscope.spec import check_settings

from ..schemas import EvidenceOut, FindingOut, OutcomeOut, SeedsOut, status, varied
from .experiments import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from normscope.catalogue import Claim

    from ..store import Experiment, Run

KEPT: Final = 64
"""Experiments whose newest finding is kept."""


class Findings:
    """Judges on threads, a tenth of a second's work, and again only when further seeds are done."""

    def __init__(self) -> None:
        self._judged: OrderedDict[str, tuple[frozenset[tuple[str, float | None]], asyncio.Task[Finding]]]
        self._judged = OrderedDict()

    async def of(self, experiment: Experiment, runs: Sequence[Run]) -> FindingOut:
        """The finding of an experiment with these runs.

        Raises:
            RefusedError: If it is of no claim that is known here.
        """
        claim = catalogue.CLAIMS.get(experiment.claim or 0)
        if claim is None:
            raise RefusedError("this experiment is of no claim: there is nothing to be found")
        done = _done(runs)
        arms = list(dict.fromkeys(run.arm for run in runs))
        finding = await self._judge(experiment.id, claim, [run for seed in done for run in seed])
        return FindingOut(
            verdict=finding.verdict,
            reason=finding.reason,
            evidence=[_evidence(found) for found in finding.evidence],
            outcomes=[
                OutcomeOut(
                    run=run.id, arm=run.arm, seed=run.seed, varied=varied(run), status=status(run), numbers=run.outcome
                )
                for run in runs
            ],
            seeds=SeedsOut(done=len(done), planned=experiment.settings["seeds"]),
            min_seeds=MIN_SEEDS,
            command=command(claim, experiment.settings, arms),
            settings=experiment.settings,
            own=claim.own({s.name: experiment.settings.get(s.name, s.default) for s in claim.settings}, arms),
            versions=[dict(pairs) for pairs in dict.fromkeys(tuple(run.versions.items()) for run in runs) if pairs],
        )

    async def _judge(self, experiment: str, claim: Claim, runs: Sequence[Run]) -> Finding:
        key = frozenset((run.id, run.ended) for run in runs)
        known = self._judged.get(experiment)
        if known is None or known[0] != key:
            work = asyncio.to_thread(judge, claim.rule, [_outcome(run) for run in runs])
            known = self._judged[experiment] = key, asyncio.create_task(work)
        self._judged.move_to_end(experiment)
        if len(self._judged) > KEPT:
            self._judged.popitem(last=False)
        return await asyncio.shield(known[1])  # another may wait for it, too


def _done(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs of each seed that is done. Half a seed would be compared under half of the conditions."""
    seeds: defaultdict[int, list[Run]] = defaultdict(list)
    for run in runs:
        seeds[run.seed].append(run)
    return [seed for seed in seeds.values() if all(run.status == "finished" for run in seed)]


def _outcome(run: Run) -> Outcome:
    numbers = {name: math.nan if value is None else value for name, value in run.outcome.items()}
    return Outcome(run.arm, run.seed, varied(run), numbers)


def _evidence(found: Evidence) -> EvidenceOut:
    low, high = found.interval or (None, None)
    return EvidenceOut(
        **asdict(found.criterion),
        seeds=dict(found.seeds),
        estimate=_finite(found.estimate),
        low=_finite(low),
        high=_finite(high),
        verdict=found.verdict,
        missing=list(found.missing),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def command(claim: Claim, settings: dict[str, Any], arms: Sequence[str]) -> str:
    """What to type to train the same nets again: all that differs from what the claim begins with."""
    words = ["normscope", "run", str(claim.number)]
    if list(arms) != list(claim.default_arms):
        words += ["--arms", ",".join(arms)]
    for name, usual in check_settings(claim.settings, {}).items():
        value = settings.get(name, usual)
        values = value if isinstance(value, list) else [value]
        if values != (list(usual) if isinstance(usual, tuple) else [usual]):
            words += ["--set", f"{name}={','.join(str(part).removesuffix('.0') for part in values)}"]
    return shlex.join(words)
