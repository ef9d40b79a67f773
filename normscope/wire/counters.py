"""Counters and histograms of many layers as one stream of LEB128 integers, written and read without a loop.

A layer's integers: count, zeros, saturated, non-finite, runs; then for each run of neighbouring filled bins the gap
since the last run and its length; then the counts of all its filled bins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import WireError
from ..sketch import BINS
from .leb128 import decode_varints, encode_varints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_FIXED: Final = 5
"""Integers of a layer before its runs."""


def pack_counters(counters: Ints, bins: Ints, counts: Ints) -> tuple[bytes, Ints]:
    """The stream of n layers, and where each layer ends in it (exclusive), shape [n].

    Args:
        counters: Values, zeros, saturated, non-finite, shape [n, 4].
        bins: Filled bins as row·BINS + bin, increasing, shape [m].
        counts: How many values fell into each, shape [m].
    """
    rows = len(counters)
    if not rows:
        return b"", np.zeros(0, np.int64)
    row = bins // BINS
    first = np.ones(len(bins), bool)
    first[1:] = (bins[1:] != bins[:-1] + 1) | (row[1:] != row[:-1])
    starts = np.flatnonzero(first)
    lengths = np.diff(starts, append=len(bins))
    run_row = row[starts]
    run_start = bins[starts] - run_row * BINS
    before = np.zeros(len(starts), np.int64)
    before[1:] = np.where(run_row[1:] == run_row[:-1], (run_start + lengths)[:-1], 0)
    runs, filled = np.bincount(run_row, minlength=rows), np.bincount(row, minlength=rows)
    sizes = _FIXED + 2 * runs + filled
    at = np.cumsum(sizes) - sizes
    stream = np.empty(int(sizes.sum()), np.int64)
    stream[at[:, None] + np.arange(4)] = counters
    stream[at + 4] = runs
    places = _run_places(at, runs)
    stream[places], stream[places + 1] = run_start - before, lengths
    stream[_count_places(at, runs, filled)] = counts
    data, ends = encode_varints(stream)
    return data, ends[at + sizes - 1]


def unpack_counters(data: bytes, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """Counters, bins and counts, as `pack_counters` takes them, of the n layers that end in `data` at `ends`.

    Raises:
        WireError: If the bytes are no such stream.
    """
    rows = len(ends)
    if not rows and not data:
        return np.zeros((0, 4), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    try:
        integers, integer_ends = decode_varints(data)
    except ValueError as error:
        raise WireError(f"malformed frame: {error}") from error
    last = np.searchsorted(integer_ends, ends)
    if not rows or last[-1] >= len(integer_ends) or not np.array_equal(integer_ends[last], ends):
        raise WireError("malformed frame: a layer's counters do not end where its table says")
    at = np.concatenate([[0], last[:-1] + 1])
    sizes = last + 1 - at
    if (sizes < _FIXED).any():
        raise WireError("malformed frame: a layer without its counters")
    runs = integers[at + 4]
    filled = sizes - _FIXED - 2 * runs
    if (runs > sizes).any() or (filled < 0).any():
        raise WireError("malformed frame: a layer has fewer runs than it announces")
    places = _run_places(at, runs)
    gaps, lengths = integers[places], integers[places + 1]
    run_row = np.repeat(np.arange(rows), runs)
    if len(places) and (int(gaps.max()) > BINS or int(lengths.max()) > BINS or int(lengths.min()) < 1):
        raise WireError(f"malformed frame: a run that does not fit into {BINS} bins")
    if not np.array_equal(np.bincount(run_row, lengths, rows).astype(np.int64), filled):
        raise WireError("malformed frame: a layer has other counts than its runs announce")
    reached = np.cumsum(gaps + lengths)
    behind = np.concatenate([[0], reached])[np.cumsum(runs) - runs]
    stop = reached - behind[run_row]
    if len(places) and int(stop.max()) > BINS:
        raise WireError(f"malformed frame: a run that ends at bin {int(stop.max())} of {BINS}")
    start = run_row * BINS + stop - lengths
    bins = np.repeat(start - (np.cumsum(lengths) - lengths), lengths) + np.arange(int(filled.sum()))
    return integers[at[:, None] + np.arange(4)], bins, integers[_count_places(at, runs, filled)]


def _run_places(at: Ints, runs: Ints) -> Ints:
    """Where each run's gap stands in a stream whose layers begin at `at`."""
    before = np.cumsum(runs) - runs
    return np.repeat(at + _FIXED - 2 * before, runs) + 2 * np.arange(int(runs.sum()))


def _count_places(at: Ints, runs: Ints, filled: Ints) -> Ints:
    """Where each count stands in a stream whose layers begin at `at`."""
    before = np.cumsum(filled) - filled
    return np.repeat(at + _FIXED + 2 * runs - before, filled) + np.arange(int(filled.sum()))
