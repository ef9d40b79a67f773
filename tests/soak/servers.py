"""Servers that are killed, and servers whose disk is full."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING, Final

from normscope import wire

from ..conftest import serving, wait_for
from ..faults.database import check, copied, frames
from ..faults.killing import RATE, RUNS, kill_at_random
from ..faults.processes import streams
from ..faults.stream import PATIENCE
from ..frames import frame
from .found import Found
from .vitals import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..faults.processes import Stream
    from .vitals import Vitals

DISK: Final = "24m"
"""How large the disk is that is filled up."""
CANNOT_WRITE: Final = "ERROR normscope.store: cannot write to the database: "


def kills(folder: Path, times: float, tell: Callable[[str], None]) -> Found:
    """SIGKILL at random moments while runs stream."""
    vitals: list[Vitals] = []
    with serving(folder / "data") as server:

        def before(kill: int) -> None:
            if kill in (0, times - 1):
                vitals.append(examine(server))
            if kill % 10 == 0:
                tell(f"{kill} of {times:g}")

        killed = kill_at_random(server, folder, int(times), before=before)
        log = server.log
    found = Found(killed.kills, killed.sent, killed.acknowledged, killed.lost, killed.doubled, vitals[0], vitals[-1])
    found.judge()
    found.expect("Traceback" not in log, "the server's log has a traceback")
    found.checked = (
        f"{RUNS} runs stream {RATE} frames a second each; after each kill, in the database as it lies there, "
        "`PRAGMA integrity_check`, foreign keys, every acknowledged frame, each frame and each merge that is due once; "
        "in the end all frames byte by byte. Before and after: before the first kill and before the last"
    )
    return found


def disk(folder: Path, times: float, tell: Callable[[str], None]) -> Found:
    """A small disk that is filled up and emptied again while runs stream."""
    data = folder / "data"
    data.mkdir()
    try:
        with small_disk(data):
            return _fill_up(folder, data, int(times), tell)
    except subprocess.CalledProcessError as error:
        return Found(missing=f"a small disk cannot be mounted here ({error.stderr.strip()})")


@contextlib.contextmanager
def small_disk(at: Path) -> Iterator[None]:
    """A disk of its own at a folder; CalledProcessError without the rights to mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(at)]
    subprocess.run(mount, check=True, capture_output=True, text=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def _fill_up(folder: Path, data: Path, times: int, tell: Callable[[str], None]) -> Found:
    (data / "server.log").symlink_to(folder / "server.log")  # which is read while the disk is full
    found = Found()
    with serving(data) as server, streams(server.url, folder, 2, RATE) as some:
        _go_on(some)
        found.before = examine(server)
        for _ in range(times):
            ballast = fill(data / "ballast")
            found.times += 1
            wait_for(lambda: server.log.count(CANNOT_WRITE) == found.times, "the server to say so")
            put = [one.put for one in some]
            wait_for(lambda: all(one.put > last + RATE for one, last in zip(some, put, strict=True)), "training")  # noqa: B023
            with copied(data) as database:
                check(database)
            ballast.unlink()
            _go_on(some)
            tell(f"{found.times} of {times}")
        found.after = examine(server)
        for one in some:
            one.finish()
        with copied(data) as database:
            check(database)
            found.sent = found.acknowledged = found.lost = found.doubled = 0
            for one in some:
                count(found, one, frames(database, one.name))
        found.expect("Traceback" not in server.log, "the server's log has a traceback")
    found.judge()
    found.checked = (
        f"a disk of {DISK.upper()}B is filled to the last byte, and emptied again, while 2 runs stream {RATE} frames a "
        "second each; the server says so once and goes on, training goes on, the database is intact every time; in the "
        "end all frames are there, byte by byte"
    )
    return found


def fill(file: Path) -> Path:
    """Write a file until its disk has no byte left."""
    with file.open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(bytes(4096)):
            pass
    return file


def count(found: Found, stream: Stream, there: list[bytes]) -> None:
    """Add the frames of a stream, of which these are there in the end."""
    expected = [wire.encode(frame(seq)) for seq in range(stream.put)]
    found.sent = (found.sent or 0) + stream.put
    found.acknowledged = (found.acknowledged or 0) + stream.acknowledged
    found.lost = (found.lost or 0) + len(set(expected) - set(there))
    found.doubled = (found.doubled or 0) + len(there) - len(set(there))
    found.expect(there == expected, f"the frames of {stream.name} are not those that were sent")


def _go_on(some: list[Stream]) -> None:
    """Wait until a second's worth of what each makes from now on has been acknowledged."""
    ends = [one.put + RATE for one in some]
    wait_for(lambda: all(one.acknowledged >= end for one, end in zip(some, ends, strict=True)), "frames", PATIENCE)
