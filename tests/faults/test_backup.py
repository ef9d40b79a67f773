"""A backup that is made while runs stream, and a server that is started on it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from normscope import wire

from ..conftest import HOUSE, Server, serving, wait_for
from ..frames import frame
from .database import check, copied, frames, last_seqs
from .processes import streams

if TYPE_CHECKING:
    from pathlib import Path


def back_up(data: Path, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "normscope", "backup", str(file), "--data", str(data)]
    return subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, timeout=60, check=False)


def test_a_backup_of_a_server_at_work_is_whole_and_can_be_served(shared_server: Server, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with streams(shared_server.url, tmp_path, 2) as some:
        for one in some:
            wait_for(lambda one=one: one.acknowledged > 50, "frames to be acknowledged")  # type: ignore[misc]
        before = {one.name: one.acknowledged for one in some}
        made = back_up(shared_server.data, copy)
        assert (made.returncode, made.stderr) == (0, "")
        assert all(one.process.poll() is None for one in some)
        for one in some:
            one.finish()
    with closing(sqlite3.connect(copy)) as database:
        kept = last_seqs(database)
    assert all(kept[name] + 1 >= count for name, count in before.items())
    assert made.stdout == f"{copy}: 2 runs, {sum(kept.values()) + 2:,} frames\n"
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
    again = back_up(shared_server.data, copy)
    assert (again.returncode, again.stderr) == (1, f"normscope: {copy} exists already\n")
    restored = tmp_path / "restored"
    restored.mkdir()
    shutil.copy(copy, restored / "normscope.db")
    with serving(restored) as server:
        runs = [run for e in server.get("/api/experiments")["experiments"] for run in e["runs"]]
        assert {run["name"]: server.run(run["id"])["last_step"] for run in runs} == kept
        with copied(restored) as database:
            check(database)
            for name, last in kept.items():
                assert frames(database, name) == [wire.encode(frame(seq)) for seq in range(last + 1)]


def test_a_backup_of_nothing_is_a_sentence(tmp_path: Path) -> None:
    made = back_up(tmp_path, tmp_path / "copy.db")
    assert (made.returncode, made.stderr) == (1, f"normscope: there is no database {tmp_path}/normscope.db\n")
