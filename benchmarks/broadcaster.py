"""The least that can pass messages on: a bare starlette application. Run by uvicorn; `/in` speaks, `/out` listens."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

_listeners: set[WebSocket] = set()


async def speak(socket: WebSocket) -> None:
    """Whatever is said here, everyone hears."""
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            message = await socket.receive_bytes()
            await asyncio.gather(*(one.send_bytes(message) for one in tuple(_listeners)), return_exceptions=True)


async def listen(socket: WebSocket) -> None:
    """Hear it."""
    await socket.accept()
    _listeners.add(socket)
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
    _listeners.discard(socket)


app = Starlette(routes=[WebSocketRoute("/in", speak), WebSocketRoute("/out", listen)])
