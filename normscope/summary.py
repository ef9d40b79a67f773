"""From activations to a few numbers and a histogram. Pure, and free of torch.

Two roads, one result. Small tensors of a step are laid end to end and summarized together here, in a process beside
training. A large one, or one on another device, is reduced where it is by `reduction.py` and only unpacked here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from .sketch import BINS, FIRST_CODE, PER_SIGN, SHIFT, ZERO_BIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SAMPLE: Final = 8192
"""Values that a tensor reduced on its device counts into its histogram; one summarized here counts all of them."""
CODES: Final = 1 << (32 - SHIFT)
"""Shifted bit patterns of a float32: sign, exponent and leading mantissa bits."""
NEVER: Final = (-np.inf, np.inf)
"""Bounds of saturation for a layer that has none."""


@dataclass(slots=True)
class Summaries:
    """Summaries of several tensors, in the form a Frame takes.

    Attributes:
        moments: Mean, standard deviation (population), min, max over finite values, NaN if none, shape [n, 4].
        counters: Values, zeros, saturated, non-finite, shape [n, 4].
        bins: Filled bins as row·BINS + bin, increasing, shape [m].
        counts: Sampled values in each, shape [m].
    """

    moments: Floats
    counters: Ints
    bins: Ints
    counts: Ints


def summarize_arrays(
    values: NDArray[np.float32], lengths: Ints, low: NDArray[np.float32], high: NDArray[np.float32]
) -> Summaries:
    """Summaries of small tensors laid end to end, all values counted into the histograms.

    Args:
        values: All values, shape [sum of lengths].
        lengths: How many belong to each tensor, shape [n].
        low: Values below this are saturated, shape [n]; -inf for none.
        high: Values above this are saturated, shape [n].
    """
    rows = len(lengths)
    counters = np.zeros((rows, 4), np.int64)
    counters[:, 0] = lengths
    moments = np.full((rows, 4), np.nan)
    codes = np.zeros((rows, CODES), np.int64)
    ends = np.cumsum(lengths).tolist()
    # One row at a time stays in the processor's cache, which beats one pass over all for each number.
    for row, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        x = values[start:end]
        with np.errstate(invalid="ignore"):  # infinities of both signs, and NaN of the signalling kind
            wide = x.astype(np.float64)
            total = float(wide.sum())
        if not math.isfinite(total):
            x = x[np.isfinite(x)]
            wide = x.astype(np.float64)
            total = float(wide.sum())
            counters[row, 3] = end - start - len(x)
        if not len(x):
            continue
        moments[row] = _moments(wide, total)
        found = np.bincount((x.view(np.uint32) >> SHIFT).view(np.int32), minlength=CODES)
        codes[row] = found
        if found[0] or found[CODES // 2]:  # zeros are among the smallest patterns of either sign
            counters[row, 1] = len(x) - np.count_nonzero(x)
        if low[row] > -np.inf or high[row] < np.inf:
            counters[row, 2] = np.count_nonzero((x < low[row]) | (x > high[row]))
    dense = _to_bins(codes).ravel()
    bins = np.flatnonzero(dense)
    return Summaries(moments, counters, bins, dense[bins])


def _moments(wide: Floats, total: float) -> tuple[float, float, float, float]:
    """About the mean: exact even where the mean is a thousand standard deviations. Overwrites the values."""
    mean, low, high = total / len(wide), float(wide.min()), float(wide.max())
    wide -= mean
    return mean, math.sqrt(float(wide @ wide) / len(wide)), low, high


def _to_bins(codes: Ints) -> Ints:
    """Counts of shifted bit patterns (shape [..., 4096]) as counts of bins (shape [..., BINS]).

    Patterns run from zero outwards on either side; those beyond the outermost edges, and the tiny ones, share a bin.
    """
    bins = np.zeros((*codes.shape[:-1], BINS), np.int64)
    half, last = CODES // 2, FIRST_CODE + PER_SIGN
    positive, negative = codes[..., :half], codes[..., half:]
    bins[..., ZERO_BIN + 1 : -1] = positive[..., FIRST_CODE:last]
    bins[..., 1:ZERO_BIN] = negative[..., FIRST_CODE:last][..., ::-1]
    bins[..., ZERO_BIN] = positive[..., :FIRST_CODE].sum(-1) + negative[..., :FIRST_CODE].sum(-1)
    bins[..., -1], bins[..., 0] = positive[..., last:].sum(-1), negative[..., last:].sum(-1)
    return bins


def unpack(vectors: Floats) -> Summaries:
    """Summaries from what `reduce_tensor` gave for n tensors, stacked to shape [n, 8 + 4096]."""
    dense = _to_bins(vectors[:, 8:].astype(np.int64)).ravel()
    bins = np.flatnonzero(dense)
    return Summaries(vectors[:, 4:8].copy(), vectors[:, :4].astype(np.int64), bins, dense[bins])


def join(parts: list[Summaries]) -> Summaries:
    """Several summaries as one, rows behind one another."""
    offsets = np.cumsum([0, *(len(p.moments) for p in parts)])
    return Summaries(
        np.concatenate([p.moments for p in parts]),
        np.concatenate([p.counters for p in parts]),
        np.concatenate([p.bins + o * BINS for p, o in zip(parts, offsets, strict=False)]),
        np.concatenate([p.counts for p in parts]),
    )


@dataclass(slots=True)
class Raw:
    """One step's activations on their way to summaries.

    Attributes:
        rows: The layer of each small tensor.
        lengths: How many values each has.
        values: Those values end to end.
        reduced_rows: The layer of each reduced tensor.
        reduced: Their summaries.
    """

    rows: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    values: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    reduced_rows: list[int] = field(default_factory=list)
    reduced: Summaries | None = None


def summarize(raw: Raw, bounds: NDArray[np.float32]) -> tuple[Ints, Summaries]:
    """The layer of each summary, shape [n], and the summaries.

    Args:
        raw: What was captured.
        bounds: Each layer's bounds of saturation, shape [2, layers].
    """
    found = summarize_step(raw.values, raw.lengths, raw.rows, bounds)
    layers = np.array([*raw.rows, *raw.reduced_rows], np.int64)
    return layers, found if raw.reduced is None else join([found, raw.reduced])


def summarize_step(
    values: NDArray[np.float32], lengths: list[int], rows: list[int], bounds: NDArray[np.float32]
) -> Summaries:
    """Summaries of a step's small tensors laid end to end, of the layers `rows`."""
    low, high = bounds[:, rows]
    return summarize_arrays(values, np.array(lengths, np.int64), low, high)
