"""TensorBoard's histograms in the fixed bins.

TensorBoard chooses buckets by the values: in a file there are their edges and counts. A bucket's count is spread evenly
over it, and each fixed bin gets its share; shares are rounded to whole numbers so that the sum stays what it was.

Error: a value is known up to its bucket, and then to its bin. At each edge of a fixed bin the cumulative count is off
by no more than what the bucket holds in which that edge lies, and half a value for rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .. import sketch
from .values import buckets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MOST: Final = 2.0**48
"""Values that a histogram may count; the wire has room for no more."""


class Spread(NamedTuple):
    """A histogram as a frame has it: four moments, how many values, filled bins, their counts."""

    moments: tuple[float, float, float, float]
    values: int
    bins: NDArray[np.int64]
    counts: NDArray[np.int64]


@np.errstate(over="ignore", invalid="ignore")
def spread(value: Any) -> Spread:
    """A value that is a histogram, in the fixed bins.

    What a float has no room for is infinite or NaN there, as in any other frame.

    Raises:
        ValueError: If its buckets make no sense.
    """
    if value.WhichOneof("value") == "histo":
        left, right, mass, moments, number = _proto(value.histo)
    else:
        left, right, mass = buckets(value).T
        left, right, mass = left[mass != 0], right[mass != 0], mass[mass != 0]
        moments, number = _estimated(left, right, mass), float(mass.sum())
    if not (np.all(mass > 0) and number < _MOST and mass.sum() < _MOST and _ordered(left, right)):
        raise ValueError("a histogram whose buckets are not in order or hold less than nothing")
    counts = in_bins(left, right, mass)
    bins = np.flatnonzero(counts)
    return Spread(moments, round(number), bins, counts[bins])


def in_bins(left: Floats, right: Floats, mass: Floats) -> NDArray[np.int64]:
    """Whole counts in the fixed bins, shape [BINS], of buckets in order; their sum is that of `mass`, rounded.

    Args:
        left: Where each bucket begins, shape [n].
        right: Where it ends; where that is no further, all of it lies at this one value.
        mass: How much it holds.
    """
    tally = np.zeros(sketch.BINS)
    wide = right > left
    if not wide.all():
        at = sketch.bin_index(left[~wide])
        tally += np.bincount(at, mass[~wide], sketch.BINS)
    if wide.any():
        knots = np.column_stack([left[wide], right[wide]]).ravel()
        total = np.cumsum(mass[wide])
        heights = np.column_stack([np.append(0.0, total[:-1]), total]).ravel()
        tally += np.diff(np.interp(sketch.edges(), knots, heights))
    return np.diff(np.rint(np.cumsum(tally)), prepend=0.0).astype(np.int64)


def _ordered(left: Floats, right: Floats) -> bool:
    finite = np.isfinite(left).all() and np.isfinite(right).all()
    return bool(finite and np.all(left <= right) and np.all(left[1:] >= right[:-1]))


def _proto(histo: Any) -> tuple[Floats, Floats, Floats, tuple[float, float, float, float], float]:
    """Edges and counts of the buckets of a HistogramProto that hold something, its moments, and how many values.

    A bucket begins where the one before it ends, and none reaches beyond the smallest and the largest value.
    """
    mass, limits = np.array(histo.bucket, np.float64), np.array(histo.bucket_limit, np.float64)
    if len(mass) != len(limits):
        raise ValueError("a histogram with other buckets than limits")
    filled = np.flatnonzero(mass)
    low, high, number = histo.min, histo.max, histo.num or float(mass.sum())
    left = np.where(filled > 0, limits[filled - 1], low) if len(filled) else np.zeros(0)
    left, right = np.clip(left, low, high), np.clip(limits[filled], low, high)
    if not number > 0:
        return left, right, mass[filled], (np.nan,) * 4, 0.0
    mean = histo.sum / number
    deviation = max(histo.sum_squares / number - mean * mean, 0.0) ** 0.5
    return left, right, mass[filled], (mean, deviation, low, high), number


def _estimated(left: Floats, right: Floats, mass: Floats) -> tuple[float, float, float, float]:
    """Moments of buckets, each of which is filled evenly."""
    total = mass.sum()
    if not total > 0:
        return (np.nan,) * 4
    middle = (left + right) / 2
    mean = mass @ middle / total
    variance = mass @ ((middle - mean) ** 2 + (right - left) ** 2 / 12) / total
    return float(mean), float(variance**0.5), float(left[0]), float(right[-1])
