"""What is turned away before it reaches a route: foreign host names, foreign origins, bodies that are too large."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from ..limits import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Guard:
    """ASGI middleware around the whole application.

    A page of another site can make a browser send requests here (cross-site websocket hijacking, cross-site request
    forgery), or point its own name at this address (DNS rebinding). Such requests carry a foreign Origin or Host.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        self._app = app
        self._hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, reason = self._objection(headers)
        if status:
            await turn_away(scope, receive, send, status, reason)
        else:
            await self._limited(scope, receive, send)

    def _objection(self, headers: dict[str, str]) -> tuple[int, str]:
        host = headers.get("host", "")
        name = _parts(f"//{host}").hostname
        if host and name is None:
            return 400, "the Host header is no name"
        if self._hosts is not None and (name or "") not in self._hosts:
            return 421, f"this server does not answer to the name {(name or '')[:60]!r}"
        origin = headers.get("origin")
        if origin is not None and _parts(origin).netloc != host:
            return 403, "this request comes from a page of another site"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return 413, f"the body is larger than {MAX_BODY} bytes"
        return 0, ""

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a body that does not say its length."""
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            # The application reads no further, and what it says about that is replaced below.
            return message if taken <= MAX_BODY else {"type": "http.disconnect"}

        async def unless_too_large(message: Message) -> None:
            if taken <= MAX_BODY:
                await send(message)

        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, counted, unless_too_large)
        if taken > MAX_BODY:
            await JSONResponse({"detail": f"the body is larger than {MAX_BODY} bytes"}, 413)(scope, receive, send)


async def turn_away(
    scope: Scope, receive: Receive, send: Send, status: int, reason: str, headers: Mapping[str, str] | None = None
) -> None:
    """Answer a request, or close a socket before it opens, with why."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
    else:
        await JSONResponse({"detail": reason}, status, headers)(scope, receive, send)


def _parts(address: str) -> SplitResult:
    """The parts of an address; of one that makes no sense, none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")
