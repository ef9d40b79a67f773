"""The protocol of sockets: whoever takes nothing loses the connection, whatever else waits for it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest
import uvicorn

from app.frames.sockets import sockets

from ...conftest import wait_for
from ...frames import SOCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

MUCH: Final = b"x" * (8 << 20)
"""More than the system takes for a connection whose other end reads nothing."""


class Application:
    """Sends much to whoever comes, and then does what it is told to."""

    def __init__(self) -> None:
        self.then: Callable[[Any, Any], Coroutine[Any, Any, None]] = heard
        self.left: list[BaseException | None] = []
        """How each connection came to its end."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": MUCH})
        try:
            await self.then(receive, send)
        except Exception as error:
            self.left.append(error)
            raise
        self.left.append(None)


async def heard(receive: Any, _: Any) -> None:
    """Wait for whatever the protocol says."""
    message = await receive()
    assert message["type"] == "websocket.disconnect", message


async def more(_: Any, send: Any) -> None:
    """Send again, which waits for what was sent before."""
    await send({"type": "websocket.send", "bytes": b"more"})


async def closed(_: Any, send: Any) -> None:
    """Close, with a reason."""
    await send({"type": "websocket.close", "code": 1008, "reason": "this link has been revoked"})


@pytest.fixture
def served() -> Iterator[tuple[uvicorn.Server, Application, int]]:
    """A server that pings often."""
    application = Application()
    config = uvicorn.Config(
        application, ws=sockets(1.0), ws_ping_interval=0.2, ws_ping_timeout=0.2, log_level="critical", lifespan="off",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield server, application, listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize("then", [heard, more, closed])
def test_the_connection_of_a_viewer_that_takes_nothing_is_let_go(
    served: tuple[uvicorn.Server, Application, int], then: Any
) -> None:
    server, application, port = served
    application.then = then
    line = socket.create_connection(("127.0.0.1", port))
    SOCKETS.enter_context(contextlib.closing(line))
    line.sendall(
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    wait_for(lambda: application.left, "the application to be told")
    wait_for(lambda: not server.server_state.connections, "the connection to be let go", 10)
    assert [type(error).__name__ for error in application.left] == [
        "NoneType" if then is heard else "ClientDisconnected"
    ]
