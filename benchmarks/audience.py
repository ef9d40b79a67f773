"""Many viewers in one process: who hears which update how late."""

from __future__ import annotations

import asyncio
import resource
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from websockets.asyncio.client import connect

from .table import quantile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from websockets.asyncio.client import ClientConnection

_TOGETHER: Final = 50
"""Connections that are opened at once."""
_SETTLE: Final = 2.0
"""Seconds between the last connection and the first update that counts."""


@dataclass
class Heard:
    """Delays in seconds, and how many updates each viewer has got."""

    delays: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def at(self, share: float) -> float:
        """The delay below which this share of them lies, in seconds."""
        return quantile(self.delays, share)

    def words(self) -> str:
        """In milliseconds."""
        p50, p95, p99 = (1000 * self.at(share) for share in (0.5, 0.95, 0.99))
        return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"


async def attend(
    url: str, viewers: int, greeting: str | None, numbers: Callable[[bytes], Sequence[int]],
    say: Callable[[int], Awaitable[None]], *, rate: float, seconds: float,
) -> Heard:  # fmt: skip
    """Open so many sockets, say something so often, and hear what comes.

    Args:
        url: Where to listen.
        viewers: How many do.
        greeting: What each says first.
        numbers: The numbers of the updates in a message.
        say: Sends the update of a number.
        rate: Updates per second.
        seconds: For how long.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * viewers + 200)), hard))
    said: dict[int, float] = {}
    heard = Heard()
    opening = asyncio.Semaphore(_TOGETHER)
    there: list[ClientConnection] = []

    async def listen() -> None:
        async with opening:
            socket = await connect(url, compression=None, max_queue=None, ping_interval=None, proxy=None)
            there.append(socket)
            if greeting is not None:
                await socket.send(greeting)
        count = 0
        try:
            async for message in socket:
                if isinstance(message, bytes):
                    now = time.perf_counter()
                    fresh = [now - said[number] for number in numbers(message) if number in said]
                    heard.delays += fresh
                    count += len(fresh)
        finally:
            heard.counts.append(count)

    listeners = [asyncio.create_task(listen()) for _ in range(viewers)]
    while len(there) < viewers:
        await asyncio.sleep(0.05)
        for task in listeners:
            if task.done():
                task.result()
    await asyncio.sleep(_SETTLE)
    began = time.perf_counter()
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        said[number] = time.perf_counter()
        await say(number)
    await asyncio.sleep(_SETTLE)
    for task in listeners:
        task.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    await asyncio.gather(*(socket.close() for socket in there), return_exceptions=True)
    return heard
