"""Frames as bytes.

Little-endian:

    header   version u8, level u8, layers u16, seq u32, frames u32, first step u32, last step u32,
             time f64 (unix seconds), series u16
    series   name length u8, name utf-8, size u16, samples u32, then size f64 for a frame's own values
             (level 0) or 3·size f64 for a merged frame's means, minima and maxima
    table    per layer: index u16, kind u8, zero u8, bytes of counters u32
    moments  per layer: mean, standard deviation, minimum, maximum as f32
    counters per layer, as `counters.py` says

The standard deviation travels instead of the variance, which would leave the range of f32 for values
beyond 1e19 or below 1e-19.
`static/wire.js` is the other reader; `tests/golden/` keeps the two alike.

Where the compiled core is, it makes the frames of a training process, checks and merges them as they are. What is here
does the same without it, and whatever is unusual.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .. import native
from ..errors import WireError
from .counters import pack_counters, unpack_counters
from .frame import KINDS, Frame, Series
from .leb128 import first_varints

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

VERSION: Final = 1
"""Of everything that crosses the sockets."""

_HEADER: Final = struct.Struct("<BBHIIIIdH")
_SERIES: Final = struct.Struct("<HI")
_TABLE: Final = np.dtype([("index", "<u2"), ("kind", "u1"), ("zero", "u1"), ("size", "<u4")])
_MOMENTS: Final = 16
"""Bytes of a layer's moments."""
_LENGTH: Final = struct.Struct("<I")
_NUMBER: Final = struct.Struct("<HId")


class Head(NamedTuple):
    """What an encoded frame says of itself; see `Frame`."""

    level: int
    rows: int
    """Summarized layers."""
    seq: int
    frames: int
    first_step: int
    last_step: int
    largest: int
    """The largest index of a layer in it; -1 if there is none."""

    @property
    def last_seq(self) -> int:
        """The number of the last captured step in it."""
        return self.seq + self.frames - 1


def encode(frame: Frame) -> bytes:
    """A frame as bytes."""
    data, ends = pack_counters(frame.counters, frame.bins, frame.counts)
    table = np.zeros(len(ends), _TABLE)
    table["index"], table["kind"], table["size"] = frame.layers, frame.kinds, np.diff(ends, prepend=0)
    with np.errstate(over="ignore"):  # a float64 net's values beyond 3e38 arrive as infinite
        moments = frame.moments.astype("<f4")
    return b"".join([*_head(frame), table.tobytes(), moments.tobytes(), data])


def encode_step(
    seq: int, step: int, time: float, series: Mapping[str, float | Sequence[float] | NDArray[np.float64]], rows: int,
    body: bytes,
) -> bytes:  # fmt: skip
    """The frame of a single step, with so many layers that are bytes already: table, moments and counters."""
    parts = [_HEADER.pack(VERSION, 0, rows, seq, 1, step, step, time, len(series))]
    for name, value in series.items():
        label = name.encode()
        parts.append(bytes([len(label)]) + label)
        if type(value) is float:
            parts.append(_NUMBER.pack(1, 1, value))
        else:
            values = Series.of(value).mean
            parts.append(_SERIES.pack(len(values), 1) + values.astype("<f8").tobytes())
    return b"".join([*parts, body])


def as_step(data: bytes, seq: int, more: Mapping[str, float]) -> bytes:
    """The frame merged of what several saw of one step, as a frame of that step, with these series too."""
    frame, rows, at = _read_head(data)
    own = {name: series.mean for name, series in frame.series.items()}
    return encode_step(seq, frame.last_step, frame.time, {**own, **more}, rows, data[at:])


def _head(frame: Frame) -> list[bytes]:
    """Header and series."""
    parts = [
        _HEADER.pack(
            VERSION, frame.level, len(frame.layers), frame.seq, frame.frames, frame.first_step, frame.last_step,
            frame.time, len(frame.series),
        )
    ]  # fmt: skip
    for name, series in frame.series.items():
        label = name.encode()
        parts.append(bytes([len(label)]) + label + _SERIES.pack(len(series.mean), series.samples))
        values = [series.mean] if frame.level == 0 else [series.mean, series.low, series.high]
        parts.extend(v.astype("<f8").tobytes() for v in values)
    return parts


