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

Everything here works on many frames at once: what a frame of a small net costs is nearly all in the calls, and frames
of fast training come in bursts.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import WireError
from ..sketch import BINS
from .counters import pack_counters, unpack_counters
from .frame import KINDS, Frame, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VERSION: Final = 1
"""Of everything that crosses the sockets."""

_HEADER: Final = struct.Struct("<BBHIIIIdH")
_SERIES: Final = struct.Struct("<HI")
_TABLE: Final = np.dtype([("index", "<u2"), ("kind", "u1"), ("zero", "u1"), ("size", "<u4")])
_MOMENTS: Final = 16
"""Bytes of a layer's moments."""
_LENGTH: Final = struct.Struct("<I")


def encode(frame: Frame) -> bytes:
    """A frame as bytes."""
    return encode_frames([frame])[0]


def encode_frames(frames: Sequence[Frame]) -> list[bytes]:
    """Each frame as bytes."""
    if not frames:
        return []
    rows = [len(f.layers) for f in frames]
    cuts = np.cumsum([0, *rows])
    data, ends = pack_counters(
        np.concatenate([f.counters for f in frames]),
        np.concatenate([f.bins + cut * BINS for f, cut in zip(frames, cuts.tolist(), strict=False)]),
        np.concatenate([f.counts for f in frames]),
    )
    table = np.zeros(len(ends), _TABLE)
    table["index"] = np.concatenate([f.layers for f in frames])
    table["kind"] = np.concatenate([f.kinds for f in frames])
    table["size"] = np.diff(ends, prepend=0)
    with np.errstate(over="ignore"):  # a float64 net's values beyond 3e38 arrive as infinite
        moments = np.concatenate([f.moments for f in frames]).astype("<f4")
    bounds = [0, *(int(ends[cut - 1]) if cut else 0 for cut in cuts[1:].tolist())]
    spans = zip(cuts.tolist(), cuts.tolist()[1:], bounds, bounds[1:], strict=False)
    return [
        b"".join([*_head(frame), table[a:b].tobytes(), moments[a:b].tobytes(), data[start:end]])
        for frame, (a, b, start, end) in zip(frames, spans, strict=True)
    ]


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


def decode(data: bytes) -> Frame:
    """The frame in `data`.

    Raises:
        WireError: If the bytes are not exactly one well-formed frame.
    """
    return decode_frames([data])[0]


def decode_frames(datas: Sequence[bytes]) -> list[Frame]:
    """The frame in each piece of data.

    Raises:
        WireError: If one of them is not exactly one well-formed frame.
    """
    try:
        return _decode_frames(datas)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise WireError(f"malformed frame: {error}") from error


def _decode_frames(datas: Sequence[bytes]) -> list[Frame]:
    frames, tables, moments, streams = [], [], [], []
    for data in datas:
        frame, rows, at = _read_head(data)
        tables.append(table := np.frombuffer(data, _TABLE, rows, at))
        moments.append(np.frombuffer(data, "<f4", 4 * rows, at + table.nbytes))
        stream = data[at + table.nbytes + rows * _MOMENTS :]
        announced = int(table["size"].sum(dtype=np.int64))
        if len(stream) != announced:
            raise WireError(f"malformed frame: {len(stream)} bytes of counters where {announced} were announced")
        streams.append(stream)
        frames.append(frame)
    if not frames:
        return []
    table = np.concatenate(tables)
    layers, kinds = table["index"].astype(np.int64), table["kind"].astype(np.int64)
    if int(kinds.max(initial=0)) >= len(KINDS):
        raise WireError(f"malformed frame: kind {kinds.max()} of {len(KINDS)}")
    with np.errstate(invalid="ignore"):  # damaged bytes can be a signalling NaN
        numbers = np.concatenate(moments).reshape(-1, 4).astype(np.float64)
    counters, bins, counts = unpack_counters(b"".join(streams), np.cumsum(table["size"], dtype=np.int64))
    cuts = np.cumsum([0, *map(len, tables)])
    bin_cuts = np.searchsorted(bins, cuts * BINS).tolist()
    for i, (frame, a, b) in enumerate(zip(frames, cuts.tolist(), cuts.tolist()[1:], strict=False)):
        frame.layers, frame.kinds, frame.moments, frame.counters = layers[a:b], kinds[a:b], numbers[a:b], counters[a:b]
        mine = slice(bin_cuts[i], bin_cuts[i + 1])
        frame.bins, frame.counts = bins[mine] - a * BINS, counts[mine]
    return frames


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
