"""Many viewers in one process: who hears which update how late."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from websockets.asyncio.client import connect

from normscope import wire

from .streams import Stream
from .table import quantile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from websockets.asyncio.client import ClientConnection

    from tests.conftest import Server

    from .meter import Meter

SIZE: Final = 4096
"""Bytes of an update."""
_TOGETHER: Final = 50
"""Connections that are opened at once."""
_SETTLE: Final = 2.0
"""Seconds between the last connection and the first update that counts."""


@dataclass
class Heard:
    """Delays in seconds, how many updates each viewer has got, and how long this process was busy with all that."""

    delays: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    busy: float = 0.0

    def at(self, share: float) -> float:
        """The delay below which this share of them lies, in seconds."""
        return quantile(self.delays, share)

    def words(self) -> str:
        """In milliseconds."""
        p50, p95, p99 = (1000 * self.at(share) for share in (0.5, 0.95, 0.99))
        return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"


def open_files(viewers: int) -> None:
    """Let this process have the sockets of so many viewers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * viewers + 200)), hard))


def numbers_in(message: bytes) -> list[int]:
    """The numbers of the frames in a message to a viewer; what else is in them, a page would have to decode."""
    return [wire.check(data).seq for data in wire.split(message[2:])]


async def attend(
    urls: Sequence[str], viewers: int, greeting: str | None, numbers: Callable[[bytes], Sequence[int]],
    say: Callable[[int], Awaitable[None]], *, rate: float, seconds: float, meters: Sequence[Meter] = (),
) -> Heard:  # fmt: skip
    """Open so many sockets, say something so often, and hear what comes.

    Args:
        urls: Where to listen, by turns.
        viewers: How many do.
        greeting: What each says first.
        numbers: The numbers of the updates in a message.
        say: Sends the update of a number.
        rate: Updates per second.
        seconds: For how long.
        meters: Of others, open while it lasts.
    """
    open_files(viewers)
    said: dict[int, float] = {}
    heard = Heard()
    opening = asyncio.Semaphore(_TOGETHER)
    there: list[ClientConnection] = []

    async def listen(url: str) -> None:
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

    listeners = [asyncio.create_task(listen(urls[place % len(urls)])) for place in range(viewers)]
    while len(there) < viewers:
        await asyncio.sleep(0.05)
        for task in listeners:
            if task.done():
                task.result()
    await asyncio.sleep(_SETTLE)
    with contextlib.ExitStack() as stack:
        for meter in meters:
            stack.enter_context(meter)
        busy = time.process_time()
        began = time.perf_counter()
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            said[number] = time.perf_counter()
            await say(number)
        await asyncio.sleep(_SETTLE)
        heard.busy = time.process_time() - busy
    for task in listeners:
        task.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    await asyncio.gather(*(socket.close() for socket in there), return_exceptions=True)
    return heard


async def watched(
    server: Server, viewed: Server, viewers: int, *, rate: float, seconds: float, meters: Sequence[Meter] = (),
    through: Callable[[str, str], Sequence[str]] | None = None,
) -> Heard:  # fmt: skip
    """A training process of one server, watched at another or the same.

    Args:
        server: To which it sends.
        viewed: At which it is watched.
        viewers: By how many.
        rate: Updates of 4 KB per second.
        seconds: For how long.
        meters: Of others, open while updates come.
        through: Makes relays, from where they listen and what they say there; gives where viewers do.
    """
    stream = Stream(2, 100, size=SIZE)
    async with connect(f"ws://127.0.0.1:{server.port}/ws/ingest", compression=None, proxy=None) as trainer:
        await trainer.send(wire.Hello(f"watched {viewers} {viewed.port} {rate}", "watched", stream.layers).dump())
        run = json.loads(await trainer.recv())["run"]
        listening = asyncio.create_task(_ignore(trainer))
        url, greeting = f"ws://127.0.0.1:{viewed.port}/ws/live", json.dumps({"type": "watch", "runs": [run]})
        urls = [url] if through is None else await asyncio.to_thread(through, url, greeting)
        heard = await attend(
            urls, viewers, greeting if through is None else None, numbers_in,
            lambda number: trainer.send(wire.pack([stream.frame(number)])), rate=rate, seconds=seconds, meters=meters,
        )  # fmt: skip
        listening.cancel()
    return heard


async def _ignore(socket: Any) -> None:
    async for _ in socket:
        pass
