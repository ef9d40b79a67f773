"""A run as an event file of TensorBoard, by TensorBoard's own writer."""

from __future__ import annotations

import math
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import sketch, wire
from ..errors import MissingError

try:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
except ModuleNotFoundError:
    raise MissingError("tensorboard", "tensorboard") from None

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


def write(path: Path, layers: Sequence[wire.Layer], frames: Iterable[wire.Frame]) -> None:
    """Write a folder that TensorBoard shows: series as scalars, of 32 bits there, summaries as histograms.

    A histogram's tag is the layer's name, with the kind behind it unless that is `output`; of a vector each number is a
    scalar of its own. Where that would be one tag for two things, the second has a number behind it.
    """
    path.mkdir()
    tags = _Tags()
    writer = EventFileWriter(str(path))
    try:
        for frame in frames:
            values = [*_scalars(frame, tags), *_histograms(frame, layers, tags)]
            event = Event(step=frame.first_step, wall_time=frame.time, summary=Summary(value=values))
            writer.add_event(event)
    finally:
        writer.close()


class _Tags:
    """Gives each thing that is shown a tag of its own, the same at every step."""

    def __init__(self) -> None:
        self._given: dict[tuple[str | int, int], str] = {}
        self._taken: set[str] = set()

    def of(self, thing: tuple[str | int, int], wanted: str) -> str:
        """The tag of a number of a series, or of a kind of a layer."""
        if thing not in self._given:
            tags = chain([wanted], (f"{wanted} ({number})" for number in count(2)))
            self._given[thing] = next(tag for tag in tags if tag not in self._taken)
            self._taken.add(self._given[thing])
        return self._given[thing]


def _scalars(frame: wire.Frame, tags: _Tags) -> Iterator[Any]:
    for name, one in frame.series.items():
        for i, value in enumerate(one.mean.tolist()):
            tag = tags.of((name, i), name if len(one.mean) == 1 else f"{name}/{i}")
            # Beyond the range of 32 bits protobuf would refuse a number that is infinite there.
            yield Summary.Value(tag=tag, simple_value=float(np.float32(np.clip(value, -3.4e38, 3.4e38)))
                                if math.isfinite(value) else value)  # fmt: skip


def _histograms(frame: wire.Frame, layers: Sequence[wire.Layer], tags: _Tags) -> Iterator[Any]:
    for row, (layer, kind) in enumerate(zip(frame.layers.tolist(), frame.kinds.tolist(), strict=True)):
        wanted = layers[layer].name if kind == 0 else f"{layers[layer].name}/{wire.KINDS[kind]}"
        tag = tags.of((layer, kind), wanted)
        finite = int(frame.counters[row, 0] - frame.counters[row, 3])
        if finite:
            yield Summary.Value(tag=tag, histo=proto(frame.histogram(row), frame.moments[row].tolist(), finite))


def proto(counts: Any, moments: Sequence[float], finite: int) -> Any:
    """A histogram in the fixed bins as TensorBoard has it: each filled bin is a bucket, and so is each gap.

    Args:
        counts: Shape [BINS], of all values or a sample of them; they are scaled to `finite`.
        moments: Mean, standard deviation, smallest and largest value.
        finite: How many values there were.
    """
    mean, deviation, low, high = moments
    filled = np.flatnonzero(counts)
    limits = np.clip(sketch.edges()[filled + 1], low, high)
    if len(filled):
        limits[-1] = high
    scale = finite / max(int(counts.sum()), 1)
    gap = np.flatnonzero(np.diff(filled) > 1) + 1  # before these there is a gap, which ends where they begin
    edges = np.insert(limits, gap, np.clip(sketch.edges()[filled[gap]], low, high))
    return HistogramProto(
        min=low, max=high, num=finite, sum=mean * finite, sum_squares=(deviation**2 + mean**2) * finite,
        bucket_limit=edges.tolist(), bucket=np.insert(counts[filled] * scale, gap, 0.0).tolist(),
    )  # fmt: skip