def check(data: bytes) -> Head:
    """What the frame in `data` says of itself, all of which is looked at.

    Raises:
        WireError: If the bytes are not exactly one well-formed frame.
    """
    found = native.check(data, len(KINDS))
    if found is not None:
        return Head(*found)
    frame = decode(data)
    largest = int(frame.layers.max(initial=-1))
    return Head(frame.level, len(frame.layers), frame.seq, frame.frames, frame.first_step, frame.last_step, largest)


def decode(data: bytes) -> Frame:
    """The frame in `data`.

    Raises:
        WireError: If the bytes are not exactly one well-formed frame.
    """
    try:
        return _decode(data)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise WireError(f"malformed frame: {error}") from error


def outline(data: bytes) -> Frame:
    """A frame that has been checked, without its histograms, to which most of the time of `decode` goes."""
    frame, starts, _ = _read_rows(data)
    counters = [first_varints(data, start, 4) for start in starts.tolist()]
    frame.counters = np.array(counters, np.int64).reshape(-1, 4)
    return frame


def _decode(data: bytes) -> Frame:
    frame, starts, ends = _read_rows(data)
    at = int(starts[0]) if len(starts) else len(data)
    if int(frame.kinds.max(initial=0)) >= len(KINDS):
        raise WireError(f"malformed frame: kind {frame.kinds.max()} of {len(KINDS)}")
    frame.counters, frame.bins, frame.counts = unpack_counters(data[at:], ends - at)
    return frame


def _read_rows(data: bytes) -> tuple[Frame, NDArray[np.int64], NDArray[np.int64]]:
    """A frame without its counters and histograms, and where those of each layer begin and end."""
    frame, rows, at = _read_head(data)
    table = np.frombuffer(data, _TABLE, rows, at)
    at += table.nbytes
    with np.errstate(invalid="ignore"):  # damaged bytes can be a signalling NaN
        frame.moments = np.frombuffer(data, "<f4", 4 * rows, at).reshape(-1, 4).astype(np.float64)
    at += rows * _MOMENTS
    ends = at + np.cumsum(table["size"], dtype=np.int64)
    announced = int(ends[-1]) - at if rows else 0
    if len(data) - at != announced:
        raise WireError(f"malformed frame: {len(data) - at} bytes of counters where {announced} were announced")
    frame.layers, frame.kinds = table["index"].astype(np.int64), table["kind"].astype(np.int64)
    return frame, ends - table["size"], ends


def _read_head(data: bytes) -> tuple[Frame, int, int]:
    """A frame without its layers, how many there are, and where their table is."""
    version, level, rows, seq, frames, first, last, time, n_series = _HEADER.unpack_from(data)
    if version != VERSION:
        raise WireError(f"frame of version {version}; this side speaks version {VERSION}")
    if not (first <= last and np.isfinite(time)):
        raise WireError("malformed frame: its steps or its time make no sense")
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
    return frame, rows, at


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


def series_names(data: bytes) -> list[bytes]:
    """The names of the series of a frame that has been checked."""
    level, n_series = data[1], _HEADER.unpack_from(data)[-1]
    at = _HEADER.size
    names = []
    for _ in range(n_series):
        start, at = at + 1, at + 1 + data[at]
        names.append(data[start:at])
        at += _SERIES.size + 8 * _SERIES.unpack_from(data, at)[0] * (3 if level else 1)
    return names


def pack(frames: Iterable[bytes]) -> bytes:
    """Encoded frames one after another, each behind its length as u32."""
    return b"".join(part for frame in frames for part in (_LENGTH.pack(len(frame)), frame))


def split(data: bytes) -> list[bytes]:
    """The encoded frames that `pack` put together.

    Raises:
        WireError: If a length or a frame is cut off.
    """
    frames, at = [], 0
    while at < len(data):
        start = at + _LENGTH.size
        if start > len(data):
            raise WireError("malformed message: a length is cut off")
        at = start + _LENGTH.unpack_from(data, at)[0]
        if at > len(data):
            raise WireError("malformed message: a frame is cut off")
        frames.append(data[start:at])
    return frames
