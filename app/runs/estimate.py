"""How long an experiment will take, from those that have been run here."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from normscope import catalogue

from ..store import Experiment, Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..store import Store

ASIDE: Final = frozenset({"seed", "steps", "varied", "pace"})
"""What does not change how long a step takes, or is reckoned with by itself."""
APART: Final = frozenset({"net", "device"})
"""What decides how long a step takes more than all the rest."""
LATEST: Final = 400
"""Finished runs that are looked at, the newest."""


async def estimate(
    store: Store, number: int, settings: Mapping[str, object], arms: Sequence[str] | None, size: str | None
) -> dict[str, Any]:
    """What an experiment would come to, were it started now.

    Each planned run is expected to take as long a step as the median of those finished runs of the same claim whose
    specs differ from its own in the fewest fields.

    Returns:
        `runs`; `seconds` until the last of them ends, None if no run of the claim has finished here; and `basis`, the
        number of runs that this rests on.

    Raises:
        ValueError: As `Experiments.start` does.
    """
    claim = catalogue.claim(number)
    whole, chosen = claim.plan(settings, arms, size)
    specs = [json.loads(spec.dump()) for spec in claim.specs(whole, chosen)]
    known = await _finished(store, number)
    used: set[str] = set()
    seconds = 0.0
    for spec in specs:
        alike = most_alike(spec, known)
        used |= {run.id for run in alike}
        if alike:
            step = median(_step_seconds(run) for run in alike)
            pace = whole["pace"]
            seconds += spec["steps"] * (max(step, 1 / pace) if pace else step)
    together = max(1, min(int(whole["parallel"]), len(specs)))
    return {"runs": len(specs), "seconds": seconds / together if used else None, "basis": len(used)}


async def _finished(store: Store, number: int) -> list[Run]:
    ids = [experiment.id for experiment in await store.find(Experiment, claim=number)]
    found = await store.find(Run, experiment=ids[-LATEST:], status="finished")
    return [run for run in found if run.started and run.ended and run.last_step >= 0][-LATEST:]


def _step_seconds(run: Run) -> float:
    assert run.started is not None
    assert run.ended is not None
    return (run.ended - run.started) / (run.last_step + 1)


def most_alike(spec: dict[str, Any], known: list[Run]) -> list[Run]:
    """The runs whose specs differ in the fewest fields."""
    counted = {name: len(spec) if name in APART else 1 for name in spec if name not in ASIDE}
    distances = [sum(far for name, far in counted.items() if run.spec.get(name) != spec[name]) for run in known]
    least = min(distances, default=0)
    return [run for run, distance in zip(known, distances, strict=True) if distance == least]
