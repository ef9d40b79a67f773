"""Backups that are made while runs stream."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from normscope import wire

from ..conftest import HOUSE, serving, wait_for
from ..faults.database import check, copied, frames, last_seqs
from ..faults.killing import RATE, RUNS
from ..faults.processes import streams
from ..frames import frame
from .found import Found
from .servers import count
from .vitals import examine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAUSE: Final = 2.0
"""Seconds between two backups."""


def copies(folder: Path, times: float, tell: Callable[[str], None]) -> Found:
    """`normscope backup`, again and again, each of which is looked at as a database of its own."""
    found = Found(sent=0, acknowledged=0, lost=0, doubled=0)
    with serving(folder / "data") as server, streams(server.url, folder, RUNS, RATE) as some:
        wait_for(lambda: all(one.acknowledged > RATE for one in some), "frames to be acknowledged")
        found.before = examine(server)
        while found.times < times:
            there = {one.name: one.acknowledged for one in some}
            kept = folder / f"copy {found.times}"
            kept.mkdir()
            made = subprocess.run(
                [sys.executable, "-m", "normscope", "backup", str(kept / "normscope.db"), "--data", str(server.data)],
                cwd=HOUSE, capture_output=True, text=True, check=False,
            )  # fmt: skip
            found.times += 1
            found.expect(made.returncode == 0, f"backup {found.times} was not made: {made.stderr.strip()}")
            with closing(sqlite3.connect(kept / "normscope.db")) as database:
                check(database)
                last = last_seqs(database)
                for name, acknowledged in there.items():
                    found.lost = (found.lost or 0) + max(0, acknowledged - 1 - last[name])
                    whole = [wire.encode(frame(seq)) for seq in range(last[name] + 1)]
                    found.expect(frames(database, name) == whole, f"backup {found.times} has not the frames of {name}")
            shutil.rmtree(kept)
            tell(f"{found.times} of {times:g}")
            time.sleep(PAUSE)
        found.after = examine(server)
        for one in some:
            one.finish()
        with copied(server.data) as database:
            check(database)
            for one in some:
                count(found, one, frames(database, one.name))
        found.expect("Traceback" not in server.log, "the server's log has a traceback")
    found.judge()
    found.checked = (
        f"{RUNS} runs stream {RATE} frames a second each; every copy is a database of its own that is intact "
        "and has each frame that was acknowledged when it was begun, byte by byte, and what came then up to "
        "a moment, each once; in the end so has the server"
    )
    return found
