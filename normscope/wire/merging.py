"""Frames merge: four of one level are one of the next, and histograms add.

Of a large tensor only some values stand in its histogram. Where the shares differ, as with the last and shorter
mini-batch of an epoch, counts are weighed first, so that each value of either tensor has the same say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .. import native
from ..sketch import BINS
from .codec import as_step, decode, encode
from .frame import KINDS, Frame, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_DENSE: Final = 16 << 20
"""Bins of all layers up to which they are all made, to add into: 128 MB."""
_EXACT: Final = 2.0**53
"""Counts up to which a sum of them is exact as float64; only damaged frames have more."""
MERGE: Final = 4
"""How many frames of one level make one frame of the next."""


def merge(frames: Sequence[Frame]) -> Frame:
    """Consecutive frames of one level as one frame of the next.

    Counts add, moments combine (T. F. Chan et al., 1979), extremes are kept: nothing is lost but the time within. Where
    histograms hold unlike shares of their tensors' values, they are weighed by what they stand for; their counts then
    add up to as many as before.
    """
    assert frames, "merging needs at least one frame"
    result = _merged_head(frames)
    names, row = np.unique(np.concatenate([f.layers * len(KINDS) + f.kinds for f in frames]), return_inverse=True)
    counters = np.concatenate([f.counters for f in frames])
    moments = np.concatenate([f.moments for f in frames])
    result.layers, result.kinds = np.divmod(names, len(KINDS))
    result.moments = _merge_moments(moments, counters[:, 0] - counters[:, 3], row, len(names))
    result.counters = np.zeros((len(names), 4), np.int64)
    np.add.at(result.counters, row, counters)
    result.bins, result.counts = _merge_histograms(frames, counters[:, 0] - counters[:, 3], row, len(names))
    return result


def merge_encoded(frames: Sequence[bytes]) -> bytes:
    """`merge` of encoded frames, encoded.

    Raises:
        WireError: If one is malformed.
    """
    return native.merge(frames, len(KINDS)) or encode(merge([decode(frame) for frame in frames]))


def merge_ranks(parts: Sequence[bytes], seq: int) -> bytes:
    """What several ranks saw of one step as its frame, all of it encoded; the series `ranks` says how many.

    Values, counts and extremes are those of all their mini-batches together, the moments pooled; a series is the mean
    over the ranks that have it.

    Raises:
        WireError: If one is malformed.
    """
    return as_step(merge_encoded(parts), seq, {"ranks": float(len(parts))})


def _merged_head(frames: Sequence[Frame]) -> Frame:
    first, last = frames[0], frames[-1]
    result = Frame(
        first.seq, first.first_step, last.last_step, last.time, first.level + 1, sum(f.frames for f in frames)
    )
    for name in dict.fromkeys(name for frame in frames for name in frame.series):
        result.series[name] = _merge_series([f.series[name] for f in frames if name in f.series])
    return result


def _merge_histograms(
    frames: Sequence[Frame], finite: NDArray[np.int64], row: NDArray[np.int64], rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bins and counts of `rows` layers, from frames whose layers have so many values and go to these rows."""
    cuts = np.cumsum([0, *(len(f.layers) for f in frames)]).tolist()
    bins = np.concatenate([frame.bins + cut * BINS for frame, cut in zip(frames, cuts, strict=False)])
    counts = np.concatenate([f.counts for f in frames])
    part = bins // BINS
    scales = _scales(finite.astype(np.float64), np.bincount(part, counts, len(row)).astype(np.float64), row, rows)
    if (scales != 1).any():
        counts = _scaled(counts, part, scales)
    places = bins + ((row - np.arange(len(row))) * BINS)[part]
    if rows * BINS > _DENSE:  # a small frame may announce very many layers
        bins, place = np.unique(places, return_inverse=True)
        counts = np.bincount(place, counts, len(bins)).astype(np.int64)
        return bins[counts > 0], counts[counts > 0]
    # Counts stay exact as float64 up to 2^53, and adding into all bins at once beats sorting the filled ones.
    dense = np.bincount(places, counts, rows * BINS)
    bins = np.flatnonzero(dense != 0)  # a comparison first: looking for nonzero booleans is several times as fast
    return bins, dense[bins].astype(np.int64)


def _scales(
    finite: NDArray[np.float64], counted: NDArray[np.float64], row: NDArray[np.int64], rows: int
) -> NDArray[np.float64]:
    """What to multiply each part's counts by, shape [parts]: 1 where all parts of a row hold the same share.

    Args:
        finite: Finite values of each part.
        counted: How many of them its histogram holds.
        row: Where each part goes.
        rows: How many places there are.
    """
    some = counted > 0  # the others have nothing to weigh
    sound = np.bincount(row, some & ~(finite > 0), rows) == 0  # a damaged frame may have counted more than there is
    all_finite, all_counted = np.bincount(row, finite * some, rows), np.bincount(row, counted, rows)
    unlike = some & (finite * all_counted[row] != all_finite[row] * counted)
    weighed = (np.bincount(row, unlike, rows) > 0) & sound & (all_counted <= _EXACT)
    scales = np.ones(len(row))
    at = np.flatnonzero(weighed[row] & some)
    scales[at] = finite[at] / counted[at] * (all_counted / np.maximum(all_finite, 1))[row[at]]
    return scales


def _scaled(counts: NDArray[np.int64], part: NDArray[np.int64], scales: NDArray[np.float64]) -> NDArray[np.int64]:
    """Counts times their part's scale, as whole numbers: of what is summed up over bins, the nearest ones.

    So a rare value is neither always dropped nor always rounded up.
    """
    summed = np.cumsum(counts).astype(np.float64)
    first = np.flatnonzero(np.diff(part, prepend=-1))
    before = np.append(0.0, summed[first[1:] - 1]) if len(first) else summed
    lengths = np.diff(np.append(first, len(part)))
    upto = np.floor((summed - np.repeat(before, lengths)) * scales[part] + 0.5)
    result = np.diff(upto, prepend=0.0)
    result[first] = upto[first]
    whole: NDArray[np.int64] = result.astype(np.int64)
    return whole


def _merge_moments(
    moments: NDArray[np.float64], finite: NDArray[np.int64], row: NDArray[np.int64], rows: int
) -> NDArray[np.float64]:
    total = np.bincount(row, finite, rows)
    divisor = np.maximum(total, 1)
    # A layer that had no finite value has NaN moments, which must not poison its neighbours in time.
    known = np.where((finite > 0)[:, None], moments, 0.0)
    mean = np.bincount(row, finite * known[:, 0], rows) / divisor
    spread = np.bincount(row, finite * (known[:, 1] ** 2 + (known[:, 0] - mean[row]) ** 2), rows) / divisor
    low, high = np.full(rows, np.inf), np.full(rows, -np.inf)
    np.minimum.at(low, row[finite > 0], moments[finite > 0, 2])
    np.maximum.at(high, row[finite > 0], moments[finite > 0, 3])
    merged = np.column_stack([mean, np.sqrt(spread), low, high])
    merged[total == 0] = np.nan
    return merged


def _merge_series(parts: list[Series]) -> Series:
    size = max(len(p.mean) for p in parts)
    parts = [p for p in parts if len(p.mean) == size]  # a vector that changed its length keeps the longest
    samples = [p.samples for p in parts]
    mean, low, high = (np.array([getattr(p, name) for p in parts]) for name in ("mean", "low", "high"))
    weights = np.array(samples) / sum(samples)
    # More samples than there is room for come of damaged frames only.
    return Series(weights @ mean, np.fmin.reduce(low), np.fmax.reduce(high), min(sum(samples), 2**32 - 1))
