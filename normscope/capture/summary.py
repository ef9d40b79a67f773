"""From activations to a few numbers and a histogram. Pure, and free of torch.

Where the compiled core is, it has summarized each tensor where it was, and its records are unpacked here. Without it,
the values of a step's small tensors, and samples of its large ones, are laid end to end and summarized together here,
in a process beside training; the exact numbers of the large ones were found where they are, by `reduction.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .. import native
from ..sketch import BINS, FIRST_CODE, PER_SIGN, SHIFT, ZERO_BIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ALL: Final = 1 << 14
"""Values up to which all of a tensor stand in its histogram; of a larger one, some do."""
SAMPLE: Final = 8192
"""How many those are, at most. Where the compiled core is, they are every so many-th, in the order of values, of up to
65,535 that it has counted, which makes percentiles nearly three times as exact; elsewhere they are a plain sample."""
NUMBERS: Final = ("count", "zeros", "saturated", "nonfinite", "mean", "std", "min", "max")
"""What is known exactly of a large tensor."""
CODES: Final = 1 << (32 - SHIFT)
"""Shifted bit patterns of a float32: sign, exponent and leading mantissa bits."""
NEVER: Final = (-np.inf, np.inf)
"""Bounds of saturation for a layer that has none."""
_SQUARED: Final = (2.0**-50, 2.0**50)
"""Deviations whose squares may be added up as float32."""
_BLOCK: Final = 4096
"""Values whose squared deviations are added up as float32: more would lose digits, and wake numpy's own threads."""
_GROUP: Final = 16
"""Tensors that are summarized together: the counts of more would not stay in the processor's cache."""
_MAGNITUDE: Final = np.append(np.arange(CODES // 2)[::-1], np.arange(CODES // 2))
_BIN_OF_PLACE: Final = ZERO_BIN + np.repeat([-1, 1], CODES // 2) * np.clip(_MAGNITUDE - FIRST_CODE + 1, 0, PER_SIGN + 1)
"""The bin of each shifted bit pattern, patterns in the order of the values they stand for."""


class Slot(NamedTuple):
    """One thing that is summarized."""

    layer: int
    """Whose it is, as a position among the layers."""
    kind: str
    """One of `normscope.wire.KINDS`."""
    low: float
    """Values below this are saturated."""
    high: float
    """Values above this are."""


@dataclass(slots=True)
class Summaries:
    """Summaries of several tensors, in the form a Frame takes.

    Attributes:
        moments: Mean, standard deviation (population), min, max over finite values, NaN if none, shape [n, 4].
        counters: Values, zeros, saturated, non-finite, shape [n, 4].
        bins: Filled bins as row·BINS + bin, increasing, shape [m].
        counts: Sampled values in each, shape [m].
        slots: Whose they are, shape [n]; empty if nobody asked.
    """

    moments: Floats
    counters: Ints
    bins: Ints
    counts: Ints
    slots: Ints = field(default_factory=lambda: np.zeros(0, np.int64))


def summarize_arrays(
    values: NDArray[np.float32], lengths: Ints, low: NDArray[np.float32], high: NDArray[np.float32]
) -> Summaries:
    """Summaries of small tensors laid end to end, all values counted into the histograms.

    What reads the values once is done for a group of tensors together, which saves calls; what makes new arrays of them
    is done a tensor at a time, which stays in the processor's cache and out of training's way.

    Args:
        values: All values, shape [sum of lengths].
        lengths: How many belong to each tensor, shape [n].
        low: Values below this are saturated, shape [n]; -inf for none.
        high: Values above this are saturated, shape [n].
    """
    if not len(lengths):
        return Summaries(np.zeros((0, 4)), np.zeros((0, 4), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
    cuts = np.append(0, np.cumsum(lengths))
    parts = []
    for first in range(0, len(lengths), _GROUP):
        mine = slice(first, first + _GROUP)
        some = values[cuts[first] : cuts[min(first + _GROUP, len(lengths))]]
        parts.append(_summarize_group(some, lengths[mine], low[mine], high[mine]))
        parts[-1].bins += first * BINS
    if len(parts) == 1:
        return parts[0]
    return Summaries(
        np.concatenate([p.moments for p in parts]),
        np.concatenate([p.counters for p in parts]),
        np.concatenate([p.bins for p in parts]),
        np.concatenate([p.counts for p in parts]),
    )


def _summarize_group(
    values: NDArray[np.float32], lengths: Ints, low: NDArray[np.float32], high: NDArray[np.float32]
) -> Summaries:
    counters = np.zeros((len(lengths), 4), np.int64)
    counters[:, 0] = lengths
    moments = _sums(values, lengths)
    if not np.isfinite(moments[lengths > 0, 0]).all():
        finite = np.isfinite(values)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        counters[:, 3] = np.bincount(owner[~finite], minlength=len(lengths))
        values, lengths = values[finite], lengths - counters[:, 3]
        moments = _sums(values, lengths)
    codes = np.zeros((len(lengths), CODES), np.int64)
    patterns = np.right_shift(values.view(np.uint32), SHIFT)
    bounded = ((low > -np.inf) | (high < np.inf)).tolist()
    ends = np.cumsum(lengths).tolist()
    for row, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        x, found, count = values[start:end], patterns[start:end], end - start
        if not count:
            continue
        moments[row, 1] = _deviation(x, *moments[row, [0, 2, 3]].tolist())
        codes[row] = np.bincount(found, minlength=CODES)
        if codes[row, 0] or codes[row, CODES // 2]:  # zeros are among the smallest patterns of either sign
            counters[row, 1] = count - np.count_nonzero(x)
        if bounded[row]:
            counters[row, 2] = np.count_nonzero(x < low[row]) + np.count_nonzero(x > high[row])
    return Summaries(moments, counters, *_filled(codes))


def _sums(values: NDArray[np.float32], lengths: Ints) -> Floats:
    """Mean, nothing yet, smallest and largest of each tensor, shape [n, 4]; NaN where there are no values."""
    moments = np.full((len(lengths), 4), np.nan)
    filled = np.flatnonzero(lengths)
    if len(filled):
        count = lengths[filled]
        starts = np.cumsum(count) - count
        with np.errstate(invalid="ignore"):  # infinities of both signs, and NaN of the signalling kind
            moments[filled, 0] = np.add.reduceat(values, starts, dtype=np.float64) / count
        moments[filled, 2] = np.minimum.reduceat(values, starts)
        moments[filled, 3] = np.maximum.reduceat(values, starts)
    return moments


def _deviation(x: NDArray[np.float32], mean: float, low: float, high: float) -> float:
    """The standard deviation (population) of finite values.

    Deviations are taken from the mean as a float32, which makes them exact where the mean is a thousand standard
    deviations; what that pivot lacks of the mean is corrected in float64. Their squares are added in blocks that are
    too short to lose digits.
    """
    reach = max(high - mean, mean - low)
    if not _SQUARED[0] < reach < _SQUARED[1]:
        return float(np.std(x, dtype=np.float64))
    pivot = np.float32(mean)
    deviation = x - pivot
    squares = sum(float(d @ d) for d in (deviation[i : i + _BLOCK] for i in range(0, len(x), _BLOCK)))
    return math.sqrt(max(squares / len(x) - (mean - float(pivot)) ** 2, 0.0))


def _filled(codes: Ints) -> tuple[Ints, Ints]:
    """Filled bins as row·BINS + bin, increasing, and their counts, from counts of bit patterns (shape [n, 4096])."""
    half = CODES // 2
    # Patterns run from zero outwards on either side; in the order of values the negative ones run the other way.
    ordered = np.concatenate([codes[:, : half - 1 : -1], codes[:, :half]], axis=1)
    place = np.flatnonzero(ordered != 0)
    bins = place // CODES * BINS + _BIN_OF_PLACE[place % CODES]
    # The outermost patterns share a bin, and so do the tiny ones: neighbours here.
    new = np.ones(len(bins), bool)
    new[1:] = bins[1:] != bins[:-1]
    first = np.flatnonzero(new)
    counts = ordered.ravel()[place]
    return bins[first], np.add.reduceat(counts, first) if len(first) else counts


@dataclass(slots=True)
class Raw:
    """One step's tensors on their way to summaries.

    Attributes:
        values: Records of the compiled core, end to end; without it, all values of small tensors and samples of large
            ones, end to end.
        records: How many records.
        slots: Whose the other tensors are; with records, those are the ones that found no room.
        lengths: How many values there are of each of them; none with records.
        known: Which of them come with their exact numbers, as positions in `slots`.
        numbers: The NUMBERS of each of those, shape [len(known), 8].
    """

    values: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    records: int = 0
    slots: Sequence[int] = ()
    lengths: Sequence[int] = ()
    known: Sequence[int] = ()
    numbers: Sequence[list[float]] = ()


def summarize(raw: Raw, bounds: NDArray[np.float32]) -> Summaries:
    """The summaries of a step's tensors, and whose they are.

    Args:
        raw: What was captured.
        bounds: Each slot's bounds of saturation, shape [2, slots].

    Raises:
        ValueError: If records are damaged.
    """
    slots = np.array(raw.slots, np.int64)
    if raw.records:
        of, moments, counters, bins, counts = native.unpack(raw.values, raw.records)
        more = np.zeros((len(slots), 4))
        found = Summaries(
            np.concatenate([moments, more]), np.concatenate([counters, more.astype(np.int64)]), bins, counts,
            np.concatenate([of, slots]),
        )  # fmt: skip
    else:
        found = summarize_arrays(raw.values, np.array(raw.lengths, np.int64), *bounds[:, slots])
        found.slots = slots
    if raw.known:
        numbers = np.array(raw.numbers, np.float64)
        rows = np.array(raw.known, np.int64) + raw.records
        found.counters[rows], found.moments[rows] = numbers[:, :4].astype(np.int64), numbers[:, 4:]
    return found


def merge_numbers(one: list[float], other: list[float]) -> list[float]:
    """The NUMBERS of two tensors as those of one (Chan, Golub and LeVeque 1979, for mean and variance)."""
    counts = [a + b for a, b in zip(one[:4], other[:4], strict=True)]
    a, b = (numbers[0] - numbers[3] for numbers in (one, other))  # finite values
    if not a or not b:
        return counts + (one if a else other)[4:]
    share = b / (a + b)
    shift = other[4] - one[4]
    variance = (1 - share) * one[5] ** 2 + share * other[5] ** 2 + share * (1 - share) * shift**2
    return [*counts, one[4] + share * shift, math.sqrt(variance), min(one[6], other[6]), max(one[7], other[7])]
