"""A server that is nothing but its training socket, for tests of the sending side."""

from __future__ import annotations

import threading
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from normscope import wire

from .conftest import free_port


class Peer:
    """A server that keeps what it is sent across connections, and acknowledges every `every`-th frame."""

    def __init__(self, every: int = 1) -> None:
        self.port, self.every = free_port(), every
        self.frames: list[wire.Frame] = []
        self.messages: list[wire.Message] = []
        self.welcome: dict[str, Any] = {}
        self.connection: ServerConnection | None = None
        self.connections = 0
        self.refuse_hello = self.refuse_frame = self.never_end = False
        self.die_after: int | None = None
        self.server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.server = serve(self.talk, "127.0.0.1", self.port)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server = None
        if self.connection is not None:
            self.connection.socket.close()

    def talk(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.connections += 1
        try:
            self.messages.append(wire.parse(str(connection.recv())))
            if self.refuse_hello:
                connection.close(1008, "no such token")
                return
            connection.send(wire.Welcome("r1", self.last, **self.welcome).dump())
            for message in connection:
                self.hear(connection, message)
        except (ConnectionClosed, OSError):
            pass

    def hear(self, connection: ServerConnection, message: str | bytes) -> None:
        if isinstance(message, str):
            parsed = wire.parse(message)
            self.messages.append(parsed)
            if isinstance(parsed, wire.End) and not self.never_end:
                connection.send(wire.Ack(self.last, ended=True).dump())
            return
        if self.refuse_frame:
            connection.close(1008, "nonsense")
            return
        for data in wire.split(message):
            frame = wire.decode(data)
            assert frame.seq == self.last + 1, "a gap or a repetition"
            self.frames.append(frame)
            if self.die_after is not None and len(self.frames) >= self.die_after:
                self.die_after = None
                connection.socket.close()  # without a word, and without acknowledging
                return
            if len(self.frames) % self.every == 0:
                connection.send(wire.Ack(self.last).dump())

    @property
    def last(self) -> int:
        """The number of the last captured step that has come."""
        return self.frames[-1].seq + self.frames[-1].frames - 1 if self.frames else -1

    def steps(self) -> list[int]:
        return [f.first_step for f in self.frames]
