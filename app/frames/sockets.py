"""The protocol of sockets: a training process that fell silent is missed sooner than a viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from websockets.http11 import Request

INGEST: Final = "/ws/ingest"
"""Where training processes connect."""
SILENT: Final = 1011
"""The code with which the application hears of a peer that did not answer a ping."""


def sockets(keepalive: float) -> type[WebSocketsSansIOProtocol]:
    """Uvicorn's protocol, by which training processes are pinged every so many seconds and have as long to answer.

    A viewer behind a slow line may take longer: its answer waits behind what it is being sent.
    """

    class Sockets(WebSocketsSansIOProtocol):
        def handle_connect(self, event: Request) -> None:
            if event.path.partition("?")[0].endswith(INGEST):
                self.ping_interval = self.ping_timeout = keepalive
            super().handle_connect(event)

        def keepalive_timeout(self) -> None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": SILENT})
            super().keepalive_timeout()

    return Sockets
