"""A short run of what `make soak` does for long, and the page that it writes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psutil

from ..conftest import serving, wait_for
from ..faults.database import copied, intact
from ..soak import page
from ..soak.__main__ import PARTS, Part, main
from ..soak.found import Found
from ..soak.load import GROWTH, MORE, SLOWER, Hour, judged, look
from ..soak.team import FLAGS, LAYERS, Team
from ..soak.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from ..conftest import Server

WELL = Vitals(100.0, 200.0, 50, 10, (0.01,) * 20)


def connected(server: Server) -> int:
    """How many lines a server has open."""
    assert server.process is not None
    lines = psutil.Process(server.process.pid).net_connections("tcp")
    return sum(line.status == psutil.CONN_ESTABLISHED for line in lines)


def test_a_team_uses_a_server_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with serving(tmp_path / "data", *FLAGS) as server:
        team = Team(server, frames=120)
        team.hour(0.25)
        after = look(server, team, 0)
        assert (team.hours, team.sent, team.lost, team.doubled) == (1, 240, 0, 0)
        assert len(after.vitals.delays) == len(team.delays) > 30
        wait_for(lambda: connected(server) <= 1, "all lines to be closed but our own")
        assert "Traceback" not in server.log
    with copied(tmp_path / "data") as database:
        intact(database)
        layers = database.execute("SELECT json_array_length(layers) FROM runs WHERE name LIKE 'net %'").fetchall()
        assert layers == [(LAYERS,)] * 2


def test_what_grows_is_told_and_what_stays_is_not() -> None:
    flat = [Hour(WELL, 10.0, 2.0)] * 9
    assert judged(flat).faults == []
    first = [Hour(replace(WELL, memory=50.0, files=20), 1.0, 1.0)] * 3  # filling what is kept is no growth
    assert judged([*first, *flat[3:]]).faults == []
    grown = {
        "memory": replace(WELL, memory=100 * GROWTH + 1),
        "launcher": replace(WELL, launcher=200 * GROWTH + 1),
        "files": replace(WELL, files=50 + MORE + 1),
        "threads": replace(WELL, threads=10 + MORE + 1),
        "p95": WELL.heard([0.01] * 15 + [0.011 * SLOWER] * 5),
    }
    for what, vitals in grown.items():
        (fault,) = judged([*flat[:6], *[Hour(vitals, 10.0, 2.0)] * 3]).faults
        assert what in fault
    assert len(judged([*flat[:6], *[Hour(WELL, 10.0, 3.0)] * 3]).faults) == 1


def test_a_part_replaces_its_row_and_keeps_those_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fine(folder: Path, size: float, tell: Callable[[str], None]) -> Found:
        tell("half of it")
        return Found(int(size), 7000, 7000, 0, 0, WELL, replace(WELL, memory=101.0), "whether it is there")

    def broken(folder: Path, size: float, tell: Callable[[str], None]) -> Found:
        raise AssertionError("frame 3 is missing")

    there = tmp_path / "page.md"
    monkeypatch.setitem(PARTS, "kills", Part("it is killed", fine, 5))
    monkeypatch.setitem(PARTS, "load", Part("it is loaded", fine, 2, "minutes", alone=True))
    assert main(["kills", "load", "--times", "4"], there) == 0
    first = page.kept(there.read_text("utf-8"))
    figures = "4 | 7,000 | 7,000 | 0 | 0 | 100 → 101 | 50 → 50 | 10.0 → 10.0 | 10.0 → 10.0 | held |"
    assert first["kills"][0] == f"| `kills` | it is killed | {figures}"
    assert first["kills"][1].startswith("- `kills`: whether it is there. Measured ")
    monkeypatch.setitem(PARTS, "kills", Part("it is killed", broken, 5))
    assert main(["kills"], there) == 1
    second = page.kept(there.read_text("utf-8"))
    assert second["load"] == first["load"]
    assert second["kills"][0].endswith(" | **failed** |")
    assert "**AssertionError: frame 3 is missing**" in second["kills"][1]
    assert f"**1 of {len(PARTS)}** held." in there.read_text("utf-8")


def test_a_tab_that_slept_has_every_step_when_it_wakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.soak.tabs.HOUR", 700)
    there = tmp_path / "page.md"
    assert main(["sleepers", "--times", "2"], there) == 0
    assert "| 2 | 1,420 | 1,420 | 0 | 0 |" in there.read_text("utf-8")


def test_the_page_says_that_every_part_has_held() -> None:
    text = page.PAGE.read_text("utf-8")
    rows = page.kept(text)
    assert [*rows] == [*PARTS], "run make soak"
    assert {part: row.rpartition(" | ")[2] for part, (row, _) in rows.items()} == dict.fromkeys(PARTS, "held |")
    assert page.written(text, {}, [*PARTS]) == text
