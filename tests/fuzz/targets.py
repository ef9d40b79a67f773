"""What is fuzzed. A target takes any bytes; whatever it raises is a fault."""

from __future__ import annotations

import io
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter

import normscope
from app.frames import query
from normscope import native, wire
from normscope.errors import WireError
from normscope.eventlog import logs
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
    """Files, and messages of several frames; what can be opened can be read as arrays."""
    with suppress(WireError):
        for frame in wire.split(data):
            said(frame)
    with suppress(WireError):
        for _, message in messages(io.BytesIO(MAGIC + data)):
            said(message) if isinstance(message, bytes) else parser(message.encode())

    with tempfile.NamedTemporaryFile(suffix=".normscope") as file, suppress(WireError):
        file.write(MAGIC + data)
        file.flush()
        run = normscope.open(file.name)
        assert len(run.steps) == len(run.times) == len(run)
        for layer in run.layers:
            for kind in set(layer.kinds) & set(wire.KINDS):
                run.history(layer.name, kind).quantiles([0.05, 0.5])


def log(data: bytes) -> None:
    """Event files: what a whole record holds is read, counted as odd, or told as damage; frames of it are frames."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.tfevents"
        with path.open("wb") as file:
            RecordWriter(file).write(data)
        (found,) = logs(path)
        with closing(found):
            found.read(lambda _: None)
            for frame in found.frames(0, -1, 1 << 32, found.histograms, {}):
                wire.decode(frame)


def events() -> list[bytes]:
    """Honest events: scalars and histograms in both forms, and what is neither."""
    old = HistogramProto(min=-1, max=2, num=3, sum=1, sum_squares=5, bucket_limit=[0, 2], bucket=[1, 2])
    some = [
        Summary.Value(tag="loss", simple_value=0.5), Summary.Value(tag="fc", histo=old),
        *scalar_pb("loss", 0.5).value, *histogram_pb("fc", np.arange(9.0)).value, *text_pb("note", "some").value,
    ]  # fmt: skip
    return [Event(step=3, wall_time=1e9, summary=Summary(value=[one])).SerializeToString() for one in some]


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "codec": codec, "parser": parser, "recording": recording, "log": log,
    "ingest": sockets.ingest, "live": sockets.live,
}  # fmt: skip
ABOUT: Final = {
    "codec": "a frame, through the compiled core and without it",
    "parser": "a JSON message of a training process",
    "recording": "a recorded file, and several frames in one message",
    "log": "an event of a TensorBoard log",
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
        layers = tuple(wire.Layer(f"fc{i}", "Linear", wire.KINDS) for i in range(10))
        whole = [wire.Hello("k" * 16, "n", layers).dump(), *frames[2:5], wire.End("finished").dump()]
        each = (whole, frames, [word.dump() for word in words])
        return [wire.pack(frames), *(b"".join(map(filed, one)) for one in each)]  # type: ignore[arg-type]
    if target == "log":
        return events()
    if target == "live":
        return [b'{"type":"watch","runs":["a1"],"after":{"a1":3}}', b'{"type":"list"}', b'{"type":"watch","runs":[]}']
    return [sockets.BYTES + wire.pack(frames[:2]), *(sockets.TEXT + one for one in said_by)]
