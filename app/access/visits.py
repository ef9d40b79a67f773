"""Sockets that are open, and by what: they close within a second of the end of the link or the token behind them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from starlette.websockets import WebSocketDisconnect, WebSocketState

from normscope.errors import NormscopeError

from ..store import Experiment, Link, Token
from .tokens import ended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import WebSocket

    from ..bus import Bus
    from ..store import Store

log = logging.getLogger("normscope.visits")

LOOK_EVERY: Final = 0.5
"""Seconds between two looks: not everything that ends is told on the bus. Links expire, and `normscope token` writes
into the store."""


class Visits:
    """Which sockets each link and each token has opened."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._open: dict[str, tuple[Link | Token, set[WebSocket]]] = {}

    @contextlib.contextmanager
    def hold(self, by: Link | Token | None, socket: WebSocket) -> Iterator[None]:
        """While a socket is open by a link or a token; one that needs none may stay."""
        if by is None:
            yield
            return
        _, sockets = self._open.setdefault(by.id, (by, set()))
        sockets.add(socket)
        try:
            yield
        finally:
            sockets.discard(socket)
            if not sockets:
                del self._open[by.id]

    async def watch_over(self) -> None:
        """Close, for as long as the server lives, what may not stay open."""
        with self._bus.subscribe("revoked") as news:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await news.get()
                try:
                    await self._look()
                except NormscopeError:  # the store has told why: look again later
                    continue

    async def _look(self) -> None:
        ends = await self._ends() if self._open else {}
        closing = [
            socket.close(1008, why) for key, why in ends.items() for socket in self._open.get(key, (None, ()))[1]
        ]
        for failure in await asyncio.gather(*closing, return_exceptions=True):
            if failure is not None and not isinstance(failure, RuntimeError | WebSocketDisconnect):  # closed already
                log.warning("cannot close a socket: %s", failure)

    async def _ends(self) -> dict[str, str]:
        """Those of the links and tokens that open nothing any more, by their ids, and why."""
        held = [one for one, _ in self._open.values()]
        links = [one for one in held if isinstance(one, Link)]
        tokens = [one.id for one in held if isinstance(one, Token)]
        now: dict[str, Link | Token] = {}
        gone: set[str] = set()
        if links:
            now |= {link.id: link for link in await self._store.find(Link, id=[link.id for link in links])}
            there = await self._store.find(Experiment, id=list({link.experiment for link in links}), deleted=None)
            known = {experiment.id for experiment in there}
            gone = {link.id for link in links if link.experiment not in known}
        if tokens:
            now |= {token.id: token for token in await self._store.find(Token, id=tokens)}
        ends = {}
        for one in held:
            why = "has been revoked" if one.id in gone or one.id not in now else ended(now[one.id])
            if why is not None:
                ends[one.id] = _sentence(one, why)
        return ends


def is_open(socket: WebSocket) -> bool:
    """Whether neither side has closed it."""
    return socket.application_state is socket.client_state is WebSocketState.CONNECTED


def _sentence(one: Link | Token, why: str) -> str:
    if isinstance(one, Link):
        return f"this link {why}"
    return "this browser has been logged out" if one.session else f"this token {why}"
