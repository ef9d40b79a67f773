"""What answers are packed with on their way, and which are not."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from .frames.query import MEDIA

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_HOW: Final[dict[str, Any]] = {"minimum_size": 2000, "compresslevel": 5}


class Compression:
    """ASGI middleware that packs answers with gzip.

    Frames are dense already: it takes a quarter off them, and longer than to read them from the store. So they are
    packed for those who are far away, and not for a browser on this machine.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._far = GZipMiddleware(app, **_HOW)
        self._near = GZipMiddleware(app, **_HOW, exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, MEDIA))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and pack what comes back."""
        await (self._near if _is_here(scope) else self._far)(scope, receive, send)


def _is_here(scope: Scope) -> bool:
    """Whether the one who asks is on this machine, as far as the address tells."""
    host, _ = scope.get("client") or ("", 0)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
