"""A network that fails: a proxy between training processes and their server, which does what bad lines do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

LATE: Final = 0.5
"""Seconds by which a chunk is late, or after which a lost one was sent again: TCP hides the loss and shows the wait."""
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER, by which closing a socket resets its connection."""


class _Line:
    """One connection through the network: bytes go on in both directions, in order, each chunk when it is due."""

    def __init__(self, network: Network, ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self._network = network
        self._ends = ends
        self.dead = False
        """Whether what comes is swallowed: neither end is told."""

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """One direction, until its source ends."""
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._deliver(chunks, sink))
            due = 0.0
            while data := await source.read(1 << 14):
                due = max(due, asyncio.get_running_loop().time() + self._network.lateness())
                await chunks.put((due, data))
            await chunks.put((due, b""))

    async def _deliver(self, chunks: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
        while True:
            due, data = await chunks.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            await self._network.plugged.wait()
            if self.dead:
                self._network.hit += 1
            elif data:
                sink.write(data)
                await sink.drain()
            else:
                sink.close()
            if not data:
                return

    def reset(self) -> None:
        """Have both ends hear that their connection is gone."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


class Network:
    """The way to a port of this machine; well until one of its faults begins, and after `heal`.

    Attributes:
        hit: How many connections and chunks have met a fault since the network was well.
        plugged: Set while bytes go on; else they wait, as behind a cable that was pulled and will be put back.
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._port = 0
        self._lines: dict[_Line, asyncio.Task[None]] = {}
        self._late = self._share = 0.0
        self._swallows = False
        self._chance = random.Random(0)
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.hit = 0
        self.plugged = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the server is, across this network."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.heal()
        return self

    def __exit__(self, *args: object) -> None:
        self.heal()
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection; new ones are let through."""
        self._do(self._reset())

    def refuse(self) -> None:
        """Reset every connection, and let nobody connect."""
        self._do(self._close())

    def swallow(self) -> None:
        """Half-open: what is sent over a connection disappears, for good on those of now, and nobody is told."""
        self._do(self._deaden())

    def unplug(self) -> None:
        """Hold every byte until the network is well again."""
        self._do(self._hold())

    def delay(self, share: float = 1.0) -> None:
        """Make a share of the chunks late, and with each what comes behind it."""
        self._late, self._share = LATE, share

    def heal(self) -> None:
        """Be well again; connections that were lost stay so."""
        self._do(self._heal())

    def lateness(self) -> float:
        """Seconds by which a chunk that comes now is late."""
        if not self._chance.random() < self._share:
            return 0.0
        self.hit += 1
        return self._late

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _reset(self) -> None:
        self.hit += len(self._lines)
        for line in list(self._lines):
            line.reset()

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._reset()
        if self._lines:
            await asyncio.wait(self._lines.values())

    async def _deaden(self) -> None:
        self._swallows = True
        for line in self._lines:
            line.dead = True

    async def _hold(self) -> None:
        self.hit += len(self._lines)
        self.plugged.clear()

    async def _heal(self) -> None:
        self._late = self._share = 0.0
        self._swallows, self.hit = False, 0
        self.plugged.set()
        if self._server is None or not self._server.is_serving():
            self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            further, behind = await asyncio.open_connection("127.0.0.1", self._behind)
        except OSError:  # the server is away
            writer.transport.abort()
            return
        line = _Line(self, (writer, behind))
        line.dead = self._swallows
        task = asyncio.current_task()
        assert task is not None
        self._lines[line] = task
        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(line.carry(reader, behind))
                tasks.create_task(line.carry(further, writer))
        del self._lines[line]
        line.reset()


FAULTS: Final[dict[str, Callable[[Network], None]]] = {
    "cut": Network.cut,
    "refused": Network.refuse,
    "unplugged": Network.unplug,
    "half a second late": Network.delay,
    "a tenth lost": lambda network: network.delay(share=0.1),
    "half-open": Network.swallow,
}
"""What lines do, by name; each until the network is well again."""
