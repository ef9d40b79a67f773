"""What the server says about its work, in words or as JSON, with the request and the run that it is about."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from normscope.words import one_line

from .access.tokens import new_id
from .metrics import metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORMATS: Final = ("text", "json")
SLOW: Final = 1.0
"""Seconds from which a request is worth a word."""
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
run_id: ContextVar[str | None] = ContextVar("run_id", default=None)

log = logging.getLogger("normscope.requests")


class OneLine(logging.Formatter):
    """Control characters are written out: none can begin a line that looks like ours, or talk to a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  its name is theirs
        """The line, without the traceback that may follow."""
        return one_line(super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """A line of JSON: time (unix seconds), level, logger, message; request and run, where there is one; error."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {"time": round(record.created, 3), "level": record.levelname.lower(), "logger": record.name}
        line |= {"message": record.getMessage(), "request": request_id.get(), "run": run_id.get()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in line.items() if value is not None})


def begin(form: str = "text") -> None:
    """Log to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)


class Requests:
    """ASGI middleware: gives each request a name, or keeps what a proxy gave it, and measures how long it takes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        name = given if _ID.fullmatch(given) else new_id()
        request_id.set(name)
        status, began = 0, time.perf_counter()

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            await send(message)

        try:
            await self._app(scope, receive, named if scope["type"] == "http" else send)
        finally:
            if scope["type"] == "http":
                _note(scope, status or 500, time.perf_counter() - began)


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "other")  # as it is declared: few, whatever is asked for
    metrics.requests.labels(scope["method"], route, str(status)).observe(seconds)
    if status >= 500 or seconds > SLOW:
        log.warning("%s %s: %d after %.2f s", scope["method"], route, status, seconds)  # a path may hold a link's token
