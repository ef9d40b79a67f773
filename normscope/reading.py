"""What a run has told, as arrays: one that was recorded to a file, or one that a server has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import sketch, wire
from .errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PERCENTILES: Final = (5, 25, 50, 75, 95)
"""What tables show of a distribution."""
AT_ONCE: Final = 256
"""Histograms that are laid out in full at the same time; each takes 12 kB."""


@dataclass(frozen=True)
class History:
    """One kind of thing of one layer over the n steps at which it was seen.

    Attributes:
        steps: Shape [n].
        moments: Mean, standard deviation (population), minimum and maximum of the finite values, shape [n, 4].
        counters: Values, and how many of them are zero, saturated and not finite, shape [n, 4].
        bins: Of each step the filled bins, of which bin k lies between `normscope.sketch.edges()[k]` and `[k + 1]`.
        counts: Of each step, how many of the sampled values fell into each of them.
    """

    steps: Ints
    moments: Floats
    counters: Ints
    bins: tuple[Ints, ...]
    counts: tuple[Ints, ...]

    def histogram(self, i: int) -> Ints:
        """The counts of all bins at the i-th of these steps, shape [normscope.sketch.BINS]."""
        dense = np.zeros(sketch.BINS, np.int64)
        dense[self.bins[i]] = self.counts[i]
        return dense

    def quantiles(self, probabilities: ArrayLike) -> Floats:
        """Quantiles of the sampled values, shape [n, len(probabilities)]; NaN where nothing finite was seen."""
        wanted = np.atleast_1d(np.asarray(probabilities, np.float64))
        found = np.empty((len(self.steps), len(wanted)))
        for first in range(0, len(found), AT_ONCE):
            some = range(first, min(first + AT_ONCE, len(found)))
            dense = np.array([self.histogram(i) for i in some])
            found[some] = sketch.quantiles_of_many(dense, wanted, self.moments[some, 2], self.moments[some, 3])
        return found

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each step: moments, counters and percentiles.

        Raises:
            MissingError: If pandas is not installed.
        """
        percentiles = self.quantiles(np.array(PERCENTILES) / 100)
        named = [
            *zip(("mean", "std", "min", "max"), self.moments.T, strict=True),
            *zip(("count", "zeros", "saturated", "nonfinite"), self.counters.T, strict=True),
            *((f"p{p}", column) for p, column in zip(PERCENTILES, percentiles.T, strict=True)),
        ]
        return _pandas().DataFrame(dict(named), index=_pandas().Index(self.steps, name="step"))


class Reading(ABC):
    """Captured steps of a run, in order.

    Attributes:
        layers: What is watched: `name`, `type` and `kinds` of each.
    """

    layers: Sequence[wire.Layer]

    @abstractmethod
    def frames(self) -> Iterator[wire.Frame]:
        """The frames, in order: each is everything that was seen at a step, or at several that were merged."""

    @property
    def steps(self) -> Ints:
        """The step of each frame, the first one if several were merged into it, shape [n]."""
        return self._overview[0]

    @property
    def last_steps(self) -> Ints:
        """The last step of each frame, shape [n]."""
        return self._overview[1]

    @property
    def times(self) -> Floats:
        """When each of these ended, in unix seconds, shape [n]."""
        return self._overview[2]

    @property
    def series(self) -> Mapping[str, tuple[Ints, Floats]]:
        """What was told beside the layers, by name: the k steps at which it was, and values of shape [k] or [k, size].

        Where frames were merged, these are means. Vectors of different sizes are filled up with NaN.
        """
        return self._overview[3]

    def to_pandas(self) -> Any:
        """The series as a `pandas.DataFrame`: a row for each step, a column for each number, NaN where there is none.

        Of what was told of a step several times, the last counts.

        Raises:
            MissingError: If pandas is not installed.
        """
        told, first = np.unique(self.steps, return_index=True)
        rows = {step: i for i, step in enumerate(told.tolist())}
        columns: dict[str, Floats] = {"time": self.times[first]}
        for name, (steps, values) in self.series.items():
            for i, column in enumerate(values.reshape(len(steps), -1).T):
                filled = columns[name if values.ndim == 1 else f"{name}/{i}"] = np.full(len(rows), np.nan)
                filled[[rows[step] for step in steps.tolist()]] = column
        return _pandas().DataFrame(columns, index=_pandas().Index(told, name="step"))

    @cached_property
    def _overview(self) -> tuple[Ints, Ints, Floats, dict[str, tuple[Ints, Floats]]]:
        spans: list[tuple[int, int, float]] = []
        held: dict[str, list[tuple[int, Floats]]] = {}
        for frame in self.frames():
            spans.append((frame.first_step, frame.last_step, frame.time))
            for name, one in frame.series.items():
                held.setdefault(name, []).append((frame.first_step, one.mean))
        first, last, times = np.array(spans).reshape(-1, 3).T
        return first.astype(np.int64), last.astype(np.int64), times, {n: _joined(values) for n, values in held.items()}

    def history(self, layer: str, kind: str = "output") -> History:
        """One kind of thing of one layer, over all steps.

        Args:
            layer: Its dotted name.
            kind: What of it; one of the layer's `kinds`.

        Raises:
            KeyError: If there is no such layer or it has no such kind.
        """
        kinds = {one.name: one.kinds for one in self.layers}
        if layer not in kinds:
            raise KeyError(f"there is no layer {layer!r}; there are {', '.join(kinds)}")
        if kind not in kinds[layer]:
            raise KeyError(f"layer {layer!r} has no {kind!r}; it has {', '.join(kinds[layer])}")
        wanted = list(kinds).index(layer), wire.KINDS.index(kind)
        rows: list[tuple[int, Floats, Ints, Ints, Ints]] = []
        for frame in self.frames():
            for row in np.flatnonzero((frame.layers == wanted[0]) & (frame.kinds == wanted[1])):
                mine = slice(*np.searchsorted(frame.bins, [row * sketch.BINS, (row + 1) * sketch.BINS]))
                bins = frame.bins[mine] - row * sketch.BINS
                rows.append((frame.first_step, frame.moments[row], frame.counters[row], bins, frame.counts[mine]))
        return History(
            np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows]).reshape(-1, 4),
            np.array([row[2] for row in rows], np.int64).reshape(-1, 4),
            tuple(row[3] for row in rows), tuple(row[4] for row in rows),
        )  # fmt: skip


def _joined(values: list[tuple[int, Floats]]) -> tuple[Ints, Floats]:
    """Steps and values of a series."""
    size = max(len(value) for _, value in values)
    joined = np.full((len(values), size), np.nan)
    for i, (_, value) in enumerate(values):
        joined[i, : len(value)] = value
    return np.array([step for step, _ in values], np.int64), joined[:, 0] if size == 1 else joined


def _pandas() -> Any:
    try:
        return import_module("pandas")
    except ModuleNotFoundError:
        raise MissingError("pandas", "pandas") from None
