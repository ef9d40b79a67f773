"""Runs of any experiments side by side, as the page of one experiment shows them."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final

from ..schemas import ExperimentOut, RunOut
from ..store import Experiment, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..store import Store

MOST: Final = 12
"""Runs in a comparison: each brings its own charts."""
TITLE: Final = 28
"""Characters of an experiment's name that tell it from others."""


async def compare(store: Store, ids: Sequence[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An experiment without an id that has these runs, each an arm of its own; and in which settings they differ.

    Raises:
        ValueError: If there are none, too many, or one is unknown.
    """
    wanted = list(dict.fromkeys(run for run in ids if run))
    if strange := [one for one in wanted if not one.isalnum()]:
        raise ValueError(f"there is no run {strange[0][:40]!r}")
    if not 1 <= len(wanted) <= MOST:
        raise ValueError(f"{len(wanted)} runs cannot be compared; choose 1 to {MOST}")
    found = {run.id: run for run in await store.find(Run, id=wanted)}
    if missing := [one for one in wanted if one not in found]:
        raise ValueError(f"there is no run {missing[0]!r}")
    runs = [found[one] for one in wanted]
    names = {e.id: e.name for e in await store.find(Experiment, id=list({run.experiment for run in runs}))}
    shown = [RunOut.of(run) for run in runs]
    for run, label in zip(shown, _labels(shown, names), strict=True):
        run.arm, run.seed, run.varied = label, 0, {}
    created = max(run.created for run in runs)
    whole = ExperimentOut(
        id="",
        name=f"{len(runs)} runs compared",
        claim=None,
        settings={},
        tags=[],
        notes="",
        created=created,
        runs=shown,
    )
    return whole.model_dump(), _differences(runs)


def _labels(runs: Sequence[RunOut], names: dict[str, str]) -> list[str]:
    """What tells each run from the others: arm, what was varied, experiment and seed, as far as it takes."""
    several = len({run.experiment for run in runs}) > 1
    arms = [
        " · ".join([run.arm or run.name, *(f"{name} {value}" for name, value in run.varied.items())]) for run in runs
    ]
    titles = [shorten(names[run.experiment], TITLE, placeholder="…") if several else "" for run in runs]
    labels = [" · ".join(filter(None, parts)) for parts in zip(arms, titles, strict=True)]
    seeded = [
        f"{label} · seed {run.seed}" if labels.count(label) > 1 else label
        for label, run in zip(labels, runs, strict=True)
    ]
    return [
        f"{label} · {run.id}" if seeded.count(label) > 1 else label for label, run in zip(seeded, runs, strict=True)
    ]


def _differences(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Settings that are not the same in all runs: name, and the value in each, None where a run has no such thing."""
    names = dict.fromkeys(name for run in runs for name in run.spec if name != "varied")
    rows = [{"name": name, "values": [run.spec.get(name) for run in runs]} for name in names]
    return [row for row in rows if any(value != row["values"][0] for value in row["values"])]
