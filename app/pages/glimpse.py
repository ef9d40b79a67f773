"""The first charts of runs that have ended, drawn into their page: they are seen before any script has come.

What is drawn is what `static/` draws of the same frames, point by point: these are asked for as the page asks for them,
and a view that would show anything else than the first charts is left to the page.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import numpy as np

from normscope import sketch

from ..frames import query
from ..store import Run, StoreError
from . import figures, points
from .curves import ACROSS, UPWARDS, Picture, extent, nice_range, number, path, step_range, ticks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..store import Store
    from .curves import Floats, Range
    from .points import Points

log = logging.getLogger("normscope.glimpse")

MOST: Final = 4
"""Runs that are drawn; of more the charts would be too small to begin with."""
SUMMARIES: Final = 250
"""Summaries in a frame of a run; those of larger nets take longer to read than a page should wait."""
PATIENCE: Final = 0.25
"""Seconds that a page waits for its picture, which is drawn to its end all the same, for the next visitor."""
KEPT: Final = 64
"""Runs whose curves are kept, some 50 KB each."""
OVER: Final = ("finished", "stopped")
"""The states of runs of which there is nothing else to tell; why one has failed stands above the charts."""
PLAIN: Final = frozenset({"step", "runs", "embed"})
"""What an address may ask for without changing which charts there are."""


_PROGRESS: Final = (("loss", ("loss",), 1, math.inf), ("accuracy", ("accuracy", "test_accuracy"), 100, 101))
"""Charts of how well nets do: name, the series of their roles, what these are multiplied with, and the axis' end."""


class Glimpses:
    """Draws on threads, and keeps what it has read of runs: they do not change any more."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: OrderedDict[tuple[Any, ...], asyncio.Task[Points | None]] = OrderedDict()

    async def of(self, experiment: Mapping[str, Any], charts: Mapping[str, Any], view: str) -> dict[str, Any] | None:
        """What `templates/glimpse.html` draws; None where the page begins with something else.

        Args:
            experiment: As `GET /api/experiments/{id}` answers.
            charts: The page's figures, by name.
            view: The query of its address.
        """
        arms = list(dict.fromkeys(run["arm"] for run in experiment["runs"]))
        runs = first_runs(experiment["runs"], view)
        if not runs:
            return None
        layer = first_layer(runs)
        reading = [self._reading(run, None if layer is None else layer["name"]) for run in runs]
        _, unread = await asyncio.wait(reading, timeout=PATIENCE)
        if unread:
            log.info("a page opens without its picture, which takes more than %g s", PATIENCE)
            return None
        curves = [one for task in reading if (one := task.result()) is not None]
        if len(curves) < len(runs):
            return None
        colours = len(figures.ARMS["light"])
        named = [{"name": run["arm"] or run["name"], "colour": arms.index(run["arm"]) % colours} for run in runs]
        newest, planned = max(one.end for one in curves), max(run["steps"] or 0 for run in runs)
        across = step_range(newest, planned)
        return {
            "status": "stopped" if any(run["status"] == "stopped" for run in experiment["runs"]) else "finished",
            "newest": None if "step=" in view else _newest(curves, layer is not None),
            "step": f"{newest:,} / {planned - 1:,}" if planned else f"{newest:,}",
            "alerts": sum(run["alerts"] for run in runs),
            "runs": named,
            "progress": [(charts[name], name, drawn) for name, drawn in _progress(curves, across)],
            "layer": layer,
            "bands": _bands(curves, across) if layer else [],
            "columns": math.ceil((len(runs) + 1) / math.ceil((len(runs) + 1) / 4)),
            "charts": charts,
        }

    def _reading(self, run: Mapping[str, Any], layer: str | None) -> asyncio.Task[Points | None]:
        """What has been read of a run, or is being read."""
        key = (run["id"], run["last_seq"], run["thinned"], layer)
        if key not in self._read:
            place = next((i for i, one in enumerate(run["layers"]) if one["name"] == layer), None)
            self._read[key] = asyncio.create_task(self._make(key, points_of(run), place))
            if len(self._read) > KEPT:
                self._read.popitem(last=False)
        self._read.move_to_end(key)
        return self._read[key]

    async def _make(self, key: tuple[Any, ...], most: int, layer: int | None) -> Points | None:
        chosen = () if layer is None else (layer,)
        try:
            run = await self._store.get(Run, key[0])
            if run is None:
                return None
            history = query.history(self._store, run, first_step=0, last_step=None, points=most, layers=chosen)
            frames = [data async for part in history for data in part]
        except StoreError as error:
            log.warning("a picture cannot be drawn: %s", error)
            self._read.pop(key, None)  # the store may be there the next time
            return None
        # The page merges more than it has room for, and shows other points then.
        return None if not frames or len(frames) > most else await asyncio.to_thread(points.read, frames)


def points_of(run: Mapping[str, Any]) -> int:
    """How many frames the page asks for: `bound` in `static/data/history.js`."""
    summaries = sum(len(layer["kinds"]) for layer in run["layers"])
    return max(160, min(600, 40_000 // max(summaries, 1)))


def first_runs(runs: Sequence[Mapping[str, Any]], view: str) -> list[Mapping[str, Any]]:
    """The runs that a page shows first: `shownRuns` in `static/data/shown.js`; none if it begins with something else.

    Args:
        runs: All that it has, as `GET /api/runs/{id}` answers.
        view: The query of its address.
    """
    asked = parse_qs(view, keep_blank_values=True)
    if not runs or not PLAIN.issuperset(asked):
        return []
    named = [run for run in runs if run["id"] in asked.get("runs", [""])[0].split(",")]
    shown = named or [run for run in runs if _conditions(run) == _conditions(runs[0])]
    # Else names tell more than the arm, and lines are dashed.
    alike = all(_conditions(run) == _conditions(shown[0]) for run in shown)
    by_arm = alike and len({run["arm"] for run in shown}) == len(shown)
    over = all(run["status"] in OVER for run in runs) and all(run["last_seq"] >= 0 for run in shown)
    # What is told of trouble that lasts stands above the charts, once the page has asked for it.
    quiet = not any(run["lasting"] or run["thinned"] > 1 for run in shown)
    small = all(sum(len(layer["kinds"]) for layer in run["layers"]) <= SUMMARIES for run in shown)
    return shown if by_arm and over and quiet and small and len(shown) <= MOST else []


def _conditions(run: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """What may differ from run to run of an arm."""
    return run["seed"], run["varied"]


def first_layer(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The first layer that a page lists: `netOf` in `static/data/net.js`; None if its outputs are not watched."""
    layers: dict[str, dict[str, Any]] = {}
    sources: dict[str, dict[str, None]] = {}
    for run in runs:
        for layer in run["layers"]:
            known = layers.setdefault(layer["name"], dict(layer))
            known["kinds"] = [*known["kinds"], *layer["kinds"]]
            if known["type"] == "Identity":
                known["type"] = layer["type"]
        for a, b in run["edges"]:
            sources.setdefault(run["layers"][b]["name"], {})[run["layers"][a]["name"]] = None
    if not layers:
        return None
    name, begun = next(iter(layers)), set[str]()
    while True:  # what it takes comes before it, unless they go round in a circle
        begun.add(name)
        before = next((one for one in sources.get(name, ()) if one not in begun), None)
        if before is None:
            return layers[name] if "output" in layers[name]["kinds"] else None
        name = before


