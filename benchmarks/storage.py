"""Bytes that one layer takes at one step, on the wire and on disk."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import Server

from .watching import digits_net, tensorboard

if TYPE_CHECKING:
    from .table import Table

STEPS = 600


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
        db.close()
        layer_steps = STEPS * sum(len(run["layers"]) or 10 for run in runs)
        stored = (server.data / "normscope.db").stat().st_size / layer_steps
        table.add(
            "bytes stored per layer and step, all zoom levels included", f"{stored:.0f}", "≤ 400",
            f"TensorBoard {_tensorboard(folder):.0f}; on the wire {received / layer_steps:.0f}",
        )  # fmt: skip


def _tensorboard(folder: str) -> float:
    """The same net's event file, with a histogram and two scalars per layer."""
    from .watching import Loop

    net, batches = digits_net()
    place = Path(folder) / "tensorboard"
    Loop(net, batches, tensorboard(net, str(place))).block(100)
    return sum(f.stat().st_size for f in place.iterdir()) / (100 * 10)
