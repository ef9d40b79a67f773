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


def merge(frames: Sequence[Frame]) -> Frame:
    """Consecutive frames of one level as one frame of the next.

    Counts add, moments combine (T. F. Chan et al., 1979), extremes are kept: nothing is lost but the time within.
    """
    assert frames, "merging needs at least one frame"
    first, last = frames[0], frames[-1]
    result = Frame(
        first.seq, first.first_step, last.last_step, last.time, first.level + 1, sum(f.frames for f in frames)
    )
    for name in dict.fromkeys(name for frame in frames for name in frame.series):
        result.series[name] = _merge_series([f.series[name] for f in frames if name in f.series])
    identity = np.concatenate([f.layers * len(KINDS) + f.kinds for f in frames])
    names, row = np.unique(identity, return_inverse=True)
    result.layers, result.kinds = names // len(KINDS), names % len(KINDS)
    moments, counters = np.concatenate([f.moments for f in frames]), np.concatenate([f.counters for f in frames])
    result.counters = np.zeros((len(names), 4), np.int64)
    np.add.at(result.counters, row, counters)
    result.moments = _merge_moments(moments, counters[:, 0] - counters[:, 3], row, len(names))
    offsets = np.cumsum([0, *(len(f.layers) for f in frames)])
    keys = np.concatenate(
        [row[f.bins // BINS + o] * BINS + f.bins % BINS for f, o in zip(frames, offsets, strict=False)]
    )
    # Counts stay exact as float64 up to 2^53, and adding into all bins at once beats sorting the filled ones.
    dense = np.bincount(keys, np.concatenate([f.counts for f in frames]), len(names) * BINS)
    result.bins = np.flatnonzero(dense)
    result.counts = dense[result.bins].astype(np.int64)
    return result


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
    samples = sum(p.samples for p in parts)
    mean = np.sum([p.mean * (p.samples / samples) for p in parts], axis=0)
    low, high = np.fmin.reduce([p.low for p in parts]), np.fmax.reduce([p.high for p in parts])
    return Series(mean, low, high, samples)
