"""Encoded frames as nets send them: some dozens that differ, numbered as often as needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np

from normscope import sketch, wire

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYERS: Final = 20
_VALUES: Final = 5000
"""Behind each histogram: a mini-batch of 50 through 100 units."""
_PATTERNS: Final = 50
_NUMBER: Final = 8
"""Bytes of a number in a series."""


class Stream:
    """The frames of a net whose distributions move.

    Args:
        layers: How many it has.
        values: How many each layer puts out at a step.
        size: At least so many bytes a frame; what is missing is a series of zeros.
    """

    def __init__(self, layers: int = LAYERS, values: int = _VALUES, size: int = 0) -> None:
        rng = np.random.default_rng(0)
        self.layers = tuple(wire.Layer(f"layer{i}", "Linear") for i in range(layers))
        self._head = len(wire.encode_step(0, 0, 0.0, {}, layers, b""))
        self._bodies = [self._body(rng, i, values) for i in range(_PATTERNS)]
        self._padding = np.zeros(0)
        self._padding = np.zeros(max(0, size - self.size) // _NUMBER)

    @property
    def size(self) -> int:
        """Bytes of a frame, about."""
        return len(self.frame(0))

    def frame(self, seq: int, step: int | None = None, when: float | None = None) -> bytes:
        """The frame of this number, of the step of the same number and made now unless told otherwise."""
        step = seq if step is None else step
        series: dict[str, float | NDArray[np.float64]] = {"loss": 2 / (1 + step / 500)}
        if len(self._padding):
            series["padding"] = self._padding
        body = self._bodies[seq % _PATTERNS]
        return wire.encode_step(seq, step, time.time() if when is None else when, series, len(self.layers), body)

    def _body(self, rng: np.random.Generator, turn: int, values: int) -> bytes:
        """Table, moments and counters of all layers at one step."""
        rows = range(len(self.layers))
        outputs = [rng.normal(np.sin(turn / 8) * row / 10, 1 + row / 20, values) for row in rows]
        tallies = [sketch.histogram(one) for one in outputs]
        frame = wire.Frame(
            0, 0, 0, 0.0, layers=np.arange(len(rows)), kinds=np.zeros(len(rows), np.int64),
            moments=np.array([[one.mean(), one.std(), one.min(), one.max()] for one in outputs]),
            counters=np.tile([values, 0, 0, 0], (len(rows), 1)),
            bins=np.concatenate([np.flatnonzero(t) + row * sketch.BINS for row, t in enumerate(tallies)]),
            counts=np.concatenate([t[t > 0] for t in tallies]),
        )  # fmt: skip
        return wire.encode(frame)[self._head :]
