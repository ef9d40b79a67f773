"""The fixed bins: one partition of the real line for every layer, run and moment.

Because the bins never change, histograms add: over steps, micro-batches, devices and ranks the sum of
the parts is the histogram of the whole, exactly.

Each octave [2^e, 2^(e+1)) for e in [-64, 32) is cut into 8 equal parts, mirrored for negative values.
An edge is therefore a float32 whose mantissa has at most three leading bits set, and finding a value's
bin is a shift of its bit pattern: no logarithm, no rounding, the same answer on every device. This is the
log-linear layout of HdrHistogram (G. Tene, 2012) with 3 bits of precision.

Error: a value is known up to its bin, at most 1/8 of its magnitude wide (1/15 at an octave's end).
Quantiles interpolate the cumulative distribution between edges with a monotone cubic (F. N. Fritsch and
R. E. Carlson, 1980, doi:10.1137/0717021), which brings them within 1 % of the interquartile range or 2 %
of the value unless the mass is concentrated in fewer than about three bins; `tests/test_sketch.py` holds
them to it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LOWEST_OCTAVE: Final = -64
HIGHEST_OCTAVE: Final = 32
MANTISSA_BITS: Final = 3
PER_SIGN: Final = (HIGHEST_OCTAVE - LOWEST_OCTAVE) << MANTISSA_BITS  # 768
ZERO_BIN: Final = PER_SIGN + 1
BINS: Final = 2 * PER_SIGN + 3
"""Number of bins: overflow, 768 negative, one around zero, 768 positive, overflow."""

SHIFT: Final = 23 - MANTISSA_BITS
"""How far a float32's bit pattern is shifted right to leave its exponent and leading mantissa bits."""
FIRST_CODE: Final = (127 + LOWEST_OCTAVE) << MANTISSA_BITS
"""The shifted bit pattern of the smallest magnitude outside the zero bin."""


@cache
def edges() -> Floats:
    """Bin edges, increasing, of shape [BINS + 1]; bin i is [edges[i], edges[i+1]) for positive values.

    Negative bins are the mirror image, (edges[i], edges[i+1]]. The outermost two are infinite.
    """
    octaves = np.exp2(np.arange(LOWEST_OCTAVE, HIGHEST_OCTAVE, dtype=np.float64))
    parts = 1 + np.arange(1 << MANTISSA_BITS) / (1 << MANTISSA_BITS)
    positive = np.append((octaves[:, None] * parts).ravel(), [2.0**HIGHEST_OCTAVE, np.inf])
    result = np.concatenate([-positive[::-1], positive])
    result.flags.writeable = False
    return result


def bin_index(values: ArrayLike) -> Ints:
    """The bin of each finite value (any shape), by the rule that every device follows.

    Values are rounded to float32 first, as activations are; non-finite values are the caller's to remove.
    """
    bits = np.asarray(values, dtype=np.float32).view(np.int32)
    code = np.clip(((bits & 0x7FFFFFFF) >> SHIFT) - FIRST_CODE + 1, 0, PER_SIGN + 1).astype(np.int64)
    result: Ints = np.where(bits < 0, ZERO_BIN - code, ZERO_BIN + code)
    return result


def histogram(values: ArrayLike) -> Ints:
    """Counts of shape [BINS] of the finite values among `values` (any shape)."""
    flat = np.asarray(values, dtype=np.float32).ravel()
    return np.bincount(bin_index(flat[np.isfinite(flat)]), minlength=BINS).astype(np.int64)


def quantiles(counts: ArrayLike, probabilities: ArrayLike, low: float, high: float) -> Floats:
    """Quantiles of a histogram, shape [len(probabilities)]; NaN if the histogram is empty.

    Args:
        counts: Shape [BINS].
        probabilities: Each in [0, 1].
        low: The smallest value that was counted, which bounds the first bin from inside.
        high: The largest.
    """
    wanted = np.asarray(probabilities, dtype=np.float64)
    tally = np.asarray(counts, dtype=np.float64)
    filled = np.flatnonzero(tally)
    if not len(filled):
        return np.full(len(wanted), np.nan)
    first, last = int(filled[0]), int(filled[-1])
    x = np.clip(edges()[first : last + 2], low, high)
    y = np.concatenate([[0.0], np.cumsum(tally[first : last + 1])])
    return _inverse_monotone_cubic(x, y / y[-1], wanted)


