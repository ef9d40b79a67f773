"""Both sockets of a whole server in this process, so that inputs can be led by what they reach."""

from __future__ import annotations

import asyncio
import atexit
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.main import create_app
from app.settings import Settings
from normscope import wire

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fastapi import FastAPI
    from starlette.types import Message, Scope

TEXT, BYTES = b"T", b"B"
"""How an input for the training socket begins: what kind of message the rest is."""
PATIENCE: Final = 20.0
MEMORY: Final = Path("/dev/shm")
"""Where it exists, a commit need not wait for a disk."""
HELLO: Final = wire.Hello("a key of the fuzzer's", "fuzzed", tuple(wire.Layer(f"l{i}", "L") for i in range(4)))
_ENDED: Final = {"type": "websocket.disconnect", "code": 1000}


class House:
    """A server without a port: what a socket would bring is handed to it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.faults: list[dict[str, Any]] = []
        self.app: FastAPI = create_app(Settings(data=Path(self._folder.name), rates=0))
        self._life = self.app.router.lifespan_context(self.app)
        self.run(self._life.__aenter__())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Until it is done, which must not take long."""
        return self._loop.run_until_complete(asyncio.wait_for(work, PATIENCE))

    def close(self) -> None:
        """Let go of everything."""
        self.run(self._life.__aexit__(None, None, None))
        self._loop.close()
        self._folder.cleanup()

    def say(self, path: str, *messages: str | bytes) -> None:
        """Connect, say these, leave; whatever the server raises is raised here."""
        self.run(self._talk(path, messages))
        if self.faults:
            fault = self.faults.pop()
            raise RuntimeError(fault["message"]) from fault.get("exception")

    async def _talk(self, path: str, messages: tuple[str | bytes, ...]) -> None:
        left: list[Message] = [{"type": "websocket.connect"}]
        left += [{"type": "websocket.receive", "text" if isinstance(m, str) else "bytes": m} for m in messages]
        sent: list[Message] = []

        async def receive() -> Message:
            await asyncio.sleep(0)
            return left.pop(0) if left else _ENDED

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {
            "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "ws",
            "root_path": "", "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80), "subprotocols": [], "state": {},
        }  # fmt: skip
        await self.app(scope, receive, send)
        assert sent[0]["type"] == "websocket.accept", sent
        closes = [m for m in sent if m["type"] == "websocket.close"]
        assert len(closes) <= 1
        assert not closes or (closes[0]["code"] in (1008, 1009) and closes[0]["reason"]), closes


_houses: list[House] = []


def _house() -> House:
    if not _houses:
        logging.disable(logging.CRITICAL)  # what is refused is told there too
        _houses.append(House())
        atexit.register(leave)
    return _houses[0]


def leave() -> None:
    """Let go of the server, if there is one."""
    while _houses:
        _houses.pop().close()
    logging.disable(logging.NOTSET)


def ingest(data: bytes) -> None:
    """After a Hello, or instead of one, anything: as text if it begins so, else as bytes."""
    rest = data[1:].decode("utf-8", "replace") if data[:1] == TEXT else data[1:]
    _house().say("/ws/ingest", *([] if data[1:9] == b'{"type":' and b"hello" in data[:24] else [HELLO.dump()]), rest)


def live(data: bytes) -> None:
    """Several messages of a viewer, each on a line; every seventh kind as bytes."""
    lines = data.decode("utf-8", "replace").split("\n")[:20]
    _house().say("/ws/live", *(line if len(line) % 7 else line.encode() for line in lines))
