"""The least that can pass messages on: a bare starlette application. Run by uvicorn; `/in` speaks, `/out` listens.

With UPSTREAM, the address of a server's socket for viewers, and GREETING, what to say there, it is a relay: it passes
on what it hears there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.websockets import WebSocket

_listeners: set[WebSocket] = set()


async def speak(socket: WebSocket) -> None:
    """Whatever is said here, everyone hears."""
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await say(await socket.receive_bytes())


async def say(message: bytes) -> None:
    """To all that listen."""
    await asyncio.gather(*(one.send_bytes(message) for one in tuple(_listeners)), return_exceptions=True)


async def relay(url: str, greeting: str) -> None:
    """Pass on what a server says."""
    async with connect(url, compression=None, proxy=None) as socket:
        await socket.send(greeting)
        async for message in socket:
            if isinstance(message, bytes):
                await say(message)


@contextlib.asynccontextmanager
async def upstream(_: Starlette) -> AsyncIterator[None]:
    """Connected, if this is a relay."""
    url = os.environ.get("UPSTREAM")
    task = asyncio.create_task(relay(url, os.environ["GREETING"])) if url else None
    yield
    if task is not None:
        task.cancel()


async def listen(socket: WebSocket) -> None:
    """Hear it."""
    await socket.accept()
    _listeners.add(socket)
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
    _listeners.discard(socket)


async def ready(_: Request) -> Response:
    """So that a proxy sends someone here."""
    return Response("ready")


app = Starlette(
    routes=[WebSocketRoute("/in", speak), WebSocketRoute("/out", listen), Route("/readyz", ready)], lifespan=upstream
)
