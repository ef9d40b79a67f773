"""A run that sends frames at a rate, and a viewer who takes all of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect

from normscope import wire

from ..frames import frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.asyncio.client import ClientConnection

    from ..conftest import Server


@dataclass
class Pulse:
    """A run of a net of so many layers, and who follows it.

    Attributes:
        run: What the server calls it.
        sent: How many frames were sent.
        seen: Numbers of those that came.
        delays: Seconds from a frame's being sent to its being there.
    """

    server: Server
    layers: int
    rate: float
    run: str = ""
    sent: int = 0
    seen: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    _at: list[float] = field(default_factory=list)
    _over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """While this lasts, frames are sent and looked at; then, all of them have come."""
        address = f"ws://127.0.0.1:{self.server.port}"
        layers = tuple(wire.Layer(f"fc{i}", "Linear") for i in range(self.layers))
        async with (
            connect(f"{address}/ws/ingest", compression=None) as trainer,
            connect(f"{address}/ws/live", compression=None, max_queue=None) as viewer,
        ):
            await trainer.send(wire.Hello("a key of the soak's own", "watched", layers).dump())
            self.run = json.loads(await trainer.recv())["run"]
            await viewer.send(json.dumps({"type": "watch", "runs": [self.run], "after": {self.run: -1}}))
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(trainer))
                listening = [tasks.create_task(self._hear(trainer)), tasks.create_task(self._look(viewer))]
                try:
                    yield
                finally:
                    self._over = True
                await sending
                async with asyncio.timeout(60):
                    while len(self.seen) < self.sent:
                        self._news.clear()
                        await self._news.wait()
                for task in listening:
                    task.cancel()

    def heard(self) -> list[float]:
        """The delays since this was last asked."""
        heard, self.delays = self.delays, []
        return heard

    async def _send(self, trainer: ClientConnection) -> None:
        large = frame(0, layers=self.layers)
        began = time.perf_counter()
        while not self._over:
            data = wire.encode(replace(large, seq=self.sent, first_step=self.sent, last_step=self.sent))
            self._at.append(time.perf_counter())
            self.sent += 1
            await trainer.send(wire.pack([data]))
            await asyncio.sleep(began + self.sent / self.rate - time.perf_counter())

    async def _hear(self, trainer: ClientConnection) -> None:
        async for _ in trainer:
            pass

    async def _look(self, viewer: ClientConnection) -> None:
        async for message in viewer:
            if isinstance(message, bytes):
                numbers = [wire.check(data).seq for data in wire.split(message[2:])]
                self.delays += [time.perf_counter() - self._at[seq] for seq in numbers]
                self.seen += numbers
                self._news.set()
