"""Bytes that one layer takes at one step, on the wire and on disk, and what it takes to pack them."""

from __future__ import annotations

import sqlite3
import tempfile
import time
import zlib
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from app.store.packing import pack, unpack
from tests.conftest import Server

from .watching import digits_net, tensorboard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .table import Table

STEPS = 600
ROUNDS = 15
"""In each of which all that are compared have their turn."""


def measure(table: Table) -> None:
    """Experiment 1, whole, and the size of its database afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder) / "data")
        server.start()
        runs = server.begin(steps=STEPS, pace=0)["runs"]
        for run in runs:
            server.wait_status(run["id"], "finished", timeout=120)
        counted = server.http.get(f"{server.url}/metrics").text.splitlines()
        received = next(float(x.split()[1]) for x in counted if x.startswith("normscope_frame_bytes_total "))
        server.close()
        with sqlite3.connect(server.data / "normscope.db") as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            filled = db.execute("SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%blocks%'").fetchone()[0]
            frames = [unpack(data) for (data,) in db.execute("SELECT data FROM blocks WHERE level = 0")]
        db.close()
        layer_steps = STEPS * sum(len(run["layers"]) or 10 for run in runs)
        stored = (server.data / "normscope.db").stat().st_size / layer_steps
        table.add(
            "bytes stored per layer and step, all zoom levels included", f"{stored:.0f}", "≤ 200",
            f"without the tables that a longer run shares {filled / layer_steps:.0f}; TensorBoard "
            f"{_tensorboard(folder):.0f}; on the wire {received / layer_steps:.0f}",
        )  # fmt: skip
        _measure_packing(table, frames)


def _measure_packing(table: Table, frames: Sequence[bytes]) -> None:
    """What a processor takes to pack a block, beside what packed it before there was a dictionary."""
    packed, deflated = [pack(data) for data in frames], [zlib.compress(data, 1) for data in frames]
    ways: list[tuple[Callable[[bytes], bytes], Sequence[bytes]]] = [
        (pack, frames), (lambda data: zlib.compress(data, 1), frames), (unpack, packed), (zlib.decompress, deflated),
    ]  # fmt: skip
    took: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for (way, datas), times in zip(ways, took, strict=True):
            began = time.process_time()
            for data in datas:
                way(data)
            times.append((time.process_time() - began) / len(datas) * 1e6)
    here, before, back, back_before = (f"{median(times):.1f} µs" for times in took)
    table.add("a captured step of 10 layers packed; unpacked", f"{here}; {back}", "", f"zlib {before}; {back_before}")


def _tensorboard(folder: str) -> float:
    """The same net's event file, with a histogram and two scalars per layer."""
    from .watching import Loop

    net, batches = digits_net()
    place = Path(folder) / "tensorboard"
    Loop(net, batches, tensorboard(net, str(place))).block(100)
    return sum(f.stat().st_size for f in place.iterdir()) / (100 * 10)
