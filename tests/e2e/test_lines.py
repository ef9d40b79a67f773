"""Pages whose connection is lost, or was asleep: they come back by themselves and have everything, by one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from normscope import wire
from tests.conftest import wait_for
from tests.faults.network import Network
from tests.frames import Trainer, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page, WebSocket

    from tests.conftest import Server

GONE: Final = ("WebSocket connection", "net::ERR_", "Failed to load resource")
"""What Chromium itself says while a line is cut."""
MEANWHILE: Final = 1205
"""Frames that there are when it hears of them again."""
AT_ONCE: Final = 200


@pytest.fixture
def line(shared_server: Server) -> Iterator[Network]:
    """The line between a page and its server."""
    with Network(shared_server.port) as network:
        yield network


def painted(page: Page) -> int:
    """The last step that is drawn in the loss chart."""
    steps: dict[str, int] = page.evaluate("() => window.normscope ? window.normscope.painted : {}")
    return min(steps.values(), default=-1)


def opened(server: Server, line: Network, visit: Callable[..., Page], key: str) -> tuple[Page, Trainer]:
    """A page that shows a run's first frames across the line, and who sends them."""
    trainer = Trainer(server, key=f"{key} 1234567890123")
    run = trainer.hear()["run"]
    trainer.send(*range(5))
    page = visit(f"{line.url}/r/{run}", expected=GONE)
    wait_for(lambda: painted(page) == 4, "the first frames to be drawn")
    return page, trainer


def histories(page: Page) -> list[str]:
    """The requests for histories that a page will make, as it makes them."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/history" in request.url else None)
    return asked


def test_a_page_that_was_asleep_catches_up_in_one_request(
    shared_server: Server, line: Network, visit: Callable[..., Page]
) -> None:
    page, trainer = opened(shared_server, line, visit, "asleep")
    asked = histories(page)
    line.refuse()  # as of a laptop that was shut: when it wakes its connection is gone, and much has come
    expect(page.get_by_test_id("connection").first).to_be_visible()
    for first in range(5, MEANWHILE, AT_ONCE):
        trainer.say(*(wire.encode(frame(seq)) for seq in range(first, first + AT_ONCE)))
        trainer.acknowledged(first + AT_ONCE - 1)
    line.heal()
    wait_for(lambda: painted(page) == MEANWHILE - 1, "the page to be up to date")
    expect(page.get_by_test_id("connection").first).to_be_hidden()
    assert len(asked) == 1, asked
    trainer.send(MEANWHILE)
    wait_for(lambda: painted(page) == MEANWHILE, "the next frame to come by itself")
    assert len(asked) == 1, asked


def test_a_page_gives_up_a_line_that_is_dead_without_a_word(
    shared_server: Server, line: Network, visit: Callable[..., Page]
) -> None:
    page, trainer = opened(shared_server, line, visit, "dead")
    sockets: list[WebSocket] = []
    pongs: list[str | bytes] = []

    def hear(socket: WebSocket) -> None:
        sockets.append(socket)
        socket.on("framereceived", lambda data: pongs.append(data) if "pong" in str(data) else None)

    page.on("websocket", hear)
    page.clock.install()
    page.reload()
    wait_for(lambda: painted(page) == 4, "the first frames to be drawn again")
    for asked in range(1, 4):  # a line on which there is an answer is kept, however silent it is
        page.clock.fast_forward(20_000)
        wait_for(lambda asked=asked: painted(page) == 4 and len(pongs) == asked, "an answer")  # type: ignore[misc]
    assert len(sockets) == 1
    line.swallow()
    trainer.send(*range(5, 9))
    trainer.acknowledged(8)
    page.clock.fast_forward(20_000)
    assert painted(page) == 4
    line.heal()  # for new connections; that of the page stays dead
    page.clock.fast_forward(20_000)
    wait_for(lambda: painted(page) == 8, "the page to have another connection")
    assert len(sockets) == 2
