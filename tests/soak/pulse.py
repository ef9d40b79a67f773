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
from normscope.sending.delivery import Delivery, Listener

from ..conftest import wait_for
from ..faults.stream import PATIENCE
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
        sent: How many frames were sent,
        acknowledged: and acknowledged in the end.
        seen: Numbers of those that came.
        delays: Seconds from a frame's being sent to its being there.
    """

    server: Server
    layers: int
    rate: float
    run: str = ""
    sent: int = 0
    acknowledged: int = 0
    seen: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    _at: list[float] = field(default_factory=list)
    _over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """While this lasts, frames are sent and looked at; then, all of them have come."""
        layers = tuple(wire.Layer(f"fc{i}", "Linear") for i in range(self.layers))
        hello = wire.Hello("a key of the soak's own", "watched", layers)
        delivery = Delivery(self.server.url, hello, Listener(lambda _: None, lambda _: None, print))
        wait_for(lambda: delivery.run, "a welcome")
        self.run = str(delivery.run)
        url = f"ws://127.0.0.1:{self.server.port}/ws/live"
        async with connect(url, compression=None, max_queue=None) as viewer, asyncio.TaskGroup() as tasks:
            await viewer.send(json.dumps({"type": "watch", "runs": [self.run], "after": {self.run: -1}}))
            sending = tasks.create_task(self._send(delivery))
            looking = tasks.create_task(self._look(viewer))
            try:
                yield
            finally:
                self._over = True
            await sending
            async with asyncio.timeout(PATIENCE):
                while len(self.seen) < self.sent:
                    self._news.clear()
                    await self._news.wait()
            looking.cancel()
        await asyncio.to_thread(delivery.close, wire.End("finished"), PATIENCE)
        self.acknowledged = delivery.committed + 1

    async def _send(self, delivery: Delivery) -> None:
        large = frame(0, layers=self.layers)
        began = time.perf_counter()
        while not self._over:
            data = wire.encode(replace(large, seq=self.sent, first_step=self.sent, last_step=self.sent))
            self._at.append(time.perf_counter())
            self.sent += 1
            delivery.put(data)
            await asyncio.sleep(began + self.sent / self.rate - time.perf_counter())

    async def _look(self, viewer: ClientConnection) -> None:
        async for message in viewer:
            if isinstance(message, bytes):
                numbers = [wire.check(data).seq for data in wire.split(message[2:])]
                self.delays += [time.perf_counter() - self._at[seq] for seq in numbers]
                self.seen += numbers
                self._news.set()
