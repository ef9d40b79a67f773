"""Training processes that sleep, are killed, or are stopped."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from typing import TYPE_CHECKING, Final

import psutil

from normscope import wire

from ..conftest import Server, serving, wait_for
from ..faults.database import check, copied, frames
from ..faults.processes import MARK, marked, training
from ..faults.stream import PATIENCE
from .found import Found
from .vitals import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ..faults.processes import Training

PACE: Final = 20
"""Steps a second of a loop, each of which is looked at."""
SLEEPERS: Final = 3
TOGETHER: Final = 4
"""How many loops are killed at about the same time."""
LOST_AFTER: Final = 15
"""Seconds after which a silent run is called lost, unless a server is told otherwise."""
TINY: Final = {"depth": 1, "width": 8, "pace": 100, "landscape_every": 0, "steps": 1_000_000}


@contextlib.contextmanager
def loops(server: Server, folder: Path, names: Sequence[str]) -> Iterator[dict[str, Training]]:
    """Some users' loops, each of which has come so far that it is watched, by the ids of their runs."""
    with contextlib.ExitStack() as stack:
        some = [stack.enter_context(training(server, folder, name, pace=PACE)) for name in names]
        found = {one.run(server): one for one in some}
        for run in found:
            server.wait_step(run, PACE)
        yield found


def asleep(folder: Path, minutes: float, tell: Callable[[str], None]) -> Found:
    """A machine that falls asleep, with loops and their couriers, and wakes up again."""
    found = Found()
    names = [f"sleeper {i}" for i in range(SLEEPERS)]
    with serving(folder / "data") as server, loops(server, folder, names) as some:
        found.before = examine(server)
        began = time.monotonic()
        for loop in some.values():
            loop.signal_all(signal.SIGSTOP)
            found.times += 1
        slowest = missed(server, dict.fromkeys(some, began), found)
        stood = {run: server.run(run)["last_step"] for run in some}
        while (left := began + 60 * minutes - time.monotonic()) > 0:
            tell(f"{left:.0f} s to sleep")
            time.sleep(min(left, 60))
        for run, step in stood.items():
            found.expect(server.run(run)["last_step"] == step, f"run {run} went on in its sleep")
        for loop in some.values():
            loop.signal_all(signal.SIGCONT)
        for run, step in stood.items():
            server.wait_status(run, "running")
            server.wait_step(run, step + 5 * PACE)
        found.after = examine(server)
        leave(some.values(), signal.SIGTERM)
        compare(found, server, some.values())
    found.checked = (
        f"{SLEEPERS} loops that make {PACE} steps a second, and what sends for them, stopped for {minutes:g} minutes: "
        f"lost within {slowest:.1f} s, running again by themselves; in the end each step up to the last is there once"
    )
    return found


def gone(folder: Path, times: float, tell: Callable[[str], None]) -> Found:
    """Loops that are killed, or told to end, at random moments."""
    found, slowest, chance = Found(), 0.0, random.Random(0)
    with serving(folder / "data") as server:
        found.before = examine(server)
        while found.times < times:
            names = [f"loop {found.times + i}" for i in range(min(TOGETHER, int(times) - found.times))]
            with loops(server, folder, names) as some:
                since = {}
                for run, loop in some.items():
                    server.wait_step(run, loop.last + chance.randrange(PACE))
                    leave([loop], chance.choice([signal.SIGKILL, signal.SIGTERM]))
                    since[run] = time.monotonic()  # until then what sends for it has given signs of life
                    found.times += 1
                slowest = max(slowest, missed(server, since, found))
                compare(found, server, some.values())
            tell(f"{found.times} of {times:g}")
        found.after = examine(server)
    found.checked = (
        "SIGKILL or SIGTERM at a random moment: lost within "
        f"{slowest:.1f} s, no process left, each step up to the last that it could tell of is there once"
    )
    return found


def orphans(folder: Path, times: float, tell: Callable[[str], None]) -> Found:
    """Experiments that are stopped, after their server has been killed under them; what is left of them."""
    found = Found()
    server = Server(folder / "data", before=("env", f"{MARK}=soak"))
    try:
        while found.times < times:
            found.times += 1
            server.start()
            if found.times == 1:
                found.before = examine(server)
            experiment = server.begin(**TINY)
            runs = [run["id"] for run in experiment["runs"]]
            for run in runs:
                server.wait_step(run, 5, PATIENCE)
            server.kill()
            server.start()
            for run in runs:
                server.wait_status(run, "running", timeout=PATIENCE)
            server.post(f"/api/experiments/{experiment['id']}/stop")
            for run in runs:
                server.wait_status(run, "stopped", timeout=PATIENCE)
            found.after = examine(server)
            server.stop()
            wait_for(lambda: not marked("soak"), "everything to be gone")
            tell(f"{found.times} of {times:g}")
        with copied(server.data) as database:
            check(database)
    finally:
        server.close()
        for process in marked("soak"):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    found.checked = (
        "two runs of an experiment stream, their server is killed and started anew, they are stopped, then it: no "
        "process is left of any of them, and the database is intact"
    )
    return found


def missed(server: Server, since: dict[str, float], found: Found) -> float:
    """Wait for runs that fell silent to be called lost; the seconds that the slowest took."""
    slowest = 0.0
    for run, began in since.items():
        server.wait_status(run, "lost", timeout=2 * LOST_AFTER)
        slowest = max(slowest, time.monotonic() - began)
    found.expect(slowest <= LOST_AFTER, f"a run was called lost after {slowest:.1f} s")
    return slowest


def leave(some: Iterable[Training], number: signal.Signals) -> None:
    """Send loops their last signal, and wait for them to be gone with their couriers."""
    for loop in some:
        loop.process.send_signal(number)
        wait_for(lambda loop=loop: not marked(loop.name), f"what sends for {loop.name} to leave")  # type: ignore[misc]


def compare(found: Found, server: Server, some: Iterable[Training]) -> None:
    """Add the steps that loops have told of, and those of them that are there."""
    with copied(server.data) as database:
        check(database)
        for loop in some:
            steps = [wire.decode(data).first_step for data in frames(database, loop.name)]
            made = max(loop.last, *steps) + 1
            found.sent = (found.sent or 0) + made
            found.lost = (found.lost or 0) + made - len(set(steps))
            found.doubled = (found.doubled or 0) + len(steps) - len(set(steps))
    found.expect("Traceback" not in server.log, "the server's log has a traceback")
