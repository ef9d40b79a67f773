"""Frames stored durably by one server, beside a bare bulk insert of the same bytes."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg

from tests.frames import Trainer

from .meter import Meter
from .streams import LAYERS, Stream

if TYPE_CHECKING:
    from tests.conftest import Server
    from tests.services import Postgres

    from .table import Table

_TRAINERS: Final = 4
_MESSAGE: Final = 25
"""Frames in a message, as a fast net's travel."""
_ROWS: Final = 500
"""Rows in a commit of the bare insert: what a server's commit holds when much comes in."""


def measure(table: Table, server: Server, postgres: Postgres | None, frames: int) -> None:
    """Have some training processes send so many frames to a server, on PostgreSQL if there is one, else on SQLite."""
    name, goal = ("SQLite", 2000) if postgres is None else ("PostgreSQL", 1500)
    assert server.process is not None
    database = Meter(postgres.pid, family=True) if postgres else None
    with Meter(server.process.pid) as meter, database or contextlib.nullcontext():
        rate, size = _store(server, frames // _TRAINERS)
    url = None if postgres is None else server.flags[server.flags.index("--store") + 1]
    rows = _rows(url or server.data / "normscope.db")
    bare = _bare_sqlite(server.data, rows) if postgres is None else _bare_postgres(postgres, rows)
    insert = frames / bare
    table.add(
        f"frames of {LAYERS} layers ({size / 1024:.1f} KB) stored durably per second, {name}", f"{rate:.0f}",
        f"≥ {goal}, ≥ 0.5 × bare", f"bare bulk insert of the same bytes {insert:.0f} ({rate / insert:.2f} ×)",
    )  # fmt: skip
    table.cost(f"{name.lower()}_frames_per_second", rate)
    table.cost(f"{name.lower()}_server_seconds_per_frame", meter.seconds / frames)
    table.cost(f"{name.lower()}_bytes_per_frame", _stored(url or server.data / "normscope.db") / frames)
    if database is not None:
        table.cost("frame_bytes", size)
        table.cost("postgresql_seconds_per_frame", database.seconds / frames)


def _store(server: Server, each: int) -> tuple[float, float]:
    """Frames per second that some training processes get acknowledged, and the bytes of one."""
    stream = Stream()
    encoded = [stream.frame(seq) for seq in range(each)]
    trainers = [Trainer(server, key=f"bench {i} 1234567890", layers=stream.layers) for i in range(_TRAINERS)]
    for trainer in trainers:
        trainer.hear()

    def send(trainer: Trainer) -> None:
        for at in range(0, each, _MESSAGE):
            trainer.say(*encoded[at : at + _MESSAGE])
        trainer.acknowledged(each - 1)

    began = time.perf_counter()
    with ThreadPoolExecutor(_TRAINERS) as threads:
        list(threads.map(send, trainers))
    took = time.perf_counter() - began
    for trainer in trainers:
        trainer.close()
    return each * _TRAINERS / took, stream.size


def _stored(where: Path | str) -> float:
    """Bytes on the disk."""
    if isinstance(where, Path):
        return sum(where.with_name(where.name + end).stat().st_size for end in ("", "-wal"))
    with psycopg.connect(where) as there:
        parts = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'blocks'::regclass"
        found = there.execute(parts).fetchone()
        assert found is not None
        return float(found[0])


def _rows(where: Path | str) -> list[tuple[Any, ...]]:
    """The blocks as they stand in a database."""
    query = "SELECT run, level, number, first_step, last_step, data FROM blocks"
    if isinstance(where, Path):
        with contextlib.closing(sqlite3.connect(where)) as db:
            return db.execute(query).fetchall()
    with psycopg.connect(where) as there:
        return there.execute(query).fetchall()


_COLUMNS: Final = (
    "run varchar(16), level int, number int, first_step int, last_step int, data {blob}, "
    "PRIMARY KEY (run, level, number)"
)


def _bare_sqlite(place: Path, rows: list[tuple[Any, ...]]) -> float:
    with contextlib.closing(sqlite3.connect(place / "bare.db")) as db:
        for pragma in ("page_size=16384", "journal_mode=WAL", "synchronous=FULL"):
            db.execute(f"PRAGMA {pragma}")
        db.execute(f"CREATE TABLE blocks ({_COLUMNS.format(blob='blob')})")
        began = time.perf_counter()
        for at in range(0, len(rows), _ROWS):
            with db:
                db.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?)", rows[at : at + _ROWS])
        return time.perf_counter() - began


def _bare_postgres(postgres: Postgres, rows: list[tuple[Any, ...]]) -> float:
    with psycopg.connect(postgres.empty(), autocommit=True) as db:
        db.execute(f"CREATE TABLE blocks ({_COLUMNS.format(blob='bytea')})")
        db.execute("ALTER TABLE blocks ALTER COLUMN data SET STORAGE EXTERNAL")
        began = time.perf_counter()
        for at in range(0, len(rows), _ROWS):
            with db.cursor().copy("COPY blocks FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["varchar", "int4", "int4", "int4", "int4", "bytea"])
                for row in rows[at : at + _ROWS]:
                    copy.write_row(row)
        return time.perf_counter() - began
