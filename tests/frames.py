"""Frames and training processes for tests, made from the protocol alone."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from websockets.sync.client import connect

from normscope import sketch, wire

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from .conftest import Server

SOCKETS: Final = ExitStack()
"""What a test has opened; `conftest.py` closes it after each."""


def open_socket(server: Server, path: str) -> ClientConnection:
    return SOCKETS.enter_context(connect(f"ws://127.0.0.1:{server.port}{path}", compression=None))


LAYERS = (wire.Layer("fc1", "Linear"), wire.Layer("act1", "Sigmoid"))
KEY = "a key of the test's own"


def frame(seq: int, step: int | None = None, layers: int = 2) -> wire.Frame:
    """The frame of one step, with values that tell which."""
    step = seq if step is None else step
    rng = np.random.default_rng(seq)
    tallies = [sketch.histogram(rng.normal(seq, 1, 100)) for _ in range(layers)]
    bins = [np.flatnonzero(t) + row * sketch.BINS for row, t in enumerate(tallies)]
    return wire.Frame(
        seq, step, step, 1e9 + seq,
        series={"loss": wire.Series.of(1 / (1 + seq)), "landscape.loss": wire.Series.of([seq, seq + 1.0])},
        layers=np.arange(layers), kinds=np.zeros(layers, np.int64),
        moments=np.tile([float(seq), 1.0, seq - 3.0, seq + 3.0], (layers, 1)),
        counters=np.tile([100, 0, 0, 0], (layers, 1)),
        bins=np.concatenate(bins), counts=np.concatenate([t[t > 0] for t in tallies]),
    )  # fmt: skip


class Trainer:
    """A training process as the server sees it: a socket."""

    def __init__(
        self, server: Server, key: str = KEY, token: str | None = None, name: str = "my net",
        layers: tuple[wire.Layer, ...] = LAYERS,
    ) -> None:  # fmt: skip
        self.socket = open_socket(server, "/ws/ingest")
        self.socket.send(wire.Hello(key, name, layers, token, {"python": "3"}).dump())

    def hear(self, timeout: float = 10) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.socket.recv(timeout=timeout))
        return message

    def send(self, *seqs: int) -> None:
        for seq in seqs:
            self.say(wire.encode(frame(seq)))

    def say(self, *frames: bytes) -> None:
        """Send encoded frames, or what passes for such, in one message."""
        self.socket.send(wire.pack(frames))

    def acknowledged(self, last: int) -> None:
        """Wait for the Ack of this frame, passing over earlier ones."""
        while True:
            message = self.hear()
            if message["type"] == "viewed":
                continue
            assert message["type"] == "ack", message
            if message["last"] == last:
                return

    def close(self) -> None:
        self.socket.close()


def split(stream: bytes) -> list[wire.Frame]:
    """The frames of a history's bytes."""
    return [wire.decode(data) for data in wire.split(stream)]


def drain(socket: ClientConnection, timeout: float) -> None:
    """Read until nothing comes, which is a TimeoutError, or the socket closes, which is a ConnectionClosed."""
    while True:
        socket.recv(timeout=timeout)
