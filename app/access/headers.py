"""What every answer tells a browser beside its content: what a page may load and run, and who may frame it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FRAMED_BY: Final = ("'self'", "http://localhost:*", "http://127.0.0.1:*", "vscode-webview:", "vscode-file:")
"""Where pages may be shown in a frame: by each other, in notebooks on the same machine as the browser, and in those of
VS Code, whose windows have addresses of their own."""
POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    # Plotly writes style elements and style attributes of its own; a style can run nothing and, by the other lines,
    # load nothing either.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",  # the icon; the pictures that charts are saved as
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
}
"""The Content-Security-Policy of all pages but for their frames: nothing inline runs, nothing comes from elsewhere."""
SAVED: Final = {
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",
    "img-src": "data: blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
}
"""That of a page that was saved as a file: it asks for nothing at all. Its scripts are in it, known by a nonce, and
what they import (`strict-dynamic`)."""
_PERMISSIONS: Final = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "serial", "usb")
_FIXED: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # an address may hold a link's token
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in _PERMISSIONS),
}


def policy(directives: dict[str, str]) -> str:
    """A Content-Security-Policy as it stands in a header or a meta element."""
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def saved_policy(nonce: str) -> str:
    """The policy of a page that was saved as a file, whose own scripts have this nonce."""
    return policy(SAVED | {"script-src": f"'nonce-{nonce}' 'strict-dynamic'"})


class Headers:
    """ASGI middleware around the whole application, also around what is turned away.

    Args:
        app: What makes the answers.
        frames: Origins of further pages that may show ours in a frame.
    """

    def __init__(self, app: ASGIApp, frames: Sequence[str] = ()) -> None:
        self._app = app
        ancestors = {"frame-ancestors": " ".join([*FRAMED_BY, *frames])}
        self._headers = _FIXED | {"Content-Security-Policy": policy(POLICY | ancestors)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add to what comes back."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                # Elsewhere it has no effect but a complaint in the browser's console.
                if scope["scheme"] == "https" or _is_local(scope):
                    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def _is_local(scope: Scope) -> bool:
    host = dict(scope["headers"]).get(b"host", b"")
    return host.rpartition(b":")[0] in (b"localhost", b"127.0.0.1", b"[::1]")
