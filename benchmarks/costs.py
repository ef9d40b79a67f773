"""What each question and each word between servers takes of a core: what `docs/capacity.md` reckons with."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import redis

from app.access.tokens import digest, new_id
from app.bus.redis import RedisBus
from app.store import Block, Experiment, Run, open_store

from .meter import Meter
from .streams import Stream

if TYPE_CHECKING:
    from app.store import Store
    from tests.services import Postgres, Valkey

    from .table import Table

_READINGS: Final = 3000
_WORDS: Final = 20_000
_TOGETHER: Final = 500
"""Words that are published in one go."""


async def measure(table: Table, postgres: Postgres, valkey: Valkey) -> None:
    """Read the newest frame of a run many times, and say a word on the bus many times."""
    store = await open_store(postgres.fresh())
    try:
        with Meter(postgres.pid, family=True) as database:
            reading = await _read(store)
    finally:
        await store.close()
    assert valkey.process is not None
    with Meter(valkey.process.pid) as bus:
        hearing = await _hear(valkey.url)
    table.cost("server_seconds_per_reading", reading)
    table.cost("postgresql_seconds_per_reading", database.seconds / _READINGS)
    table.cost("server_seconds_per_word", hearing)
    table.cost("bus_seconds_per_word", bus.seconds / _WORDS)
    table.add(
        "of a core, to read a run's newest frame from PostgreSQL", f"{1e6 * reading:.0f} µs", "",
        f"PostgreSQL itself {1e6 * database.seconds / _READINGS:.0f} µs",
    )  # fmt: skip
    table.add(
        "of a core, to hear of a frame on the bus", f"{1e6 * hearing:.0f} µs", "",
        f"Valkey itself {1e6 * bus.seconds / _WORDS:.0f} µs",
    )  # fmt: skip


async def _read(store: Store) -> float:
    stream, experiment = Stream(), Experiment(new_id(), "costs", time.time())
    layers = [{"name": layer.name, "type": layer.type} for layer in stream.layers]
    run = Run(new_id(), experiment.id, "costs", digest("costs"), time.time(), status="running", layers=layers)
    await store.add(experiment, run)
    blocks = [Block(0, seq, seq, seq, stream.frame(seq)) for seq in range(100)]
    await store.append(run.id, blocks, last_seq=99, last_step=99, seen=time.time())
    began = time.process_time()
    for turn in range(_READINGS):
        assert await store.blocks(run.id, 0, turn % 100, turn % 100)
    return (time.process_time() - began) / _READINGS


async def _hear(url: str) -> float:
    bus = await RedisBus.open(url)
    try:
        with bus.subscribe("frames") as subscription:
            began = time.thread_time()
            saying = asyncio.create_task(asyncio.to_thread(_say, url))
            while "last" not in await subscription.get():
                pass
            await saying
            return (time.thread_time() - began) / _WORDS
    finally:
        await bus.close()


def _say(url: str) -> None:
    """As another server would, of many runs."""
    with redis.Redis.from_url(url) as client:
        for first in range(0, _WORDS, _TOGETHER):
            pipe = client.pipeline(transaction=False)
            for number in range(first, first + _TOGETHER):
                key = "last" if number == _WORDS - 1 else f"run{number}"
                pipe.publish("normscope:frames", f'["another", "{key}", "{number}"]')
            pipe.execute()
