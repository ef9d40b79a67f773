"""A server that has as many viewers as it takes: whoever comes then is told so, and comes in once there is room."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import Route, expect

from tests.conftest import Server, wait_for
from tests.frames import Trainer, open_socket

from .test_page import painted, wait_painted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

FILES: Final = 128
PLACES: Final = FILES // 2
"""Viewers that a server takes that may open so many files."""
FULL: Final = "The server has too many viewers. Waiting for a place…"
REFUSED: Final = ("WebSocket connection", "1013")
"""What Chromium itself says of a socket that is closed at once."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Server]:
    """A server with few places."""
    server = Server(tmp_path / "data", before=("prlimit", f"--nofile={FILES}"))
    server.start()
    yield server
    server.close()


def test_who_finds_no_place_is_told_so_and_comes_in_once_there_is_room(
    small: Server, visit: Callable[..., Page]
) -> None:
    trainer = Trainer(small)
    run = trainer.hear()["run"]
    trainer.send(*range(5))
    trainer.acknowledged(4)
    crowd = [open_socket(small, "/ws/live") for _ in range(PLACES)]
    page = visit(f"{small.url}/r/{run}", expected=REFUSED)
    note = page.get_by_test_id("connection").first
    expect(note).to_have_text(FULL)
    wait_painted(page, 4)  # what has been is shown all the same
    trainer.send(5)
    trainer.acknowledged(5)
    expect(note).to_be_visible()
    assert painted(page) == 4
    crowd.pop().close()
    expect(note).to_be_hidden(timeout=30_000)
    wait_painted(page, 5)
    trainer.send(6)
    wait_for(lambda: painted(page) == 6, "the next frame to come by itself")
    late = visit("about:blank", expected=REFUSED)
    held: list[Route] = []
    late.route(re.compile("/api/experiments$"), lambda route: route.continue_() if held else held.append(route))
    late.goto(small.url)
    expect(late.get_by_test_id("connection").first).to_have_text(FULL)
    held[0].continue_()
    expect(late.get_by_test_id("experiment-row")).to_have_count(1)  # a list that comes late says nothing of the line
    expect(late.get_by_test_id("connection").first).to_have_text(FULL)
    page.close()
    expect(late.get_by_test_id("connection").first).to_be_hidden(timeout=30_000)
