"""The bus: says that something is new, never what. Losing a message loses no data. A port of three methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

__all__ = ["Bus", "Subscription", "open_bus"]


class Subscription(Protocol):
    """A place where the newest value of each key waits to be fetched; older values of a key are replaced."""

    async def get(self) -> dict[str, str]:
        """The newest value of every key that changed since the last call; waits until there is one."""

    def __enter__(self) -> Self:
        """Listen from now on."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Listen no more."""


class Bus(Protocol):
    """Tells whoever listens on a channel that the value of a key is new."""

    async def publish(self, channel: str, key: str, value: str = "") -> None:
        """Tell the channel's subscribers."""

    def subscribe(self, channel: str, keys: Iterable[str] | None = None) -> Subscription:
        """Hear of these keys, or of all."""

    async def close(self) -> None:
        """Let go."""


async def open_bus(url: str) -> Bus:
    """The bus at a URL: `memory:`.

    Raises:
        ValueError: For a URL no adapter knows.
    """
    if url == "memory:":
        from .memory import MemoryBus

        return MemoryBus()
    raise ValueError(f"unknown bus {url!r}; it must be memory:")
