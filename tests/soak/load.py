"""Many hours of a team's ordinary use in a few minutes: what a server needs must not grow."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import psutil

from ..conftest import serving, wait_for
from ..faults.database import copied, intact
from .found import Found
from .team import FLAGS, IN_WORDS, Team
from .vitals import MB, Vitals, measure, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..conftest import Server

CLEARED_EVERY: Final = 60.0
"""Seconds after which a server looks again for what can be removed and thinned."""
GROWTH: Final = 1.1
"""How many times what it was in the second third of the hours memory may be in the last;"""
BUSIER: Final = 1.25
"""how many times as many seconds of a processor an hour may cost the server;"""
SLOWER: Final = 2.0
"""how many times as long answers may take, on a machine that may have other things to do;"""
MORE: Final = 4
"""and how many more files and threads there may be."""
BOUNDS: Final = (
    f"memory of the server and of its launcher ≤ {GROWTH:g} ×, file handles and threads ≤ +{MORE}, processor time of "
    f"the server ≤ {BUSIER:g} ×, answers at p50 and p95 ≤ {SLOWER:g} ×"
)


@dataclass(frozen=True)
class Hour:
    """How a server was after an hour, when all had left; what that has cost it.

    Attributes:
        vitals: Of the server.
        database: Its size, in MB.
        processor: Seconds of it that the hour took.
    """

    vitals: Vitals
    database: float
    processor: float


def load(folder: Path, minutes: float, tell: Callable[[str], None], size: float = 1.0) -> Found:
    """Hours of a team's use, or a share of each, one after the other for so many minutes, and three at least."""
    hours: list[Hour] = []
    with serving(folder / "data", *FLAGS) as server:
        team, began = Team(server), time.monotonic()
        while time.monotonic() < began + 60 * minutes or len(hours) < 3:
            spent = processor(server)
            team.hour(size)
            hours.append(look(server, team, spent))
            vitals = hours[-1].vitals
            p95 = vitals.milliseconds(0.95)
            tell(f"hour {len(hours)}: {vitals.memory:.0f} MB, {vitals.files} files, p95 {p95:.0f} ms")
        wait_for(lambda: not thrown_away(server), "what was deleted to be removed", 2 * CLEARED_EVERY)
        log = server.log
    with copied(folder / "data") as database:
        intact(database)
    found = judged(hours)
    found.sent = found.acknowledged = team.sent
    found.lost, found.doubled = team.lost, team.doubled
    found.judge()
    found.expect("Traceback" not in log, "the server's log has a traceback")
    return found


def thrown_away(server: Server) -> int:
    """How many experiments are deleted and not yet removed."""
    address = f"file:{server.data}/normscope.db?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
        found: int = database.execute("SELECT count(*) FROM experiments WHERE deleted IS NOT NULL").fetchone()[0]
        return found


def processor(server: Server) -> float:
    """Seconds that a server has computed so far."""
    assert server.process is not None
    times = psutil.Process(server.process.pid).cpu_times()
    return float(times.user + times.system)


def look(server: Server, team: Team, spent: float) -> Hour:
    """A server after an hour of a team's, before which it had computed for so many seconds."""
    settle(server)
    stored = sum(file.stat().st_size for file in server.data.glob("normscope.db*"))
    return Hour(measure(server).heard(team.delays), stored / MB, processor(server) - spent)


def judged(hours: Sequence[Hour]) -> Found:
    """The last third of the hours against the one before; the first has filled what is kept."""
    third = len(hours) // 3
    second, last = typical(hours[third : 2 * third]), typical(hours[-third:])
    found = Found(len(hours), before=second.vitals, after=last.vitals)
    found.expect(last.processor <= BUSIER * second.processor, "an hour costs more of a processor")
    for name, bound in (("memory", GROWTH), ("launcher", GROWTH)):
        was, now = getattr(second.vitals, name), getattr(last.vitals, name)
        found.expect(now <= bound * was, f"{name} has grown from {was:.0f} to {now:.0f} MB")
    for name in ("files", "threads"):
        was, now = getattr(second.vitals, name), getattr(last.vitals, name)
        found.expect(now <= was + MORE, f"{name} have grown from {was} to {now}")
    for share in (0.5, 0.95):
        was, now = (one.vitals.milliseconds(share) for one in (second, last))
        found.expect(now <= SLOWER * was, f"answers at p{100 * share:.0f} have slowed from {was:.1f} to {now:.1f} ms")
    found.checked = (
        f"{len(hours)} hours of the ordinary use of a team, for each has all that such a team does in one: {IN_WORDS}. "
        "All frames of each run as soon as it is over, byte by byte; every answer is a good one; the database is "
        "intact and has nothing of what was deleted. Before and after are the second third of the hours and the last, "
        f"at the end of an hour when all have left; bounds: {BOUNDS}. Launcher {second.vitals.launcher:.0f} → "
        f"{last.vitals.launcher:.0f} MB, threads {second.vitals.threads} → {last.vitals.threads}, processor "
        f"{second.processor:.1f} → {last.processor:.1f} s an hour; database {second.database:.0f} → "
        f"{last.database:.0f} MB, the most that there was at a time: a server removes what is deleted once a minute, "
        "which is many hours here. Delays are those of all requests, pages and histories included"
    )
    return found


def typical(hours: Sequence[Hour]) -> Hour:
    """The medians of some hours, and all of their delays."""

    def middle(name: str) -> float:
        return float(median(getattr(hour.vitals, name) for hour in hours))

    delays = tuple(delay for hour in hours for delay in hour.vitals.delays)
    vitals = Vitals(middle("memory"), middle("launcher"), int(middle("files")), int(middle("threads")), delays)
    return Hour(vitals, median(hour.database for hour in hours), median(hour.processor for hour in hours))
