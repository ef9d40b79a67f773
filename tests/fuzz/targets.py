"""What is fuzzed. A target takes any bytes; whatever it raises is a fault."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

import numpy as np

from app.frames import query
from normscope import native, wire
from normscope.errors import WireError
from normscope.sketch import BINS
from normscope.wire.file import MAGIC, filed, messages

from . import sockets

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN: Final = Path(__file__).parent.parent / "golden"


def said(data: bytes) -> wire.Head | str:
    """What a check says, in words if it refuses."""
    try:
        return wire.check(data)
    except WireError as error:
        return str(error)


def codec(data: bytes) -> None:
    """Frames: both roads say the same, and what they let in can be read, cut down, merged and shown."""
    with mock.patch.object(native.library, "_library", None):
        slow = said(data)
    quick = said(data)
    assert quick == slow, f"{quick} is not {slow}"
    if isinstance(quick, str):
        return
    frame = wire.decode(data)
    assert len(frame.layers) == quick.rows
    assert {name.encode() for name in frame.series} == set(wire.series_names(data))
    assert not len(frame.bins) or 0 <= frame.bins[0] <= frame.bins[-1] < quick.rows * BINS
    wire.decode(wire.select(data, range(1)))
    query.as_json(data)
    if quick.level < 200 and quick.frames < 1 << 28:
        merged = wire.merge_encoded([data] * wire.MERGE)
        with mock.patch.object(native.library, "_library", None):
            other = wire.merge_encoded([data] * wire.MERGE)
        one, two = wire.decode(merged), wire.decode(other)
        assert np.array_equal(one.bins, two.bins)
        assert np.array_equal(one.counts, two.counts)
        assert np.array_equal(one.counters, two.counters)


def parser(data: bytes) -> None:
    """Messages: understood, or refused with a sentence; what is understood can be said again."""
    with suppress(WireError):
        message = wire.parse(data.decode("utf-8", "replace"))
        message.dump().encode()


def recording(data: bytes) -> None:
    """Files, and messages of several frames."""
    with suppress(WireError):
        for frame in wire.split(data):
            said(frame)
    with suppress(WireError):
        for _, message in messages(io.BytesIO(MAGIC + data)):
            said(message) if isinstance(message, bytes) else parser(message.encode())


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "codec": codec, "parser": parser, "recording": recording, "ingest": sockets.ingest, "live": sockets.live,
}  # fmt: skip
ABOUT: Final = {
    "codec": "a frame, through the compiled core and without it",
    "parser": "a JSON message of a training process",
    "recording": "a recorded file, and several frames in one message",
    "ingest": "what a training process sends, to the whole server",
    "live": "what a viewer sends, to the whole server",
}


def seeds(target: str) -> list[bytes]:
    """Honest inputs to begin with."""
    frames = [path.read_bytes() for path in sorted(GOLDEN.glob("*.bin"))]
    words = [
        wire.Hello("k" * 16, "n", (wire.Layer("fc", "Linear"),), None, {"python": "3"}), wire.State(paused=True),
        wire.Graph(((0, 0),)), wire.End("failed", "no", {"loss": 1.0}), wire.Ack(1), wire.Welcome("r", -1),
        wire.Control("pace", 2.0), wire.Viewed(12.0),
    ]  # fmt: skip
    said_by = [word.dump().encode() for word in words]
    if target == "codec":
        return frames
    if target == "parser":
        return said_by
    if target == "recording":
        return [wire.pack(frames), b"".join(filed(one) for one in frames), b"".join(filed(w.dump()) for w in words)]
    if target == "live":
        return [b'{"type":"watch","runs":["a1"],"after":{"a1":3}}', b'{"type":"list"}', b'{"type":"watch","runs":[]}']
    return [sockets.BYTES + wire.pack(frames[:2]), *(sockets.TEXT + one for one in said_by)]
