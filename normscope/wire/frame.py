"""A frame, and a frame as bytes.

Little-endian:

    header   version u8, level u8, layers u16, seq u32, frames u32, first step u32, last step u32,
             time f64 (unix seconds), series u16
    series   name length u8, name utf-8, size u16, samples u32, then size f64 for a frame's own values
             (level 0) or 3·size f64 for a merged frame's means, minima and maxima
    table    per layer: index u16, kind u8, zero u8, bytes of counters u32
    moments  per layer: mean, standard deviation, minimum, maximum as f32
    counters per layer, LEB128 integers: count, zeros, saturated, non-finite, runs,
             then per run of filled bins: gap since the last run, length, the counts

The standard deviation travels instead of the variance, which would leave the range of f32 for values
beyond 1e19 or below 1e-19.
`static/wire.js` is the other reader; `tests/golden/` keeps the two alike.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from ..errors import WireError
from ..sketch import BINS
from .leb128 import decode_varints, encode_varints

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

VERSION: Final = 1
"""Of everything that crosses the sockets."""
KINDS: Final = ("output", "input")
"""What of a layer is summarized; a summary carries the index."""

_HEADER: Final = struct.Struct("<BBHIIIIdH")
_SERIES: Final = struct.Struct("<HI")
_TABLE: Final = np.dtype([("index", "<u2"), ("kind", "u1"), ("zero", "u1"), ("size", "<u4")])


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


def encode(frame: Frame) -> bytes:
    """A frame as bytes; see the module for the layout."""
    rows = len(frame.layers)
    head = _HEADER.pack(
        VERSION, frame.level, rows, frame.seq, frame.frames, frame.first_step, frame.last_step, frame.time,
        len(frame.series),
    )  # fmt: skip
    parts = [head]
    for name, series in frame.series.items():
        label = name.encode()
        parts.append(bytes([len(label)]) + label + _SERIES.pack(len(series.mean), series.samples))
        values = [series.mean] if frame.level == 0 else [series.mean, series.low, series.high]
        parts.extend(v.astype("<f8").tobytes() for v in values)
    integers, sizes = _counters(frame)
    table = np.zeros(rows, _TABLE)
    table["index"], table["kind"], table["size"] = frame.layers, frame.kinds, sizes
    with np.errstate(over="ignore"):  # a float64 net's values beyond 3e38 arrive as infinite
        moments = frame.moments.astype("<f4")
    parts += [table.tobytes(), moments.tobytes(), integers]
    return b"".join(parts)


def _counters(frame: Frame) -> tuple[bytes, NDArray[np.int64]]:
    """The LEB128 stream of all layers, and how many bytes of it belong to each."""
    rows = len(frame.layers)
    row = frame.bins // BINS
    starts = np.flatnonzero(np.diff(frame.bins, prepend=-2) > 1)
    starts = np.union1d(starts, np.flatnonzero(np.diff(row, prepend=-1)))
    lengths = np.diff(starts, append=len(frame.bins))
    ends = frame.bins[starts] % BINS + lengths if len(starts) else starts
    run_row = row[starts]
    same = np.concatenate([[False], run_row[1:] == run_row[:-1]])[: len(starts)]
    gaps = frame.bins[starts] % BINS - np.where(same, np.concatenate([[0], ends[:-1]])[: len(starts)], 0)
    runs = np.bincount(run_row, minlength=rows).astype(np.int64)
    # Order keys put every integer where the layout wants it: row, then run, then place within the run.
    fixed = np.column_stack([frame.counters, runs]).astype(np.int64)
    first_run = np.concatenate([[0], np.cumsum(runs)])[:-1]
    first_count = np.searchsorted(row, np.arange(rows))
    base = np.arange(rows) * 5 + 2 * first_run + first_count
    stream = np.empty(fixed.size + 2 * len(starts) + len(frame.counts), np.int64)
    owner = np.empty(len(stream), np.int64)
    place = base[:, None] + np.arange(5)
    stream[place], owner[place] = fixed, np.arange(rows)[:, None]
    run_place = (run_row + 1) * 5 + 2 * np.arange(len(starts)) + starts
    stream[run_place], stream[run_place + 1] = gaps, lengths
    owner[run_place], owner[run_place + 1] = run_row, run_row
    run_of = np.repeat(np.arange(len(starts)), lengths)
    count_place = (row + 1) * 5 + 2 * (run_of + 1) + np.arange(len(row))
    stream[count_place], owner[count_place] = frame.counts, row
    data, widths = encode_varints(stream)
    return data, np.bincount(owner, weights=widths, minlength=rows).astype(np.int64)


def decode(data: bytes) -> Frame:
    """The frame in `data`.

    Raises:
        WireError: If the bytes are not exactly one well-formed frame.
    """
    try:
        frame = _decode(data)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise WireError(f"malformed frame: {error}") from error
    if not (frame.first_step <= frame.last_step and np.isfinite(frame.time)):
        raise WireError("malformed frame: its steps or its time make no sense")
    return frame


def _decode(data: bytes) -> Frame:
    version, level, rows, seq, frames, first, last, time, n_series = _HEADER.unpack_from(data)
    if version != VERSION:
        raise WireError(f"frame of version {version}; this side speaks version {VERSION}")
    frame = Frame(seq, first, last, time, level, frames)
    at = _HEADER.size
    for _ in range(n_series):
        name = data[at + 1 : at + 1 + data[at]].decode()
        at += 1 + data[at]
        size, samples = _SERIES.unpack_from(data, at)
        at += _SERIES.size
        if samples == 0:
            raise WireError(f"malformed frame: no samples of {name!r}")
        shape = (1 if level == 0 else 3, size)
        values = np.frombuffer(data, "<f8", shape[0] * size, at).reshape(shape)
        at += values.nbytes
        frame.series[name] = Series(values[0], values[-2 if level else 0], values[-1], samples)
    table = np.frombuffer(data, _TABLE, rows, at)
    at += table.nbytes
    frame.layers, frame.kinds = table["index"].astype(np.int64), table["kind"].astype(np.int64)
    if rows and frame.kinds.max() >= len(KINDS):
        raise WireError(f"malformed frame: kind {frame.kinds.max()} of {len(KINDS)}")
    with np.errstate(invalid="ignore"):  # damaged bytes can be a signalling NaN
        frame.moments = np.frombuffer(data, "<f4", rows * 4, at).reshape(rows, 4).astype(np.float64)
    at += rows * 16
    sizes = table["size"].astype(np.int64)
    if at + sizes.sum() != len(data):
        raise WireError(f"malformed frame: {len(data)} bytes where {at + sizes.sum()} were announced")
    integers, ends = decode_varints(data[at:])
    # A layer's integers end where its bytes end; anything else is a table that lies.
    cuts = np.searchsorted(ends, np.cumsum(sizes) - 1)
    if (rows and (cuts >= len(ends)).any()) or not np.array_equal(ends[cuts], np.cumsum(sizes) - 1):
        raise WireError("malformed frame: a layer's counters do not end where its table says")
    _read_counters(frame, integers, cuts)
    return frame


def _read_counters(frame: Frame, integers: NDArray[np.int64], cuts: NDArray[np.int64]) -> None:
    """Fill in counters and histograms. Runs are many and short: they are found as plain integers, filled as arrays."""
    numbers: list[int] = integers.tolist()
    is_count = np.ones(len(numbers), bool)
    starts: list[int] = []
    lengths: list[int] = []
    at = 0
    for row, cut in enumerate(cuts.tolist()):
        is_count[at : at + 5] = False
        runs, at, edge = numbers[at + 4], at + 5, row * BINS
        for _ in range(runs):
            edge += numbers[at]
            length = numbers[at + 1]
            if not 0 < length <= (row + 1) * BINS - edge:
                raise WireError(f"malformed frame: a run of {length} bins at bin {edge - row * BINS} of {BINS}")
            is_count[at] = is_count[at + 1] = False
            starts.append(edge)
            lengths.append(length)
            at, edge = at + 2 + length, edge + length
        if at != cut + 1:
            raise WireError("malformed frame: a layer has other counters than it announces")
    first = np.concatenate([[0], cuts[:-1] + 1])[: len(cuts)].astype(np.int64)
    frame.counters = integers[first[:, None] + np.arange(4)]
    frame.counts = integers[is_count]
    if starts:
        steps = np.ones(len(frame.counts), np.int64)
        ends = np.cumsum(lengths)
        steps[0] = starts[0]
        steps[ends[:-1]] = np.array(starts[1:]) - np.array(starts[:-1]) - np.array(lengths[:-1]) + 1
        frame.bins = np.cumsum(steps)


def select(data: bytes, layers: Iterable[int]) -> bytes:
    """The same encoded frame with only the layers whose index is in `layers`; the rest is copied as bytes."""
    version, level, rows, *rest, n_series = _HEADER.unpack_from(data)
    at = _HEADER.size
    for _ in range(n_series):
        at += 1 + data[at]
        size, _ = _SERIES.unpack_from(data, at)
        at += _SERIES.size + 8 * size * (3 if level else 1)
    table = np.frombuffer(data, _TABLE, rows, at)
    kept = np.flatnonzero(np.isin(table["index"], list(layers)))
    if len(kept) == rows:
        return data
    moments = np.frombuffer(data, "<f4", rows * 4, at + table.nbytes).reshape(rows, 4)
    start = at + table.nbytes + moments.nbytes
    ends = start + np.cumsum(table["size"], dtype=np.int64)
    head = _HEADER.pack(version, level, len(kept), *rest, n_series)
    counters = [data[ends[i] - table["size"][i] : ends[i]] for i in kept]
    return b"".join([head, data[_HEADER.size : at], table[kept].tobytes(), moments[kept].tobytes(), *counters])
