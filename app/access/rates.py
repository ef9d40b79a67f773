"""How often a client may do what costs the server something, and how many sockets it may hold."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import sys
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse

from normscope.errors import NormscopeError

from .. import handles, limits
from ..limits import Rate
from ..metrics import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Receive, Scope, Send

_REMEMBERED: Final = 10_000
"""Clients whose last requests are remembered; of one that is forgotten none are held against it."""
_READING: Final = ("GET", "HEAD", "OPTIONS")


class BusyError(NormscopeError):
    """A client that has too many connections; it may come again."""


@dataclass(slots=True)
class Bucket:
    """A bucket of tokens: each request takes one, and time puts them back."""

    tokens: float
    at: float


class Rates:
    """What each client has done lately, of one thing.

    Args:
        rate: What it may do.
        factor: How many times that; 0 is no limit.
        clock: Seconds that only grow.
    """

    def __init__(self, rate: Rate, factor: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = Rate(max(1.0, rate.burst * factor), rate.per_second * factor)
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def wait(self, client: str) -> float:
        """Seconds until it may do it again; 0 if it may now."""
        return self._missing(client) / self.rate.per_second if self.rate.per_second else 0.0

    def take(self, client: str) -> float:
        """Count that it did; if it may not, do not count it, and say how many seconds it has to wait."""
        wait = self.wait(client)
        if self.rate.per_second and not wait:
            self._buckets[client].tokens -= 1
        return wait

    async def turn(self, client: str) -> None:
        """Wait until it may do it again, and count that it does."""
        while wait := self.take(client):  # noqa: ASYNC110  time is what is waited for
            await asyncio.sleep(wait)

    def _missing(self, client: str) -> float:
        """What is missing of a token."""
        now = self._clock()
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = Bucket(self.rate.burst, now)
            if len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(client)
        bucket.tokens = min(self.rate.burst, bucket.tokens + (now - bucket.at) * self.rate.per_second)
        bucket.at = now
        return max(0.0, 1.0 - bucket.tokens)


@dataclass(slots=True)
class Places:
    """How many sockets of one kind each client holds, and all of them together."""

    most: int
    in_all: int = sys.maxsize
    _held: Counter[str] = field(default_factory=Counter)
    _taken: int = 0

    @contextlib.contextmanager
    def held(self, client: str) -> Iterator[bool]:
        """Hold a place while the block runs; whether there was one."""
        free = self._held[client] < self.most and self._taken < self.in_all
        self._held[client] += free
        self._taken += free
        try:
            yield free
        finally:
            self._held[client] -= free
            self._taken -= free
            if not self._held[client]:
                del self._held[client]


class Gates:
    """All that is counted of clients. One for each application."""

    def __init__(self, factor: float) -> None:
        self.changes = Rates(limits.CHANGES, factor)
        self.readings = Rates(limits.READINGS, factor)
        self.files = Rates(limits.FILES, factor)
        self.hellos = Rates(limits.HELLOS, factor)
        self.failed_logins = Rates(limits.FAILED_LOGINS, factor)
        self.trainers = Places(limits.TRAINERS, handles.share(4))
        self.viewers = Places(limits.VIEWERS, min(limits.ALL_VIEWERS, handles.share(2)))

    @contextlib.contextmanager
    def training(self, client: str) -> Iterator[None]:
        """A place for a training process.

        Raises:
            BusyError: If the client has too many, or they come too often.
        """
        with self.trainers.held(client) as free:
            if not free or self.hellos.take(client):
                metrics.limited.inc()
                raise BusyError("too many training processes of one client; try again")
            yield

    def of(self, method: str, path: str) -> Rates | None:
        """What a request counts as; None if it costs too little to count."""
        if method not in _READING:
            return self.changes
        if path.endswith("/saved.html"):
            return self.files
        return self.readings if path.endswith(("/history", "/finding")) else None


def client_of(scope: Scope | HTTPConnection) -> str:
    """Whom a request is counted for: an address, or of IPv6, of which each client has very many, its network."""
    host, _ = scope.get("client") or ("", 0)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


class Limiter:
    """ASGI middleware that answers 429 to a client that asks too often."""

    def __init__(self, app: ASGIApp, gates: Gates) -> None:
        self._app = app
        self._gates = gates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or say when to come again."""
        rates = self._gates.of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        wait = rates.take(client_of(scope)) if rates is not None else 0.0
        if not wait:
            await self._app(scope, receive, send)
            return
        assert rates is not None
        metrics.limited.inc()
        sentence = f"too many such requests: {rates.rate} from one client; try again in {wait:.1f} s"
        headers = {"Retry-After": str(int(wait) + 1)}
        await JSONResponse({"detail": sentence}, 429, headers)(scope, receive, send)
