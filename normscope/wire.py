"""What crosses the sockets: Hello, Frame, End from a training process; Welcome, Ack, Control back.

Everything but frames is a JSON object with a `type`. A frame is binary, little-endian:

    header   version u8, level u8, layers u16, seq u32, frames u32, first step u32, last step u32,
             time f64 (unix seconds), series u16
    series   name length u8, name utf-8, size u16, samples u32, then size f64 for a frame's own values
             (level 0) or 3·size f64 for a merged frame's means, minima and maxima
    table    per layer: index u16, kind u8, zero u8, bytes of counters u32
    moments  per layer: mean, standard deviation, minimum, maximum as f32
    counters per layer, LEB128 integers: count, zeros, saturated, non-finite, runs,
             then per run of filled bins: gap since the last run, length, the counts

The standard deviation travels instead of the variance, which would leave the range of f32 for values
beyond 1e19 or below 1e-19. Frames merge: `merge` of 4 frames of one level is a frame of the next.
`static/wire.js` is the other reader; `tests/golden/` keeps the two alike.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np

from .errors import WireError
from .leb128 import decode_varints, encode_varints
from .sketch import BINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

VERSION: Final = 1
MERGE: Final = 4
"""How many frames of one level make one frame of the next."""
KINDS: Final = ("output", "input")
"""What of a layer is summarized; a summary carries the index."""

_HEADER: Final = struct.Struct("<BBHIIIIdH")
_SERIES: Final = struct.Struct("<HI")
_TABLE: Final = np.dtype([("index", "<u2"), ("kind", "u1"), ("zero", "u1"), ("size", "<u4")])
_MAX_INT: Final = 2**53


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
        level: 0 for a single step; level k covers MERGE^k frames.
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
    parts += [table.tobytes(), frame.moments.astype("<f4").tobytes(), integers]
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
        shape = (1 if level == 0 else 3, size)
        values = np.frombuffer(data, "<f8", shape[0] * size, at).reshape(shape)
        at += values.nbytes
        frame.series[name] = Series(values[0], values[-2 if level else 0], values[-1], samples)
    table = np.frombuffer(data, _TABLE, rows, at)
    at += table.nbytes
    frame.layers, frame.kinds = table["index"].astype(np.int64), table["kind"].astype(np.int64)
    if rows and frame.kinds.max() >= len(KINDS):
        raise WireError(f"malformed frame: kind {frame.kinds.max()} of {len(KINDS)}")
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
    rows = len(frame.layers)
    frame.counters = np.zeros((rows, 4), np.int64)
    bins: list[NDArray[np.int64]] = []
    counts: list[NDArray[np.int64]] = []
    start = 0
    for row, stop in enumerate(cuts + 1):
        mine = integers[start:stop]
        frame.counters[row] = mine[:4]
        at, edge = 5, 0
        for _ in range(int(mine[4])):
            gap, length = int(mine[at]), int(mine[at + 1])
            edge += gap
            if not 0 < length <= BINS - edge or at + 2 + length > len(mine):
                raise WireError(f"malformed frame: a run of {length} bins at bin {edge} of {BINS}")
            bins.append(np.arange(edge, edge + length) + row * BINS)
            counts.append(mine[at + 2 : at + 2 + length])
            at, edge = at + 2 + length, edge + length
        if at != len(mine):
            raise WireError(f"malformed frame: {len(mine)} counters where {at} were announced")
        start = int(stop)
    if bins:
        frame.bins, frame.counts = np.concatenate(bins), np.concatenate(counts)


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
    result.bins, place = np.unique(keys, return_inverse=True)
    result.counts = np.zeros(len(result.bins), np.int64)
    np.add.at(result.counts, place, np.concatenate([f.counts for f in frames]))
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


@dataclass(frozen=True, slots=True)
class Layer:
    """A watched module: its dotted name, its class, and what of it is summarized."""

    name: str
    type: str
    kinds: tuple[str, ...] = ("output",)


@dataclass(frozen=True, slots=True)
class Message:
    """Root of the JSON messages; `type` is the lower-case class name."""

    allowed: ClassVar[Mapping[str, type[Message]]] = {}

    def dump(self) -> str:
        """This message as JSON."""
        return json.dumps({"type": type(self).__name__.lower(), **asdict(self)}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Hello(Message):
    """A training process introduces its run.

    Attributes:
        key: A random name the process gave its run; a second Hello with it continues the same run.
        name: What people call the run.
        layers: The watched layers; frames refer to them by index.
        token: What the server gave the launcher, if this run was started from there.
        versions: Of Python, torch and Normscope, and the device.
        version: Of this protocol.
    """

    key: str
    name: str
    layers: tuple[Layer, ...] = ()
    token: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Welcome(Message):
    """The server knows the run, has committed frames up to `last` (-1: none), and wants it controlled so."""

    run: str
    last: int
    paused: bool = False
    pace: float | None = None
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Ack(Message):
    """Everything up to the frame `last` is committed; `ended`: so is the run's End."""

    last: int
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Control(Message):
    """What a person wants: pause, resume, step (one, then pause), stop, or pace (steps per second; None: no limit)."""

    action: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class State(Message):
    """The training process says that it is now held at a step, or going again."""

    paused: bool


@dataclass(frozen=True, slots=True)
class End(Message):
    """The last message of a run, sent after its last frame: finished, stopped or failed."""

    status: str
    error: str | None = None


ACTIONS: Final = ("pause", "resume", "step", "stop", "pace")
ENDS: Final = ("finished", "stopped", "failed")
_MESSAGES: Final = {c.__name__.lower(): c for c in (Hello, Welcome, Ack, Control, State, End)}


def parse(text: str) -> Message:
    """The message in `text`.

    Raises:
        WireError: If it is not JSON, of an unknown type, or has wrong fields.
    """
    try:
        fields: dict[str, Any] = json.loads(text)
        kind = _MESSAGES[fields.pop("type")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"not a message of this protocol: {str(text)[:60]!r}") from error
    try:
        message = kind(**fields)
        if isinstance(message, Hello):
            layers = tuple(Layer(str(x["name"]), str(x["type"]), tuple(x["kinds"])) for x in fields.get("layers", ()))
            message = Hello(**{**fields, "layers": layers})
    except (TypeError, KeyError) as error:
        raise WireError(f"malformed {kind.__name__}: {error}") from error
    _validate(message)
    return message


def _validate(message: Message) -> None:
    """Refuse values that would do harm later; a wrong type is refused where it is used least."""
    match message:
        case Hello(key=key, name=name, version=version):
            if version != VERSION:
                raise WireError(f"hello of version {version}; this side speaks version {VERSION}")
            if not (isinstance(key, str) and 16 <= len(key) <= 100 and isinstance(name, str) and len(name) <= 200):
                raise WireError("malformed Hello: key must be 16 to 100 characters and name at most 200")
        case Control(action=action) if action not in ACTIONS:
            raise WireError(f"unknown action {action!r}; choose from {', '.join(ACTIONS)}")
        case End(status=status) if status not in ENDS:
            raise WireError(f"unknown end {status!r}; choose from {', '.join(ENDS)}")
        case Ack(last=last) | Welcome(last=last) if not isinstance(last, int):
            raise WireError(f"malformed {type(message).__name__}: last is {last!r}")
        case _:
            pass
