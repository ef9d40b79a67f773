"""Frames merge: four of one level are one of the next, and histograms just add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..sketch import BINS
from .frame import KINDS, Frame, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MERGE: Final = 4
"""How many frames of one level make one frame of the next."""
_IDENTITIES: Final = len(KINDS) << 16
"""Layers times kinds that a frame may name."""


def merge(frames: Sequence[Frame]) -> Frame:
    """Consecutive frames of one level as one frame of the next.

    Counts add, moments combine (T. F. Chan et al., 1979), extremes are kept: nothing is lost but the time within.
    """
    return merge_groups([frames])[0]


def merge_groups(groups: Sequence[Sequence[Frame]]) -> list[Frame]:
    """One frame for each group of consecutive frames, as `merge` makes it; all groups are added up at once."""
    assert all(groups), "merging needs at least one frame"
    results = [_merged_head(group) for group in groups]
    frames = [frame for group in groups for frame in group]
    if not frames:
        return []
    identity = np.concatenate(
        [g * _IDENTITIES + f.layers * len(KINDS) + f.kinds for g, group in enumerate(groups) for f in group]
    )
    names, row = np.unique(identity, return_inverse=True)
    counters = np.concatenate([f.counters for f in frames])
    moments = _merge_moments(
        np.concatenate([f.moments for f in frames]), counters[:, 0] - counters[:, 3], row, len(names)
    )
    totals = np.zeros((len(names), 4), np.int64)
    np.add.at(totals, row, counters)
    cuts = np.searchsorted(names, _IDENTITIES * np.arange(len(groups) + 1)).tolist()
    offset = row_offset = 0
    for group, result, a, b in zip(groups, results, cuts, cuts[1:], strict=False):
        result.layers, result.kinds = names[a:b] % _IDENTITIES // len(KINDS), names[a:b] % len(KINDS)
        result.moments, result.counters = moments[a:b], totals[a:b]
        count = sum(len(f.layers) for f in group)
        result.bins, result.counts = _merge_histograms(group, row[offset : offset + count] - row_offset, b - a)
        offset, row_offset = offset + count, b
    return results


def _merged_head(frames: Sequence[Frame]) -> Frame:
    first, last = frames[0], frames[-1]
    result = Frame(
        first.seq, first.first_step, last.last_step, last.time, first.level + 1, sum(f.frames for f in frames)
    )
    for name in dict.fromkeys(name for frame in frames for name in frame.series):
        result.series[name] = _merge_series([f.series[name] for f in frames if name in f.series])
    return result


def _merge_histograms(
    frames: Sequence[Frame], row: NDArray[np.int64], rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bins and counts of `rows` layers, from frames whose layers go to these rows."""
    cuts = np.cumsum([0, *(len(f.layers) for f in frames)]).tolist()
    shifts = (row - np.arange(len(row))) * BINS
    parts = []
    for frame, cut in zip(frames, cuts, strict=False):
        bins = frame.bins + cut * BINS
        parts.append(bins + shifts[bins // BINS])
    # Counts stay exact as float64 up to 2^53, and adding into all bins at once beats sorting the filled ones.
    dense = np.bincount(np.concatenate(parts), np.concatenate([f.counts for f in frames]), rows * BINS)
    bins = np.flatnonzero(dense != 0)  # a comparison first: looking for nonzero booleans is several times as fast
    return bins, dense[bins].astype(np.int64)


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
    return Series(weights @ mean, np.fmin.reduce(low), np.fmax.reduce(high), sum(samples))
