"""A recorded run as arrays: `normscope.open("run.normscope")`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import sketch, wire
from .errors import WireError
from .wire.file import SUFFIX, messages

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


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
        for i, (_, _, low, high) in enumerate(self.moments):
            found[i] = sketch.quantiles(self.histogram(i), wanted, low, high)
        return found


class Place(NamedTuple):
    """Where a frame is, and which captured steps it holds: one, or several that were merged."""

    path: Path
    start: int
    size: int
    seq: int
    frames: int


class Recording:
    """A run in a file, or in a folder of files, read as it is asked for; made by `normscope.open`.

    Attributes:
        path: Of the file or the folder.
        hello: What introduces the run: its `name`, `layers` (`name`, `type` and `kinds` of each) and `versions`.
        edges: Pairs of layers, by index: the second takes what the first gives. Empty if that is not known.
        end: How it ended: `status`, `error` and `outcome`; None if it did not, or has not yet.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._places: list[Place] = []
        found: dict[type[wire.Message], wire.Message] = {}
        try:
            for file in sorted(self.path.glob(f"*{SUFFIX}")) if self.path.is_dir() else [self.path]:
                for word in self._read(file):
                    found[type(word)] = word
        except WireError as error:
            raise WireError(f"{self.path} cannot be read: {error}") from None
        hello, graph, end = (found.get(kind) for kind in (wire.Hello, wire.Graph, wire.End))
        if not isinstance(hello, wire.Hello):
            raise WireError(f"{self.path} cannot be read: it does not say of which run it is")
        self.hello = hello
        self.edges = graph.edges if isinstance(graph, wire.Graph) else ()
        self.end = end if isinstance(end, wire.End) else None

    def _read(self, path: Path) -> Iterator[wire.Message]:
        """Find the places of a file's frames; what else it says."""
        with path.open("rb") as file:
            for at, message in messages(file):
                if isinstance(message, str):
                    yield wire.parse(message)
                    continue
                head = wire.check(message)
                if head.seq >= self.seqs[1]:  # else a file before this one has it
                    self._places.append(Place(path, at - len(message), len(message), head.seq, head.frames))

    def __len__(self) -> int:
        return len(self._places)

    @property
    def seqs(self) -> tuple[int, int]:
        """The number of the first captured step in it, and of the one that would come next."""
        if not self._places:
            return 0, 0
        return self._places[0].seq, self._places[-1].seq + self._places[-1].frames

    def encoded(self, first: int = 0) -> Iterator[bytes]:
        """The frames as they would have been sent, from the one with this number on."""
        wanted = (place for place in self._places if place.seq >= first)
        for path, places in groupby(wanted, lambda place: place.path):
            with path.open("rb") as file:
                for place in places:
                    file.seek(place.start)
                    yield file.read(place.size)

    def frames(self) -> Iterator[wire.Frame]:
        """The frames, in order: each is everything that was seen at a step."""
        return map(wire.decode, self.encoded())

    @property
    def steps(self) -> Ints:
        """The steps that were recorded, shape [n]."""
        return self._overview[0]

    @property
    def times(self) -> Floats:
        """When each of them ended, in unix seconds, shape [n]."""
        return self._overview[1]

    @property
    def series(self) -> Mapping[str, tuple[Ints, Floats]]:
        """What was told beside the layers, by name: the k steps at which it was, and values of shape [k] or [k, size].

        Vectors of different sizes are filled up with NaN.
        """
        return self._overview[2]

    @cached_property
    def _overview(self) -> tuple[Ints, Floats, dict[str, tuple[Ints, Floats]]]:
        steps, times = np.zeros(len(self), np.int64), np.zeros(len(self))
        held: dict[str, list[tuple[int, Floats]]] = {}
        for i, frame in enumerate(self.frames()):
            steps[i], times[i] = frame.first_step, frame.time
            for name, one in frame.series.items():
                held.setdefault(name, []).append((frame.first_step, one.mean))
        return steps, times, {name: _joined(values) for name, values in held.items()}

    def history(self, layer: str, kind: str = "output") -> History:
        """One kind of thing of one layer, over all steps.

        Args:
            layer: Its dotted name.
            kind: What of it; one of the layer's `kinds`.

        Raises:
            KeyError: If there is no such layer or it has no such kind.
        """
        kinds = {one.name: one.kinds for one in self.hello.layers}
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


def open(path: str | os.PathLike[str]) -> Recording:  # noqa: A001  people call it as normscope.open
    """Read a run that `watch(model, file=path)` has recorded, also while it still does; or a folder that holds one run.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        WireError: If it is none of Normscope's.
    """
    return Recording(path)
