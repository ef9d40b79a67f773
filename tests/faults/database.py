"""What a database file must be, whatever happened to those who wrote it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from app.store.levels import MADE
from app.store.packing import unpack
from normscope import wire

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def copied(data: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a data folder's database as it lies there: looking at the original would recover it."""
    with tempfile.TemporaryDirectory() as folder:
        for file in data.glob("normscope.db*"):
            shutil.copy(file, folder)
        with contextlib.closing(sqlite3.connect(Path(folder) / "normscope.db")) as database:
            yield database


def last_seqs(database: sqlite3.Connection) -> dict[str, int]:
    """The number of the last committed frame of each run, by name."""
    return dict(database.execute("SELECT name, last_seq FROM runs"))


def intact(database: sqlite3.Connection) -> None:
    """As SQLite wants it."""
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def check(database: sqlite3.Connection) -> None:
    """Intact, and of every run each frame once and each merge that is due and kept."""
    intact(database)
    for run, last in database.execute("SELECT id, last_seq FROM runs").fetchall():
        level = 0
        while (due := (last + 1) // wire.MERGE**level) > 0:
            query = "SELECT number FROM blocks WHERE run = ? AND level = ? ORDER BY number"
            found = [number for (number,) in database.execute(query, (run, level))]
            assert found == list(range(due)) or (level == MADE and set(found) <= set(range(due))), (run, level)
            level += 1
        above = "SELECT count(*) FROM blocks WHERE run = ? AND level >= ?"
        assert database.execute(above, (run, level)).fetchone() == (0,)


def frames(database: sqlite3.Connection, name: str) -> list[bytes]:
    """The encoded frames of a run, in order."""
    query = (
        "SELECT data FROM blocks JOIN runs ON runs.id = blocks.run WHERE runs.name = ? AND level = 0 ORDER BY number"
    )
    return [unpack(data) for (data,) in database.execute(query, (name,))]
