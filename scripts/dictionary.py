"""Train a dictionary that blocks are packed with: `make dictionary ARGS=FILE`, some minutes.

It is made of what the nets of all claims but the first send (by that one the storage is measured), and of frames that
have scalars alone, as imported logs do. What was packed with a dictionary needs that one to be unpacked: the one in
`app/store` is not replaced, a better one would come beside it, with a way to tell by its number which a block needs.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

import zstandard

HOUSE = Path(__file__).parent.parent
sys.path.insert(0, str(HOUSE))

from app.store.packing import unpack  # noqa: E402  the house itself
from normscope import wire  # noqa: E402
from normscope.catalogue import CLAIMS  # noqa: E402
from tests.conftest import ENDED, Server, wait_for  # noqa: E402  the same server that the tests use

SIZE: Final = 4096
"""Bytes: twice as many save a hundredth more, and less on nets unlike those that it was trained on."""
STEPS: Final = 40
SECONDS: Final = 10
"""For each claim: some would take long, and a few of their frames are enough."""
EACH: Final = 60
"""Blocks that a run may give at most."""


def trained_nets(folder: Path) -> list[bytes]:
    """Blocks of the claims' nets."""
    server = Server(folder / "data")
    server.start()
    for number in CLAIMS:
        if number == 1:
            continue
        settings = {"steps": STEPS, "seeds": 1, "pace": 0, "detail": ("outputs", "gradients", "everything")[number % 3]}
        answer = server.post("/api/experiments", {"claim": number, "size": "quick", "settings": settings})
        assert answer.status_code == 201, answer.text
        path = f"/api/experiments/{answer.json()['id']}"
        until = time.monotonic() + SECONDS
        while not _ended(server, path) and time.monotonic() < until:
            time.sleep(0.2)
        server.post(f"{path}/stop")
        wait_for(partial(_ended, server, path), f"claim {number} to stop", 60)
        print(f"claim {number}: {len(server.get(path)['runs'])} runs", flush=True)
    with contextlib.closing(sqlite3.connect(server.data / "normscope.db")) as database:
        runs = [run for (run,) in database.execute("SELECT id FROM runs")]
        query = "SELECT data FROM blocks WHERE run = ? ORDER BY number, level LIMIT ?"
        blocks = [unpack(data) for run in runs for (data,) in database.execute(query, (run, EACH))]
    server.kill()
    server.http.close()
    return blocks


def _ended(server: Server, path: str) -> bool:
    return all(run["status"] in ENDED for run in server.get(path)["runs"])


def scalars() -> list[bytes]:
    """Frames of one scalar, of two, …, of ten, for several steps."""
    names = ("loss", "accuracy", "lr", "epoch", "train/loss", "val/loss", "val/accuracy", "f1", "eval/loss", "norm")

    def frame(step: int, count: int) -> wire.Frame:
        series = {name: wire.Series.of((i + 1) / (1 + step)) for i, name in enumerate(names[:count])}
        return wire.Frame(step, 10 * step, 10 * step, 1.7e9 + 1.3 * step, series=series)

    return [wire.encode(frame(step, count)) for count in range(1, len(names) + 1) for step in range(10)]


def main() -> int:
    """Write the dictionary; the exit status."""
    parser = argparse.ArgumentParser(description="Train a dictionary that blocks are packed with.")
    parser.add_argument("file", type=Path, metavar="FILE", help="where to write it; it must not exist yet")
    given = parser.parse_args()
    if given.file.exists():
        parser.error(f"{given.file} exists already, and what was packed with it needs it")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        blocks = trained_nets(Path(folder)) + scalars()
    dictionary = zstandard.train_dictionary(SIZE, list[bytes | bytearray | memoryview](blocks), level=1)
    given.file.write_bytes(dictionary.as_bytes())
    print(f"{given.file}: number {dictionary.dict_id()}, of {len(blocks):,} blocks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
