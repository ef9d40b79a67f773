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
of the value unless the mass is concentrated in fewer than about three bins; `tests/normscope/test_sketch.py` holds
them to it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

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


def quantiles_of_many(counts: Ints, probabilities: ArrayLike, low: Floats, high: Floats) -> Floats:
    """Quantiles of n histograms at once, shape [n, len(probabilities)]; see `quantiles`.

    Args:
        counts: Shape [n, BINS].
        probabilities: Each in [0, 1].
        low: The smallest value of each, shape [n].
        high: The largest.
    """
    wanted = np.asarray(probabilities, dtype=np.float64)
    total = counts.sum(1, dtype=np.float64)
    rows, found = np.flatnonzero(total), np.full((len(counts), len(wanted)), np.nan)
    tally, filled = counts[rows], counts[rows] != 0
    first, last = filled.argmax(1)[:, None], BINS - 1 - filled[:, ::-1].argmax(1)[:, None]
    y = np.cumsum(tally, 1) / total[rows, None]
    at = np.array([np.count_nonzero(y < p, axis=1) for p in wanted], np.int64).reshape(len(wanted), -1).T
    near = np.clip(at, first, last)[..., None] + np.arange(-1, 3)  # where the wanted height is reached, and around it
    x = np.clip(edges()[np.clip(near, 0, BINS)], low[rows, None, None], high[rows, None, None])
    # Heights at these edges: none of the counts before the first, all of them after the last.
    place = np.arange(len(rows))[:, None, None]
    heights = np.where(near > first[..., None], y[place, np.clip(near - 1, 0, BINS - 1)], 0.0)
    found[rows] = _on_cubic(x, heights, wanted, near[..., 1] == first, near[..., 2] == last + 1)
    return found


def _on_cubic(x: Floats, y: Floats, wanted: Floats, is_first: Any, is_last: Any) -> Floats:
    """`_inverse_monotone_cubic` where the four points around each wanted height are known, shape [..., 4]."""
    with np.errstate(invalid="ignore"):  # extremes beyond float32 arrive as infinite: then there is no width
        width = np.diff(x)
    slope = np.divide(np.diff(y), width, out=np.zeros(width.shape), where=width > 0)
    left, right = _between(width[..., :2], slope[..., :2]), _between(width[..., 1:], slope[..., 1:])
    left, right = np.where(is_first, slope[..., 1], left), np.where(is_last, slope[..., 1], right)
    h = width[..., 1]
    return x[..., 1] + h * _reached(y[..., 1], y[..., 2] - y[..., 1], left * h, right * h, wanted)


def _inverse_monotone_cubic(x: Floats, y: Floats, wanted: Floats) -> Floats:
    """Where the monotone cubic through the points of a cumulative distribution reaches each wanted height."""
    right = np.clip(np.searchsorted(y, wanted, side="left"), 1, len(y) - 1)
    left = right - 1
    width = np.diff(x)
    slope = np.divide(np.diff(y), width, out=np.zeros(len(width)), where=width > 0)
    tangent = _tangents(width, slope)
    h = width[left]
    return x[left] + h * _reached(y[left], y[right] - y[left], tangent[left] * h, tangent[right] * h, wanted)


def _reached(y0: Floats, rise: Floats, d0: Floats, d1: Floats, wanted: Floats) -> Floats:
    """Where in its interval, from 0 to 1, a monotone cubic with these tangents reaches each wanted height."""
    low, high = np.zeros(rise.shape), np.ones(rise.shape)
    for _ in range(40):  # bisection: the cubic is monotone, so it cannot miss
        t = (low + high) / 2
        value = y0 + rise * t * t * (3 - 2 * t) + d0 * t * (1 - t) ** 2 - d1 * t * t * (1 - t)
        below = value < wanted
        low, high = np.where(below, t, low), np.where(below, high, t)
    return (low + high) / 2


def _tangents(width: Floats, slope: Floats) -> Floats:
    """Fritsch and Butland's weighted harmonic means: zero where the slope is zero on either side."""
    inner = _between(np.stack([width[:-1], width[1:]], -1), np.stack([slope[:-1], slope[1:]], -1))
    return np.concatenate([slope[:1], inner, slope[-1:]])


def _between(width: Floats, slope: Floats) -> Floats:
    """The tangent between two intervals, of widths and slopes of shape [..., 2]."""
    a, b = slope[..., 0], slope[..., 1]
    w1, w2 = 2 * width[..., 1] + width[..., 0], width[..., 1] + 2 * width[..., 0]
    bottom = w1 * b + w2 * a
    result: Floats = np.divide((w1 + w2) * a * b, bottom, out=np.zeros(a.shape), where=bottom > 0)
    return result


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
