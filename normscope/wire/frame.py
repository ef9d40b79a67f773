"""A frame: what a run sends for one captured step, or what several such are merged into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from ..sketch import BINS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

KINDS: Final = (
    "output", "input", "gradient", "weight", "weight_gradient", "bias", "bias_gradient",
    "batch_mean", "batch_variance", "running_mean", "running_variance",
)  # fmt: skip
"""What of a layer is summarized; a summary carries the index. A gradient is that of the loss with respect to the
layer's output; the last four are a batch normalization's statistics, one value a channel."""


@dataclass(slots=True)
class Series:
    """One named quantity of a frame: a scalar (size 1) or a short vector.

    Attributes:
        mean: Shape [size]; at level 0 the values themselves.
        low: Smallest values over the merged frames, shape [size].
        high: Largest.
        samples: How many of the merged frames held it.
    """

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    samples: int = 1

    @classmethod
    def of(cls, values: float | Sequence[float] | NDArray[np.float64]) -> Self:
        """A series of one frame's own value or values."""
        array = np.atleast_1d(np.asarray(values, dtype=np.float64))
        return cls(array, array, array)


@dataclass(slots=True)
class Frame:
    """What a run sends for one captured step, or several such merged.

    Attributes:
        seq: The sequence number of the first frame in it, counted from 0 without gaps.
        frames: How many were merged (1 at level 0).
        first_step: The first optimizer step it covers, counted from 0.
        last_step: The last.
        time: When the last step ended, in unix seconds.
        level: 0 for a single step; level k covers 4^k frames.
        series: Scalars and short vectors by name.
        layers: Index of each summarized layer in the Hello's list, shape [L].
        kinds: Index in KINDS, shape [L].
        moments: Mean, standard deviation (population), minimum, maximum over finite values, shape [L, 4].
        counters: Values, zeros, saturated, non-finite among all values, shape [L, 4].
        bins: Filled bins as row·BINS + bin, increasing, shape [n].
        counts: How many sampled values fell into each, shape [n].
    """

    seq: int
    first_step: int
    last_step: int
    time: float
    level: int = 0
    frames: int = 1
    series: dict[str, Series] = field(default_factory=dict)
    layers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    kinds: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    moments: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    counters: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def histogram(self, row: int) -> NDArray[np.int64]:
        """The counts of the layer in this row of the arrays, shape [BINS]."""
        dense = np.zeros(BINS, np.int64)
        mine = slice(*np.searchsorted(self.bins, [row * BINS, (row + 1) * BINS]))
        dense[self.bins[mine] - row * BINS] = self.counts[mine]
        return dense