def _newest(curves: Sequence[Points], layer: bool) -> dict[str, Any]:
    """What is written beside the charts of the newest step, where the cursor stands unless the view says otherwise."""
    costs = [one.cost for one in curves if one.cost is not None]
    found: dict[str, Any] = {name: [number(one.told[name]) for one in curves] for name in ("loss", "accuracy")}
    found["cost"] = f"{100 * max(costs):.1f} %" if costs else "–"
    found["layer"] = [f"{number(m[0])} ± {number(m[1])}" if (m := one.moments) else "–" for one in curves if layer]
    pair = [one.moments[2] for one in curves[:2] if one.moments]
    found["distance"] = f"W₁ {number(sketch.wasserstein(*pair))}" if len(pair) > 1 else ""
    return found


def _progress(curves: Sequence[Points], across: Range) -> list[tuple[str, Picture]]:
    """The charts of how well the nets do: those for which there is something to show."""
    found = []
    for name, roles, factor, ceiling in _PROGRESS:
        lines = [
            (run, role, line[0], line[1] * factor)
            for run, one in enumerate(curves)
            for role, series in enumerate(roles)
            if (line := one.lines.get(series)) is not None
        ]
        if lines:
            low, high = nice_range(*extent([y for *_, y in lines]))
            found.append((name, _picture(across, (max(low, 0.0), min(high, ceiling)), lines)))
    return found


def _bands(curves: Sequence[Points], across: Range) -> list[Picture]:
    """The first layer of each run, on one scale: as `bandLines` in `static/lines/lines.js`."""
    upwards = nice_range(min(one.spread[0] for one in curves), max(one.spread[1] for one in curves))
    return [_picture(across, upwards, _band(run, one)) for run, one in enumerate(curves)]


def _band(run: int, one: Points) -> list[tuple[int, int, Floats, Floats]]:
    there_and_back = np.concatenate([one.steps, one.steps[::-1]])
    outer, inner = (np.concatenate([one.bands[:, -1 - i], one.bands[::-1, i]]) for i in (0, 1))
    return [(run, 0, there_and_back, outer), (run, 1, there_and_back, inner), (run, 2, one.steps, one.bands[:, 2])]


def _picture(across: Range, upwards: Range, lines: Sequence[tuple[int, int, Floats, Floats]]) -> Picture:
    strokes = [{"run": run, "role": role, "d": path(x, y, across, upwards)} for run, role, x, y in lines]
    return Picture(ticks(across, ACROSS, steps=True), ticks(upwards, UPWARDS), strokes)
