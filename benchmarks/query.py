"""A run of a million captured steps, asked for any range at any zoom, beside one of ten thousand."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import shutil
import sqlite3
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from app.access.tokens import digest, new_id
from app.frames.history import Pyramid, cover
from app.store import Experiment, Run, open_store
from normscope import wire

from .meter import Meter
from .streams import LAYERS, Stream
from .table import quantile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from app.store import Store
    from tests.conftest import Server

    from .table import Table

SHORT: Final = 10_000
_EVERY: Final = 2
"""Steps from one that is captured to the next: where a range begins is then to be looked for."""
_POINTS: Final = 600
"""What a page asks for."""
_ASKED: Final = 150
"""Ranges of each run."""
_COLD: Final = 20
_PACK: Final = 400
"""Frames that are kept at a time."""
_AHEAD: Final = 8
"""Such packs that may wait for their commit."""
_BYTES: Final = 6000
"""Of a frame and its share of the merges, at most."""


@dataclass(frozen=True, slots=True)
class _Range:
    """Captured steps, by their numbers, both included."""

    first: int
    last: int


def room_for(steps: int, place: Path) -> int:
    """As many captured steps as that, or as the disk holds twice."""
    return min(steps, shutil.disk_usage(place).free // (2 * _BYTES))


async def fill(url: str, lengths: tuple[int, ...]) -> list[str]:
    """Write whole runs through the store's own door; their ids."""
    store = await open_store(url)
    stream = Stream()
    try:
        experiment = Experiment(new_id(), "long runs", time.time())
        await store.add(experiment)
        return [await _write(store, experiment.id, stream, steps) for steps in lengths]
    finally:
        await store.close()


async def _write(store: Store, experiment: str, stream: Stream, steps: int) -> str:
    began = time.time() - steps
    run = Run(
        new_id(), experiment, f"{steps:,} steps", digest(f"{steps} {began}"), began, status="finished", started=began,
        ended=time.time(), steps=steps * _EVERY, layers=[asdict(layer) for layer in stream.layers],
    )  # fmt: skip
    await store.add(run)
    pyramid, waiting = Pyramid(), list[asyncio.Task[None]]()
    for first in range(0, steps, _PACK):
        numbers = range(first, min(first + _PACK, steps))
        frames = [stream.frame(seq, seq * _EVERY, began + seq) for seq in numbers]
        blocks = pyramid.add((wire.check(data), data) for data in frames)
        last = numbers[-1]
        append = store.append(run.id, blocks, last_seq=last, last_step=last * _EVERY, seen=began + last)
        waiting.append(asyncio.create_task(append))
        await asyncio.sleep(0)  # or nothing of it would be handed over
        if len(waiting) > _AHEAD:
            await waiting.pop(0)
    await asyncio.gather(*waiting)
    return run.id


def measure(table: Table, server: Server, runs: list[str], lengths: tuple[int, ...]) -> None:
    """Ask for ranges of both runs in turn, then for some of the long one that are on the disk alone."""
    path = server.data / "normscope.db"
    long, steps = runs[0], lengths[0]
    asked = [dict(zip(runs, pair, strict=True)) for pair in zip(*(_ranges(n, _ASKED) for n in lengths), strict=True)]
    for run in runs:
        _ask(server, run, _Range(0, SHORT - 1))
    assert server.process is not None
    with Meter(server.process.pid) as meter:
        times = [{run: _ask(server, run, one) for run, one in pair.items()} for pair in asked]
    table.cost("server_seconds_per_answer", meter.seconds / (2 * _ASKED))
    bare = [_select(path, long, pair[long]) for pair in asked]
    cold = []
    for one in _ranges(steps, _COLD):
        _forget(path)
        cold.append(_ask(server, long, one))
    ours, theirs = ([pair[run] for pair in times] for run in runs)
    ratios = [quantile(ours, share) / quantile(theirs, share) for share in (0.5, 0.95)]
    size = path.stat().st_size / 1e9
    table.add(
        f"any range at any zoom of {steps:,} captured steps × {LAYERS} layers ({size:.1f} GB), p50 and slowest",
        _words(ours), f"≤ 300 ms, ≤ 1.5 × that of {SHORT:,} steps",
        f"{SHORT:,} steps {_words(theirs)}; p50 {ratios[0]:.2f} ×, p95 {ratios[1]:.2f} ×; a bare SELECT of the same "
        f"blocks {_words(bare)}; with nothing of the file in memory {_words(cold)}",
    )  # fmt: skip


def _words(seconds: list[float]) -> str:
    return f"{1000 * quantile(seconds, 0.5):.0f} ms and {1000 * max(seconds):.0f} ms"


def _ranges(steps: int, count: int) -> Iterator[_Range]:
    """By turns of many steps, which are merged, and of few, each of which is shown; every width is as likely."""
    chance = random.Random(0)
    for turn in range(count):
        low, high = (_POINTS, steps) if turn % 2 else (1, _POINTS)
        width = round(math.exp(chance.uniform(math.log(low), math.log(high))))
        first = chance.randint(0, steps - width)
        yield _Range(first, first + width - 1)


def _ask(server: Server, run: str, asked: _Range) -> float:
    """Seconds until an answer is there, whole."""
    span = {"first_step": asked.first * _EVERY, "last_step": asked.last * _EVERY, "points": _POINTS}
    began = time.perf_counter()
    answer = server.http.get(f"{server.url}/api/runs/{run}/history", params=span)
    took = time.perf_counter() - began
    assert answer.status_code == 200, answer.text
    assert answer.content, f"nothing is there of {asked}"
    return took


def _select(path: Path, run: str, asked: _Range) -> float:
    """Seconds that the database alone takes for the same blocks."""
    query = "SELECT data FROM blocks WHERE run = ? AND level = ? AND number BETWEEN ? AND ? ORDER BY number"
    with contextlib.closing(sqlite3.connect(path)) as db:
        began = time.perf_counter()
        for level, first, last in cover(asked.first, asked.last, _POINTS):
            db.execute(query, (run, level, first, last)).fetchall()
        return time.perf_counter() - began


def _forget(path: Path) -> None:
    """Have the system drop what it holds of a file, where it can be told so."""
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
