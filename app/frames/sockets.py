"""The protocol of sockets: who falls silent is missed, a training process sooner, and so is who reads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from uvicorn._types import ASGISendEvent
    from websockets.http11 import Request

INGEST: Final = "/ws/ingest"
"""Where training processes connect."""
SILENT: Final = 1011
"""The code with which the application hears of a peer that did not answer a ping."""


def sockets(keepalive: float) -> type[WebSocketsSansIOProtocol]:
    """Uvicorn's protocol, by which training processes are pinged every so many seconds and have as long to answer.

    A viewer behind a slow line may take longer: its answer waits behind what it is being sent. From one that takes
    nothing the connection is taken away: a mere close would wait, for good, until what it was sent before has gone.
    """

    class Sockets(WebSocketsSansIOProtocol):
        def handle_connect(self, event: Request) -> None:
            if event.path.partition("?")[0].endswith(INGEST):
                self.ping_interval = self.ping_timeout = keepalive
            super().handle_connect(event)

        def keepalive_timeout(self) -> None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": SILENT})
            super().keepalive_timeout()
            if self.transport.get_write_buffer_size():
                self.transport.abort()

        def send(self, message: ASGISendEvent) -> Coroutine[Any, Any, None]:
            if message["type"] == "websocket.close" and not self.writable.is_set():
                self.transport.abort()
            return super().send(message)

    return Sockets
