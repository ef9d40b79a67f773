"""Frames as two tables: summaries, a row for each thing that was seen at a step, and series, a row for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .. import sketch, wire
from ..reading import AT_ONCE, PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

ROWS: Final = 4096
"""Rows of summaries that are put together; those of one step are not parted."""
_FRAMES: Final = 10_000
"""Frames that are, if they have few layers or none."""


class Ragged(NamedTuple):
    """A column of lists: that of row i is `values[offsets[i]:offsets[i + 1]]`."""

    offsets: NDArray[np.int64]
    values: NDArray[np.int64]


def batches(frames: Iterable[wire.Frame]) -> Iterator[list[wire.Frame]]:
    """Frames, some at a time."""
    some: list[wire.Frame] = []
    rows = 0
    for frame in frames:
        some.append(frame)
        rows += len(frame.layers)
        if rows >= ROWS or len(some) >= _FRAMES:
            yield some
            some, rows = [], 0
    if some:
        yield some


def summaries(frames: Sequence[wire.Frame], layers: Sequence[wire.Layer]) -> dict[str, Any]:
    """The columns of the table of summaries.

    `zero_share`, `saturated_share` and `nonfinite_share` are parts of `count`; `bins` and `counts` the histogram, of
    which bin k lies between `normscope.sketch.edges()[k]` and `[k + 1]`.
    """
    rows = [len(frame.layers) for frame in frames]
    moments = np.concatenate([frame.moments for frame in frames])
    counters = np.concatenate([frame.counters for frame in frames])
    shares = counters[:, 1:] / np.maximum(counters[:, :1], 1)
    names = [layer.name for layer in layers]
    bins, counts = histograms(frames)
    return {
        "step": np.repeat([frame.first_step for frame in frames], rows),
        "time": np.repeat([frame.time for frame in frames], rows),
        "layer": [names[layer] for frame in frames for layer in frame.layers.tolist()],
        "kind": [wire.KINDS[kind] for frame in frames for kind in frame.kinds.tolist()],
        "count": counters[:, 0],
        "mean": moments[:, 0],
        "variance": moments[:, 1] ** 2,
        "min": moments[:, 2],
        "max": moments[:, 3],
        **dict(zip(("zero_share", "saturated_share", "nonfinite_share"), shares.T, strict=True)),
        **dict(zip((f"p{p}" for p in PERCENTILES), percentiles(bins, counts, moments).T, strict=True)),
        "bins": bins,
        "counts": counts,
    }


def histograms(frames: Sequence[wire.Frame]) -> tuple[Ragged, Ragged]:
    """The filled bins of each row, and how many values fell into each."""
    before = np.cumsum([0, *(len(frame.layers) for frame in frames)]).tolist()
    places = np.concatenate([frame.bins + at * sketch.BINS for frame, at in zip(frames, before, strict=False)])
    offsets = np.searchsorted(places, np.arange(before[-1] + 1) * sketch.BINS)
    return Ragged(offsets, places % sketch.BINS), Ragged(offsets, np.concatenate([frame.counts for frame in frames]))


def percentiles(bins: Ragged, counts: Ragged, moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those of each row, shape [n, len(PERCENTILES)]."""
    found = np.empty((len(moments), len(PERCENTILES)))
    for first in range(0, len(found), AT_ONCE):
        some = slice(first, min(first + AT_ONCE, len(found)))
        mine = slice(bins.offsets[some.start], bins.offsets[some.stop])
        row = np.repeat(np.arange(some.stop - first), np.diff(bins.offsets[first : some.stop + 1]))
        dense = np.zeros((some.stop - first, sketch.BINS), np.int64)
        dense[row, bins.values[mine]] = counts.values[mine]
        found[some] = sketch.quantiles_of_many(dense, np.array(PERCENTILES) / 100, moments[some, 2], moments[some, 3])
    return found


def series(frames: Sequence[wire.Frame]) -> dict[str, Any]:
    """The columns of the table of series; a vector has a row for each of its numbers, a scalar one with `index` 0."""
    rows = [
        (frame.first_step, frame.time, name, index, value)
        for frame in frames
        for name, one in frame.series.items()
        for index, value in enumerate(one.mean.tolist())
    ]
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * 5
    kinds = (np.int64, np.float64, None, np.int64, np.float64)
    return {
        name: list(column) if kind is None else np.array(column, kind)
        for name, column, kind in zip(("step", "time", "name", "index", "value"), columns, kinds, strict=True)
    }
