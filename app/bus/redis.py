"""The bus between processes, on a Redis or what speaks its protocol (Valkey, say)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any, Final, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from .memory import MemoryBus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from . import Subscription

log = logging.getLogger("normscope.bus")

_PREFIX: Final = "normscope:"
_MOST: Final = 10_000
"""Keys whose newest value may wait for the connection to come back; beyond it the oldest is dropped, and counted."""
_PATIENCE: Final = 2.0
"""Seconds that Redis may take to answer."""
_AGAIN: Final = 0.2
"""Seconds after which a lost connection is tried again."""
_GONE: Final = (RedisError, OSError, TimeoutError)


class RedisBus:
    """Subscribers here are told at once, those of other processes through Redis, by two tasks that reconnect.

    Nobody who publishes waits: of each key the newest value is kept until it is sent.
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = Redis.from_url(
            url, socket_connect_timeout=_PATIENCE, socket_timeout=_PATIENCE, health_check_interval=5
        )
        self._here = MemoryBus()
        self._origin = secrets.token_hex(4)
        self._unsent: dict[tuple[str, str], str] = {}
        self._work = asyncio.Event()
        self._listening = asyncio.Event()
        self._tasks = [asyncio.create_task(work) for work in (self._send(), self._listen())]
        self.dropped = 0

    @classmethod
    async def open(cls, url: str) -> Self:
        """A bus that listens, if Redis can be reached now; else it will as soon as that is so."""
        bus = cls(url)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(bus._listening.wait(), _PATIENCE)
        return bus

    async def publish(self, channel: str, key: str, value: str = "") -> None:
        """Tell the channel's subscribers, everywhere."""
        await self._here.publish(channel, key, value)
        self._unsent[channel, key] = value
        if len(self._unsent) > _MOST:
            del self._unsent[next(iter(self._unsent))]
            self.dropped += 1
        self._work.set()

    def subscribe(self, channel: str, keys: Iterable[str] | None = None) -> Subscription:
        """Hear of these keys, or of all, from when it is entered."""
        return self._here.subscribe(channel, keys)

    async def reachable(self) -> bool:
        """Whether Redis answers and news of others arrive."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._redis.ping()
        except _GONE:
            return False
        return self._listening.is_set()

    async def close(self) -> None:
        """Send what waits, if that is quickly done, and let go."""
        with contextlib.suppress(*_GONE):
            async with asyncio.timeout(_PATIENCE / 2):
                await self._flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    async def _send(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self._flush()
            except _GONE:
                self._work.set()
                await asyncio.sleep(_AGAIN)

    async def _flush(self) -> None:
        """Send everything that waits; what could not be sent waits on, unless there is a newer value by then."""
        taken, self._unsent = self._unsent, {}
        if not taken:
            return
        try:
            pipe = self._redis.pipeline(transaction=False)
            for (channel, key), value in taken.items():
                pipe.publish(_PREFIX + channel, json.dumps([self._origin, key, value]))
            await pipe.execute()
        except BaseException:  # whatever ends it, the end of the server too: what was not sent is not lost
            self._unsent = taken | self._unsent
            raise

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as listener:
                    await listener.psubscribe(_PREFIX + "*")
                    self._listening.set()
                    while True:
                        message = await listener.get_message(timeout=_PATIENCE)
                        if message is not None:
                            await self._hear(message)
            except _GONE as error:
                if self._listening.is_set():
                    log.warning("the bus is lost, and is tried again: %s", error)
            self._listening.clear()
            await asyncio.sleep(_AGAIN)

    async def _hear(self, message: dict[str, Any]) -> None:
        try:
            origin, key, value = json.loads(message["data"])
            channel = message["channel"].decode().removeprefix(_PREFIX)
        except (ValueError, TypeError):  # someone else's, on a channel of ours
            return
        if origin != self._origin:
            await self._here.publish(channel, str(key), str(value))
