"""What one server and two can carry, each figure beside the least that could do it."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from websockets.asyncio.client import connect

from tests.conftest import Server
from tests.services import Postgres, Valkey

from . import costs, failover, query, relays, storing
from .audience import SIZE, Heard, attend, watched
from .bare import Bare
from .meter import Meter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .table import Table

ROWS: Final = ("storing", "crossing", "viewers", "query", "failover", "costs", "relays")
_RATE: Final = 5.0
_SECONDS: Final = 10.0


def measure(table: Table, rows: Sequence[str], viewers: int, frames: int, steps: int) -> None:
    """The rows that are asked for, on services of its own that write to the disk as in earnest."""
    with tempfile.TemporaryDirectory(prefix="normscope-bench-", ignore_cleanup_errors=True) as folder, _services() as (
        postgres, valkey,
    ):  # fmt: skip
        place = Path(folder)
        for row in rows:
            match row:
                case "storing":
                    _measure_storing(table, place, postgres, frames)
                case "crossing":
                    _measure_crossing(table, place, postgres, valkey)
                case "viewers":
                    _measure_viewers(table, place, viewers)
                case "query":
                    _measure_query(table, place, steps)
                case "failover":
                    _measure_failover(table, place, postgres, valkey)
                case "costs":
                    asyncio.run(costs.measure(table, postgres, valkey))
                case "relays":
                    with _server(place / "relays") as server:
                        relays.measure(table, server)


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
def _server(data: Path, *flags: str, start: bool = True) -> Iterator[Server]:
    server = Server(data, flags=flags)
    if start:
        server.start()
    try:
        yield server
    finally:
        server.close()


def _measure_storing(table: Table, place: Path, postgres: Postgres, frames: int) -> None:
    with _server(place / "sqlite") as server:
        storing.measure(table, server, None, frames)
    with _server(place / "postgresql", "--store", postgres.fresh()) as server:
        storing.measure(table, server, postgres, frames)


def _measure_crossing(table: Table, place: Path, postgres: Postgres, valkey: Valkey) -> None:
    flags = ("--store", postgres.fresh(), "--bus", valkey.url)
    with _server(place / "one", *flags) as one, _server(place / "two", *flags) as two:
        same, other = (asyncio.run(watched(one, viewed, 1, rate=20.0, seconds=_SECONDS)) for viewed in (one, two))
    added = other.at(0.95) - same.at(0.95)
    table.add(
        "added delay when trainer and viewer are on different servers, p95", f"{1000 * added:.0f} ms", "≤ 50 ms",
        f"the same server {same.words()}; different ones {other.words()}",
    )  # fmt: skip


def _measure_viewers(table: Table, place: Path, viewers: int) -> None:
    with _server(place / "viewers") as server:
        assert server.process is not None
        meter = Meter(server.process.pid)
        before = meter.memory
        ours = asyncio.run(watched(server, server, viewers, rate=_RATE, seconds=_SECONDS, meters=[meter]))
        table.cost("bytes_of_memory_per_viewer", max(0, meter.memory - before) / viewers)
        table.cost("server_seconds_per_delivery", meter.seconds / sum(ours.counts))
    bare = asyncio.run(_broadcast(viewers))
    expected = round(_RATE * _SECONDS)
    table.add(
        f"{viewers:,} viewers of one server, {_RATE:g} updates of 4 KB per second each", ours.words(),
        "p99 ≤ 1.2 × bare, nobody starved", f"a bare starlette broadcaster {bare.words()}; "
        f"least updates that one got: {min(ours.counts)} of {expected}, bare {min(bare.counts)}",
    )  # fmt: skip


async def _broadcast(viewers: int) -> Heard:
    with contextlib.closing(Bare()) as bare:
        await asyncio.to_thread(bare.start)
        async with connect(f"ws://127.0.0.1:{bare.port}/in", compression=None, proxy=None) as speaker:
            return await attend(
                [f"ws://127.0.0.1:{bare.port}/out"], viewers, None, lambda message: struct.unpack_from("<I", message),
                lambda number: speaker.send(struct.pack("<I", number) + bytes(SIZE - 4)),
                rate=_RATE, seconds=_SECONDS,
            )  # fmt: skip


def _measure_query(table: Table, place: Path, steps: int) -> None:
    data = place / "query"
    data.mkdir()
    lengths = query.room_for(steps, data), query.SHORT
    runs = asyncio.run(query.fill(f"sqlite:///{data / 'normscope.db'}", lengths))
    with _server(data, "--rates", "0") as server:
        query.measure(table, server, runs, lengths)
    for file in data.glob("normscope.db*"):  # it is large
        file.unlink()


def _measure_failover(table: Table, place: Path, postgres: Postgres, valkey: Valkey) -> None:
    flags = (
        "--store", postgres.fresh(), "--bus", valkey.url, "--rates", "0", "--forwarded-allow-ips", "127.0.0.1",
        "--allow-host", "127.0.0.1",
    )  # fmt: skip
    with _server(place / "dies", *flags) as one, _server(place / "stays", *flags, start=False) as two:
        failover.measure(table, one, two)
