"""Proxies in front of the server: what they say of a request is believed, and nobody else saying it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from .guard import turn_away

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ..settings import Settings

_FORWARDED: Final = {b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"}


class Proxies:
    """ASGI middleware around everything else: it alone sees who is really at the other end."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._root = settings.root_path
        self._asks = settings.asks
        self._believed = ProxyHeadersMiddleware(app, settings.proxies)  # type: ignore[arg-type]
        self._user = settings.user_header.lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Believe a configured proxy; take the headers of proxies from everyone else."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope["root_path"], scope["path"] = self._root, _whole(self._root, scope["path"])
        peer, *_ = scope.get("client") or ("",)
        if peer in self._believed.trusted_hosts:
            await self._believed(scope, receive, send)  # type: ignore[arg-type]
            return
        names = {name for name, _ in scope["headers"]}
        if not self._asks and names & _FORWARDED:
            # Whoever is behind it may be anywhere, and this server lets in whoever is at this machine.
            sentence = "this came through a proxy: name it with --forwarded-allow-ips, and everyone needs a token"
            await turn_away(scope, receive, send, 403, sentence)
            return
        foreign = _FORWARDED | {self._user}
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name not in foreign]
        await self._app(scope, receive, send)


def _whole(root: str, path: str) -> str:
    """The path with the prefix that it has outside: some proxies take that away, some do not."""
    if path == root != "":
        return f"{root}/"
    return path if path.startswith(f"{root}/") else root + path
