"""A data folder that nobody serves, for as long as a command reads it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from normscope.errors import NormscopeError

from .access.door import Door
from .access.guard import Guard
from .api import routes as api
from .folder import holder
from .pages import routes as pages
from .pages.assets import StampedFiles
from .pages.login import enter
from .runs.findings import Findings
from .settings import LOOPBACK, Settings
from .store import open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

_PATIENCE: Final = 30.0
"""Seconds within which it begins to answer."""


@contextlib.contextmanager
def reading(data: Path | None) -> Iterator[str]:
    """The address of the server that holds a data folder, else of one that only reads it and launches nothing.

    Args:
        data: The folder; None for the usual one.

    Raises:
        NormscopeError: If there is nothing of Normscope's in it, or it cannot be read.
    """
    settings = Settings() if data is None else Settings(data=data)
    if (url := holder(settings.data)) is not None:
        yield url
        return
    if not (settings.data / "normscope.db").exists():
        raise NormscopeError(f"there is no database of Normscope's in {settings.data}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(_app(settings), log_level="critical", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="offline", daemon=True)
        thread.start()
        try:
            _wait(server, thread, settings.data)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _wait(server: uvicorn.Server, thread: threading.Thread, data: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise NormscopeError(f"the database in {data} cannot be read")
        time.sleep(0.01)


def _app(settings: Settings) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.store, app.state.findings = await open_store(settings.store_url), Findings()
        yield
        await app.state.store.close()

    app = FastAPI(lifespan=lifespan)
    app.state.settings = settings
    app.include_router(api.router)
    app.include_router(pages.router)
    app.mount("/static/{stamp}", StampedFiles(), name="static")
    app.middleware("http")(_read_only)
    app.add_middleware(Door, enter=enter)
    app.add_middleware(Guard, hosts=LOOPBACK)
    return app


async def _read_only(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    if request.method not in ("GET", "HEAD"):
        return JSONResponse({"detail": "this data folder is only read"}, 405)
    return await answer(request)
