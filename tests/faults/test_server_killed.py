"""The server is killed while runs stream; `make soak` does it a hundred times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .killing import kill_at_random

if TYPE_CHECKING:
    from pathlib import Path

    from ..conftest import Server


def test_what_was_acknowledged_outlives_the_server_and_nothing_is_missing_or_doubled(
    server: Server, tmp_path: Path
) -> None:
    found = kill_at_random(server, tmp_path, kills=5)
    assert (found.kills, found.lost, found.doubled) == (5, 0, 0)
    assert found.sent > 0
    assert "Traceback" not in server.log
