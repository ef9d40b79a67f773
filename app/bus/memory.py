"""The bus inside one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

_Place: TypeAlias = "tuple[str, str | None]"
"""A channel and a key, or None for all keys."""


class MemorySubscription:
    """Holds at most one value per key, so a slow reader costs no memory."""

    def __init__(self, bus: MemoryBus, places: Sequence[_Place]) -> None:
        self._bus = bus
        self._places = places
        self._news: dict[str, str] = {}
        self._waiting: asyncio.Future[None] | None = None

    async def get(self) -> dict[str, str]:
        """What is new, by key; for one who waits at a time."""
        while not self._news:
            self._waiting = asyncio.get_running_loop().create_future()  # an Event would cost each viewer twice as much
            await self._waiting
        return self.now()

    def now(self) -> dict[str, str]:
        """What is new already."""
        news, self._news = self._news, {}
        return news

    def put(self, key: str, value: str) -> None:
        """Take note of a key's newest value."""
        self._news[key] = value
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def __enter__(self) -> Self:
        for place in self._places:
            self._bus.listeners[place].add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for place in self._places:
            listeners = self._bus.listeners[place]
            listeners.discard(self)
            if not listeners:
                del self._bus.listeners[place]


class MemoryBus:
    """Subscriptions, by what they listen for: news of one run is no work for those who look at others."""

    def __init__(self) -> None:
        self.dropped = 0
        self.listeners: defaultdict[_Place, set[MemorySubscription]] = defaultdict(set)

    async def publish(self, channel: str, key: str, value: str = "") -> None:
        """Tell the channel's subscribers."""
        for place in ((channel, key), (channel, None)):
            for listener in tuple(self.listeners.get(place, ())):
                listener.put(key, value)

    def subscribe(self, channel: str, keys: Iterable[str] | None = None) -> MemorySubscription:
        """Hear of these keys, or of all, from when it is entered."""
        return MemorySubscription(self, [(channel, key) for key in ([None] if keys is None else set(keys))])

    async def reachable(self) -> bool:
        """There is nobody else to be reached."""
        return True

    async def close(self) -> None:
        """Let go."""
        self.listeners.clear()
