"""Frames stored, viewers fed and servers crossed per second, each beside the least that could do it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg
from websockets.asyncio.client import connect

from normscope import sketch, wire
from tests.conftest import HOUSE, Server, free_port, wait_for
from tests.frames import LAYERS, Trainer, split
from tests.services import Postgres, Valkey

from .audience import Heard, attend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .table import Table

_LAYERS: Final = 20
_TRAINERS: Final = 4
_MESSAGE: Final = 25
"""Frames in a message, as a fast net's travel."""
_ROWS: Final = 500
"""Rows in a commit of the bare insert: what a server's commit holds when much comes in."""
_RATE: Final = 5.0
_SECONDS: Final = 10.0
_SIZE: Final = 4096
"""Bytes of an update."""


def measure(table: Table, viewers: int, frames: int) -> None:
    """All of it, on services of its own that write to the disk as in earnest."""
    with tempfile.TemporaryDirectory(prefix="normscope-bench-", ignore_cleanup_errors=True) as folder, _services() as (
        postgres, valkey,
    ):  # fmt: skip
        place = Path(folder)
        _measure_storing(table, place, postgres, frames)
        _measure_crossing(table, place, postgres, valkey)
        _measure_viewers(table, place, viewers)


@contextlib.contextmanager
def _services() -> Iterator[tuple[Postgres, Valkey]]:
    postgres, valkey = Postgres(Path(tempfile.mkdtemp(prefix="normscope-postgres-")), durable=True), Valkey()
    postgres.start()
    valkey.start()
    try:
        yield postgres, valkey
    finally:
        valkey.kill()
        postgres.stop()


@contextlib.contextmanager
def _server(data: Path, *flags: str) -> Iterator[Server]:
    server = Server(data, flags=flags)
    server.start()
    try:
        yield server
    finally:
        server.close()


def _frames(count: int, layers: int = _LAYERS, values: int = 5000) -> list[bytes]:
    """Encoded frames as nets of so many layers send them; only their numbers differ."""
    rng = np.random.default_rng(0)
    tallies = [sketch.histogram(rng.normal(0, 1 + row, values)) for row in range(layers)]
    made = wire.Frame(
        0, 0, 0, time.time(), series={"loss": wire.Series.of(1.0)}, layers=np.arange(layers),
        kinds=np.zeros(layers, np.int64), moments=np.tile([0.0, 1.0, -3.0, 3.0], (layers, 1)),
        counters=np.tile([values, 0, 0, 0], (layers, 1)),
        bins=np.concatenate([np.flatnonzero(t) + row * sketch.BINS for row, t in enumerate(tallies)]),
        counts=np.concatenate([t[t > 0] for t in tallies]),
    )  # fmt: skip
    found = []
    for seq in range(count):
        made.seq = made.first_step = made.last_step = seq
        found.append(wire.encode(made))
    return found


def _measure_storing(table: Table, place: Path, postgres: Postgres, frames: int) -> None:
    url = postgres.fresh()
    for name, goal, flags in (("SQLite", 2000, ()), ("PostgreSQL", 1500, ("--store", url))):
        with _server(place / name, *flags) as server:
            rate, size = _store(server, frames // _TRAINERS)
        rows = _rows(place / name / "normscope.db" if not flags else url)
        bare = _bare_sqlite(place, rows) if not flags else _bare_postgres(postgres, rows)
        insert = frames / bare
        table.add(
            f"frames of {_LAYERS} layers ({size / 1024:.1f} KB) stored durably per second, {name}", f"{rate:.0f}",
            f"≥ {goal}, ≥ 0.5 × bare", f"bare bulk insert of the same bytes {insert:.0f} ({rate / insert:.2f} ×)",
        )  # fmt: skip


def _store(server: Server, each: int) -> tuple[float, float]:
    """Frames per second that some training processes get acknowledged, and the bytes of one."""
    encoded = _frames(each)
    layers = tuple(wire.Layer(f"layer{i}", "Linear") for i in range(_LAYERS))
    trainers = [Trainer(server, key=f"bench {i} 1234567890", layers=layers) for i in range(_TRAINERS)]
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
    return each * _TRAINERS / took, len(encoded[0])


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


def _measure_crossing(table: Table, place: Path, postgres: Postgres, valkey: Valkey) -> None:
    flags = ("--store", postgres.fresh(), "--bus", valkey.url)
    with _server(place / "one", *flags) as one, _server(place / "two", *flags) as two:
        same, other = (asyncio.run(_watched(one, viewed, 1, 20.0, _SECONDS)) for viewed in (one, two))
    added = other.at(0.95) - same.at(0.95)
    table.add(
        "added delay when trainer and viewer are on different servers, p95", f"{1000 * added:.0f} ms", "≤ 50 ms",
        f"the same server {same.words()}; different ones {other.words()}",
    )  # fmt: skip


def _measure_viewers(table: Table, place: Path, viewers: int) -> None:
    with _server(place / "viewers") as server:
        ours = asyncio.run(_watched(server, server, viewers, _RATE, _SECONDS))
    bare = asyncio.run(_broadcast(viewers))
    expected = round(_RATE * _SECONDS)
    table.add(
        f"{viewers:,} viewers of one server, {_RATE:g} updates of 4 KB per second each", ours.words(),
        "p99 ≤ 1.2 × bare, nobody starved", f"a bare starlette broadcaster {bare.words()}; "
        f"least updates that one got: {min(ours.counts)} of {expected}, bare {min(bare.counts)}",
    )  # fmt: skip


async def _watched(server: Server, viewed: Server, viewers: int, rate: float, seconds: float) -> Heard:
    """A training process of one server, watched at another or the same."""
    updates = _updates(round(rate * seconds))
    async with connect(f"ws://127.0.0.1:{server.port}/ws/ingest", compression=None, proxy=None) as trainer:
        await trainer.send(wire.Hello(f"watched {viewers} {viewed.port} 123", "watched", LAYERS).dump())
        run = json.loads(await trainer.recv())["run"]
        listening = asyncio.create_task(_ignore(trainer))
        heard = await attend(
            f"ws://127.0.0.1:{viewed.port}/ws/live", viewers, json.dumps({"type": "watch", "runs": [run]}),
            lambda message: [frame.seq for frame in split(message[2:])],
            lambda number: trainer.send(wire.pack([updates[number]])), rate=rate, seconds=seconds,
        )  # fmt: skip
        listening.cancel()
    return heard


async def _ignore(socket: Any) -> None:
    async for _ in socket:
        pass


def _updates(count: int) -> list[bytes]:
    """Frames of about 4 KB."""
    made = _frames(count, 2, 100)
    padding = np.zeros((_SIZE - len(made[0])) // 8)
    padded = []
    for data in made:
        frame = wire.decode(data)
        frame.series["padding"] = wire.Series.of(padding)
        padded.append(wire.encode(frame))
    return padded


async def _broadcast(viewers: int) -> Heard:
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "benchmarks.broadcaster:app", "--port", str(port), "--ws", "websockets-sansio",
        "--log-level", "error",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=HOUSE) as process:  # noqa: ASYNC220  nothing else is going on yet
        try:
            await asyncio.to_thread(wait_for, lambda: _listens(port), "the broadcaster")
            async with connect(f"ws://127.0.0.1:{port}/in", compression=None, proxy=None) as speaker:
                return await attend(
                    f"ws://127.0.0.1:{port}/out", viewers, None, lambda message: struct.unpack_from("<I", message),
                    lambda number: speaker.send(struct.pack("<I", number) + bytes(_SIZE - 4)),
                    rate=_RATE, seconds=_SECONDS,
                )  # fmt: skip
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
