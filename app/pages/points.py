"""What of a run's frames its first charts show: the points that `static/` would draw of them. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

from normscope import sketch, wire

from .curves import extent

if TYPE_CHECKING:
    from .curves import Floats, Ints, Range

SERIES: Final = ("loss", "accuracy", "test_accuracy")
PERCENTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)

Line = tuple["Floats", "Floats"]
"""Places of points, and their values."""


@dataclass(frozen=True, slots=True)
class Points:
    """What a run's first charts show.

    Attributes:
        end: Its newest step.
        cost: Share of its time that watching took, as it has told last.
        lines: By name of a series that it has told, that over steps.
        steps: Where the percentiles are of, shape [n]; none without the layer.
        bands: Percentiles 5, 25, 50, 75 and 95 of the first layer's outputs, shape [n, 5].
        spread: The smallest of the 5 % percentiles of its frames, and the largest of the 95 % ones.
        told: What it has told of its loss and its accuracy by its newest step; NaN for what it has not.
        moments: Mean and standard deviation of the layer's outputs there, and their histogram; None without the layer.
    """

    end: int
    cost: float | None
    lines: dict[str, Line]
    steps: Floats
    bands: Floats
    spread: Range
    told: dict[str, float]
    moments: tuple[float, float, Ints] | None


def read(encoded: list[bytes]) -> Points:
    """The points that the page would draw of these frames."""
    frames = [wire.decode(data) for data in encoded]
    groups = _groups(frames)
    lines = {name: line for name in SERIES if (line := _series(groups, name)) is not None}
    percentiles = _percentiles(frames)
    grouped = [_averaged(percentiles[at : at + n]) for at, n in _spans(groups)]
    bands = np.array(grouped).reshape(-1, len(PERCENTILES))
    known = ~np.isnan(bands[:, 2])
    low, high = percentiles[:, 0], percentiles[:, -1]
    ends = (extent([low])[0], extent([high])[1])
    steps = np.array([_middle(group) for group in groups])
    newest = _newest_of(frames)
    told = {
        "loss": _scalar(newest, "loss"),
        "accuracy": 100 * _last(frames, "test_accuracy", _scalar(newest, "accuracy")),
    }
    cost = _last(frames, "watch_cost", math.nan)
    moments = _moments(newest) if known.any() else None
    return Points(
        newest.last_step, None if math.isnan(cost) else cost, lines, steps[known], bands[known], ends, told, moments
    )


def _newest_of(frames: list[wire.Frame]) -> wire.Frame:
    """The frame of the newest step: what was told after it comes behind it, without layers."""
    at = len(frames) - 1
    while at and not len(frames[at].layers) and frames[at - 1].last_step == frames[at].first_step:
        at -= 1
    return frames[at]


def _scalar(frame: wire.Frame, name: str) -> float:
    return float(frame.series[name].mean[0]) if name in frame.series else math.nan


def _last(frames: list[wire.Frame], name: str, otherwise: float) -> float:
    """A scalar of the newest frame that has it."""
    return next((_scalar(frame, name) for frame in reversed(frames) if name in frame.series), otherwise)


def _outputs(frame: wire.Frame) -> int | None:
    """The row of the outputs of the layer that a frame has been cut down to."""
    return next(iter(np.flatnonzero(frame.kinds == wire.KINDS.index("output")).tolist()), None)


def _moments(frame: wire.Frame) -> tuple[float, float, Ints] | None:
    row = _outputs(frame)
    if row is None or not (counts := frame.histogram(row)).any():
        return None
    mean, std, *_ = frame.moments[row].tolist()
    return mean, std, counts


def _groups(frames: list[wire.Frame]) -> list[list[wire.Frame]]:
    """Frames in groups as long as the coarsest: `groups` in `static/lines/lines.js`."""
    span = wire.MERGE ** frames[0].level
    return [list(group) for _, group in groupby(frames, lambda frame: frame.seq // span)]


def _spans(groups: list[list[wire.Frame]]) -> list[tuple[int, int]]:
    """Where each group begins among the frames, and how long it is."""
    lengths = [len(group) for group in groups]
    return list(zip(np.cumsum([0, *lengths[:-1]]).tolist(), lengths, strict=True))


def _middle(group: list[wire.Frame]) -> float:
    return (group[0].first_step + group[-1].last_step) / 2


def _series(groups: list[list[wire.Frame]], name: str) -> Line | None:
    """A scalar over steps: `scalarLine` in `static/lines/lines.js`; None if the run has not told it."""
    points = []
    for group in groups:
        told = [frame.series[name] for frame in group if name in frame.series]
        if told:
            samples = sum(series.samples for series in told)
            points.append((_middle(group), sum(float(s.mean[0]) * s.samples for s in told) / samples))
    return (np.array([x for x, _ in points]), np.array([y for _, y in points])) if points else None


def _percentiles(frames: list[wire.Frame]) -> Floats:
    """Those of the outputs of the layer that the frames have been cut down to, shape [frames, 5]; NaN without any."""
    counts, ends = np.zeros((len(frames), sketch.BINS), np.int64), np.full((len(frames), 2), np.nan)
    for i, frame in enumerate(frames):
        if (row := _outputs(frame)) is not None:
            counts[i], ends[i] = frame.histogram(row), frame.moments[row, 2:]
    return sketch.quantiles_of_many(counts, PERCENTILES, ends[:, 0], ends[:, 1])


def _averaged(percentiles: Floats) -> Floats:
    """Of a group of frames, those without any left out."""
    known = percentiles[~np.isnan(percentiles[:, 2])]
    return known.mean(axis=0) if len(known) else np.full(len(PERCENTILES), np.nan)
