"""SQLite: one file, one writer, nothing to install."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from . import StoreError, schema

if TYPE_CHECKING:
    from collections.abc import Sequence

# Given to the driver as it is: what SQLAlchemy does for each row takes longer than SQLite does.
_KEEP: Final = (
    "INSERT INTO blocks (run, level, number, first_step, last_step, data) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
READING: dict[str, Any] = {}
"""Options of connections that only read."""
APART = False
"""Operations share commits: there is one writer anyway."""


def open_engine(url: str) -> sa.Engine:
    """The database at a URL, made or migrated if need be; StoreError if that fails."""
    path = Path(url.removeprefix("sqlite:///"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"timeout": 10})
        sa.event.listen(engine, "connect", _configure)
        sa.event.listen(engine, "begin", _begin)
        with engine.execution_options(writes=True).begin() as connection:
            schema.migrate(connection)
    except (OSError, sa.exc.DatabaseError) as error:
        reason = error.orig if isinstance(error, sa.exc.DatabaseError) else error.strerror
        raise StoreError(f"cannot open the database {path}: {reason}") from error
    return engine


def keep(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows of blocks, packed, in the order of the table's columns; but those that are there."""
    connection.exec_driver_sql(_KEEP, list(rows))


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by rules of its own; _begin does
    # WAL: readers never wait for the writer. FULL: what was acknowledged is on the disk, even if the power fails.
    # Large pages waste less on blobs of a kilobyte or two; the size takes effect in a new file only.
    for pragma in ("page_size=16384", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    # A writer takes its place at once: one that began as a reader could not wait for another writer, only fail.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
