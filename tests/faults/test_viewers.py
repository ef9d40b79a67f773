"""Viewers that read nothing, and very many at once: the others and the server go on; `make soak` has more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from ..conftest import Server
from .viewers import come_at_once, read_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES: Final = 300
"""How many files the server may open, by which it is full with half as many viewers."""
DEAF: Final = 10
"""How many read nothing."""
FRAMES: Final = 400
"""Of 39 KB, which they are sent."""
MOST: Final = 32 << 20
"""Bytes by which the server may grow for them: a fifth of what they are sent."""
EACH: Final = 100 << 10
"""Bytes by which it may grow for each viewer that reads."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the system lets open few files."""
    one = Server(tmp_path_factory.mktemp("small") / "data", before=("prlimit", f"--nofile={FILES}"))
    one.start()
    yield one
    one.close()


def test_viewers_that_read_nothing_cost_the_others_no_frame_and_the_server_little_memory(small: Server) -> None:
    found = read_nothing(small, DEAF, FRAMES)
    assert found.seen == list(range(FRAMES))
    assert found.came >= DEAF
    assert DEAF * found.sent > 4 * MOST
    assert found.grown < MOST
    assert "Traceback" not in small.log


def test_viewers_that_come_at_once_are_served_or_told_that_there_are_too_many(small: Server) -> None:
    crowd = come_at_once(small, viewers=200)
    assert crowd.served >= FILES // 2 - 9
    assert crowd.served + crowd.refused["too many viewers; try again later"] == 200
    assert crowd.grown < 200 * EACH
    assert "Traceback" not in small.log
