"""The bus inside one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType


class MemorySubscription:
    """Holds at most one value per key, so a slow reader costs no memory."""

    def __init__(self, listeners: set[MemorySubscription], keys: Iterable[str] | None) -> None:
        self._listeners = listeners
        self._keys = None if keys is None else frozenset(keys)
        self._news: dict[str, str] = {}
        self._ready = asyncio.Event()

    async def get(self) -> dict[str, str]:
        """What is new, by key."""
        await self._ready.wait()
        self._ready.clear()
        news, self._news = self._news, {}
        return news

    def put(self, key: str, value: str) -> None:
        """Take note of a key's newest value."""
        if self._keys is None or key in self._keys:
            self._news[key] = value
            self._ready.set()

    def __enter__(self) -> Self:
        self._listeners.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._listeners.discard(self)


class MemoryBus:
    """Channels as sets of subscriptions."""

    def __init__(self) -> None:
        self.dropped = 0
        self._channels: defaultdict[str, set[MemorySubscription]] = defaultdict(set)

    async def publish(self, channel: str, key: str, value: str = "") -> None:
        """Tell the channel's subscribers."""
        for listener in tuple(self._channels[channel]):
            listener.put(key, value)

    def subscribe(self, channel: str, keys: Iterable[str] | None = None) -> MemorySubscription:
        """Hear of these keys, or of all, from when it is entered."""
        return MemorySubscription(self._channels[channel], keys)

    async def reachable(self) -> bool:
        """There is nobody else to be reached."""
        return True

    async def close(self) -> None:
        """Let go."""
        self._channels.clear()
