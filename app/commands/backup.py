"""`normscope backup`: a copy of a data folder's database, whole and consistent, also while runs stream."""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from normscope.errors import NormscopeError

from ..settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Make a backup; the exit status."""
    parser = argparse.ArgumentParser(
        "normscope backup", description="Copy everything that the store keeps to a file, also while runs stream."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the copy, which must not exist yet")
    parser.add_argument(
        "--data", type=Path, default=Settings().data, help="the server's data folder (default: %(default)s)"
    )
    given = parser.parse_args(argv)
    try:
        runs, frames = back_up(given.data / "normscope.db", given.file)
    except NormscopeError as error:
        sys.stderr.write(f"normscope: {error}\n")
        return 1
    sys.stdout.write(f"{given.file}: {runs:,} runs, {frames:,} frames\n")
    return 0


def back_up(database: Path, file: Path) -> tuple[int, int]:
    """Copy a database as it is at one moment; how many runs and frames are in the copy.

    Raises:
        NormscopeError: If there is none, if the copy exists, cannot be made or is not intact.
    """
    if not database.exists():
        raise NormscopeError(f"there is no database {database}")
    if file.exists():
        raise NormscopeError(f"{file} exists already")
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        counts = _copy(database, part)
        part.replace(file)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise NormscopeError(f"cannot copy {database} to {file}: {error}") from error
    return counts


def _copy(database: Path, part: Path) -> tuple[int, int]:
    source = contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=10))
    with source as live, contextlib.closing(sqlite3.connect(part)) as copy:
        # All pages in one go: a backup in pieces begins anew whenever the server commits, which it does all the time.
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
        found = copy.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(f"the copy is not intact: {found}")
        runs, frames = copy.execute("SELECT count(*), sum(last_seq + 1) FROM runs").fetchone()
    return runs, frames or 0
