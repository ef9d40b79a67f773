"""The bus: says that something is new, never what. Losing a message loses no data. A port of four methods."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, Self

from normscope.errors import NormscopeError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

__all__ = ["Bus", "BusError", "Subscription", "check_bus", "open_bus"]


class BusError(NormscopeError):
    """The bus cannot be opened; the message says why in one sentence."""


class Subscription(Protocol):
    """A place where the newest value of each key waits to be fetched; older values of a key are replaced."""

    async def get(self) -> dict[str, str]:
        """The newest value of every key that changed since the last call; waits until there is one."""

    def now(self) -> dict[str, str]:
        """The same without waiting: what is new already."""

    def __enter__(self) -> Self:
        """Listen from now on."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Listen no more."""


class Bus(Protocol):
    """Tells whoever listens on a channel that the value of a key is new."""

    dropped: int
    """How much that was published found no room."""

    async def publish(self, channel: str, key: str, value: str = "") -> None:
        """Tell the channel's subscribers."""

    def subscribe(self, channel: str, keys: Iterable[str] | None = None) -> Subscription:
        """Hear of these keys, or of all."""

    async def reachable(self) -> bool:
        """Whether what is published reaches the subscribers of other processes, too, and theirs these."""

    async def close(self) -> None:
        """Let go."""


def check_bus(url: str) -> None:
    """See to it that the bus at a URL can be opened, now or when it is there.

    Raises:
        ValueError: For a URL no adapter knows.
        BusError: If its driver is not installed.
    """
    if url == "memory:":
        return
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(f"unknown bus {url.partition(':')[0]!r}; it must be memory: or begin with redis://")
    if find_spec("redis") is None:
        raise BusError("this bus needs its driver; install it with: pip install 'normscope[redis]'")


async def open_bus(url: str) -> Bus:
    """The bus at a URL: `memory:` or `redis://HOST:PORT` (`rediss://` with TLS). What cannot be reached is tried again.

    Raises:
        ValueError: For a URL no adapter knows.
        BusError: If its driver is not installed.
    """
    check_bus(url)
    if url == "memory:":
        from .memory import MemoryBus

        return MemoryBus()
    from .redis import RedisBus

    return await RedisBus.open(url)
