"""The one door: finds out who asks, and lets nobody past it who has no business behind it.

What is not named here is for the owner: a route that is added is closed until someone decides otherwise. Which runs a
viewer sees, the routes behind the door decide; see `app.access.rights`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from fastapi import HTTPException
from starlette._utils import get_route_path
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse

from ..store import StoreError
from .guard import turn_away
from .rights import Rights, Role, identify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

_EVERYONE: Final = r"/healthz|/readyz|/login|/static/.+|/vendor/.+|/s/[^/]+(/saved\.html)?|/ws/ingest"
"""What proves nothing about who asks, or asks for the proof itself: a link's page, and the Hello of a sender."""
_VIEWERS: Final = r"/api/experiments/[^/]+(/runs|/finding)?|/api/runs/[^/]+(/history|/alerts)?|/ws/live"
PUBLIC: Final = re.compile(_EVERYONE)
READABLE: Final = re.compile(f"{_EVERYONE}|{_VIEWERS}")


class Door:
    """ASGI middleware around all routes; what it finds is `request.state.rights`."""

    def __init__(self, app: ASGIApp, enter: Callable[[HTTPConnection, str], Awaitable[Response]]) -> None:
        """Around an application; `enter` answers whoever brings a token in an address."""
        self._app = app
        self._enter = enter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its rights, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        asked.state.rights = Rights(Role.NOBODY)
        try:
            if scope["type"] == "http" and "token" in asked.query_params and scope["method"] == "GET":
                await (await self._enter(asked, asked.query_params["token"]))(scope, receive, send)
                return
            asked.state.rights = await identify(asked)
            _admit(asked.state.rights, get_route_path(scope), scope.get("method", "GET"))
        except HTTPException as error:
            await self._refuse(asked, error, receive, send)
            return
        except StoreError as error:
            await turn_away(scope, receive, send, 507, str(error))
            return
        await self._app(scope, receive, send)

    async def _refuse(self, asked: HTTPConnection, error: HTTPException, receive: Receive, send: Send) -> None:
        """Show a person where to log in; tell a program."""
        scope = asked.scope
        if error.status_code == 401 and scope.get("method") == "GET" and "text/html" in asked.headers.get("accept", ""):
            wanted = asked.url.path + (f"?{asked.url.query}" if asked.url.query else "")
            response = RedirectResponse(f"{scope.get('root_path', '')}/login?next={quote(wanted, safe='')}", 303)
            await response(scope, receive, send)
        else:
            await turn_away(scope, receive, send, error.status_code, error.detail, error.headers)


def _admit(rights: Rights, path: str, method: str) -> None:
    """Refuse whoever has no business at a path."""
    if rights.owner or PUBLIC.fullmatch(path):
        return
    match rights.role:
        case Role.VIEWER:
            if method not in ("GET", "HEAD") or not READABLE.fullmatch(path):
                raise HTTPException(403, "a link is for reading only, and for what it was made for")
        case Role.SENDER:
            if method != "GET" or path != "/metrics":  # counts, for whatever keeps an eye on the server
                raise HTTPException(403, "a sender's token sends the frames of its own runs, nothing else")
        case _:
            raise HTTPException(401, "this server asks for its token", {"WWW-Authenticate": "Bearer"})