def _inverse_monotone_cubic(x: Floats, y: Floats, wanted: Floats) -> Floats:
    """Where the monotone cubic through the points of a cumulative distribution reaches each wanted height."""
    right = np.clip(np.searchsorted(y, wanted, side="left"), 1, len(y) - 1)
    left = right - 1
    width = np.diff(x)
    slope = np.divide(np.diff(y), width, out=np.zeros(len(width)), where=width > 0)
    tangent = _tangents(width, slope)
    h, x0, y0, rise = width[left], x[left], y[left], y[right] - y[left]
    d0, d1 = tangent[left] * h, tangent[right] * h
    low, high = np.zeros(len(wanted)), np.ones(len(wanted))
    for _ in range(40):  # bisection: the cubic is monotone, so it cannot miss
        t = (low + high) / 2
        value = y0 + rise * t * t * (3 - 2 * t) + d0 * t * (1 - t) ** 2 - d1 * t * t * (1 - t)
        below = value < wanted
        low, high = np.where(below, t, low), np.where(below, high, t)
    return x0 + h * (low + high) / 2


def _tangents(width: Floats, slope: Floats) -> Floats:
    """Fritsch and Butland's weighted harmonic means: zero where the slope is zero on either side."""
    a, b = slope[:-1], slope[1:]
    w1, w2 = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    bottom = w1 * b + w2 * a
    inner = np.divide((w1 + w2) * a * b, bottom, out=np.zeros(len(a)), where=bottom > 0)
    return np.concatenate([slope[:1], inner, slope[-1:]])


def wasserstein(p: ArrayLike, q: ArrayLike) -> float:
    """Wasserstein-1 distance between two histograms (shape [BINS]), in the units of the values.

    ∫ |F_p − F_q| dx, with each bin's mass spread evenly over it and infinite bins cut at their finite edge;
    NaN if either is empty. Divide by a standard deviation to compare layers.
    """
    step = _cumulative(p) - _cumulative(q)
    width = np.diff(edges()[1:-1])
    a, b = step[:-2], step[1:-1]  # the difference at each finite edge, linear in between
    crossing = np.sign(a) * np.sign(b) < 0
    straight = (np.abs(a) + np.abs(b)) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        crossed = (a * a + b * b) / (2 * (np.abs(a) + np.abs(b)))
    return float(np.sum(width * np.where(crossing, crossed, straight)))


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> float:
    """Jensen–Shannon divergence of two histograms (shape [BINS]) in bits, in [0, 1]; NaN if either is empty.

    J. Lin, 1991, doi:10.1109/18.61115. scipy's `jensenshannon` is the square root of this.
    """
    a, b = _normalized(p), _normalized(q)
    middle = (a + b) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(a > 0, a * np.log2(a / middle), 0) + np.where(b > 0, b * np.log2(b / middle), 0)
    return float("nan") if np.isnan(middle).any() else float(max(terms.sum() / 2, 0.0))


def kolmogorov_smirnov(p: ArrayLike, q: ArrayLike) -> float:
    """The largest difference between two cumulative distributions, seen at bin edges; NaN if either is empty."""
    return float(np.max(np.abs(_cumulative(p) - _cumulative(q))))


def _normalized(counts: ArrayLike) -> Floats:
    tally = np.asarray(counts, dtype=np.float64)
    total = tally.sum()
    return tally / total if total > 0 else np.full(len(tally), np.nan)


def _cumulative(counts: ArrayLike) -> Floats:
    tally = np.asarray(counts, dtype=np.float64)
    total = tally.sum()
    # Divided last: whole numbers add without a residue, which bins as wide as 2^29 would blow up.
    return np.cumsum(tally) / total if total > 0 else np.full(len(tally), np.nan)
