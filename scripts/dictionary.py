"""Train a dictionary that blocks are packed with: `make dictionary ARGS=FILE`, some minutes.

It is made of what the nets of all claims but the first send, and of frames that have scalars alone, as imported logs
do. By the first claim's nets, which it has not seen, it is then measured beside the one that is in use. What was packed
with a dictionary needs that one to be unpacked: the one in `app/store` is not replaced, a better one would come beside
it, with a way to tell by its number which a block needs.
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

from app.store.packing import DICTIONARY, LEVEL, unpack  # noqa: E402  the house itself
from normscope import wire  # noqa: E402
from normscope.catalogue import CLAIMS  # noqa: E402
from tests.conftest import ENDED, Server, serving, wait_for  # noqa: E402  the same server that the tests use

SIZE: Final = 4096
"""Bytes: twice as many save a hundredth more, and less on nets unlike those that it was trained on."""
STEPS: Final = 40
SECONDS: Final = 10
"""For each claim: some would take long, and a few of their frames are enough."""
EACH: Final = 60
"""Blocks that a run may give at most."""


def trained_nets(server: Server, number: int) -> list[bytes]:
    """Blocks of a claim's nets, of outputs alone.

    Frames of everything are many times as large: they crowd out the small ones, which a dictionary helps most, and are
    packed hardly better with one that they have made (a block of claim 1 took 3 % more, one of its gradients the same).
    """
    settings = {"steps": STEPS, "seeds": 1, "pace": 0, "detail": "outputs"}
    answer = server.post("/api/experiments", {"claim": number, "size": "quick", "settings": settings})
    assert answer.status_code == 201, answer.text
    path = f"/api/experiments/{answer.json()['id']}"
    until = time.monotonic() + SECONDS
    while not _ended(server, path) and time.monotonic() < until:
        time.sleep(0.2)
    server.post(f"{path}/stop")
    wait_for(partial(_ended, server, path), f"claim {number} to stop", 60)
    runs = [run["id"] for run in server.get(path)["runs"]]
    with contextlib.closing(sqlite3.connect(server.data / "normscope.db")) as database:
        query = "SELECT data FROM blocks WHERE run = ? ORDER BY number, level LIMIT ?"
        blocks = [unpack(data) for run in runs for (data,) in database.execute(query, (run, EACH))]
    print(f"claim {number}: {len(runs)} runs, {len(blocks):,} blocks", flush=True)
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


def packed(blocks: list[bytes], dictionary: zstandard.ZstdCompressionDict) -> int:
    """Bytes that blocks take with a dictionary."""
    packer = zstandard.ZstdCompressor(LEVEL, dictionary, write_checksum=True)
    return sum(len(packer.compress(block)) for block in blocks)


def main(arguments: list[str] | None = None) -> int:
    """Write the dictionary; the exit status."""
    parser = argparse.ArgumentParser(description="Train a dictionary that blocks are packed with.")
    parser.add_argument("file", type=Path, metavar="FILE", help="where to write it; it must not exist yet")
    parser.add_argument(
        "--claims", type=int, nargs="+", metavar="N", choices=CLAIMS, default=[n for n in CLAIMS if n != 1],
        help="whose nets to train it on; all but the first unless given",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if given.file.exists():
        parser.error(f"{given.file} exists already, and what was packed with it needs it")
    if not given.file.parent.is_dir():
        parser.error(f"there is no folder {given.file.parent}")
    blocks = scalars()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, serving(Path(folder) / "data") as server:
        for number in given.claims:
            blocks += trained_nets(server, number)
        unseen = trained_nets(server, 1)
    dictionary = zstandard.train_dictionary(SIZE, list[bytes | bytearray | memoryview](blocks), level=LEVEL)
    given.file.write_bytes(dictionary.as_bytes())
    print(f"{given.file}: number {dictionary.dict_id()}, of {len(blocks):,} blocks")
    ours, kept = (packed(unseen, one) / len(unseen) for one in (dictionary, DICTIONARY))
    print(f"a block of claim 1 takes {ours:.0f} bytes; with the one in use, number {DICTIONARY.dict_id()}, {kept:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
