"""The levels of a run's history: those that are kept, and the one that is made when it is asked for."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import TYPE_CHECKING, Final

from normscope import wire

from .records import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from . import Store
    from .records import Run

MADE: Final = 1
"""The level that is not kept: the largest of those above the frames, and only four of them away."""
_AT_ONCE: Final = 4 << 20
"""Bytes of frames that are read at a time, where the level is to be kept after all."""


async def first_blocks(store: Store, run: str, level: int, first: int, last: int, most: int) -> list[bytes]:
    """The first of the run's blocks of one level with an index in [first, last], kept or made; none if there are none.

    They have at most so many bytes together, and the frames that they are made of four times as many, unless it is one.
    """
    kept = await store.blocks(run, level, first, last, most)
    if level != MADE or len(kept) > last - first:
        return kept
    numbers = [wire.check(data).seq // wire.MERGE for data in kept]
    if numbers and numbers[0] == first:
        return [data for i, (number, data) in enumerate(zip(numbers, kept, strict=True)) if number == first + i]
    return await _made(store, run, first, numbers[0] - 1 if numbers else last, most) or kept


async def keep_made(store: Store, run: Run) -> None:
    """Keep the level that is made, before the frames go that it is made of."""
    at, last = 0, (run.last_seq + 1) // wire.MERGE - 1
    while found := await first_blocks(store, run.id, MADE, at, last, _AT_ONCE):
        heads = [wire.check(data) for data in found]
        rows = [
            Block(MADE, head.seq // wire.MERGE, head.first_step, head.last_step, data)
            for head, data in zip(heads, found, strict=True)
        ]
        seen = run.seen or run.created
        await store.append(run.id, rows, last_seq=run.last_seq, last_step=run.last_step, seen=seen)
        at = rows[-1].index + 1


async def _made(store: Store, run: str, first: int, last: int, most: int) -> list[bytes]:
    """The first of the blocks between these that there are frames for."""
    frames = await store.blocks(run, MADE - 1, wire.MERGE * first, wire.MERGE * (last + 1) - 1, wire.MERGE * most)
    if not frames:
        return []
    at = wire.check(frames[0]).seq // wire.MERGE * wire.MERGE
    if len(frames) < wire.MERGE:  # they are large, and more would have been too much
        frames = await store.blocks(run, MADE - 1, at, at + wire.MERGE - 1)
    return await asyncio.to_thread(_merged, frames, at)


def _merged(frames: Sequence[bytes], first: int) -> list[bytes]:
    """What all groups of four among frames make, the first of which has at least this number."""
    seqs: Sequence[int] = range(first, first + len(frames))
    if wire.check(frames[-1]).seq != seqs[-1]:  # some are not there
        seqs = [wire.check(data).seq for data in frames]
    groups = groupby(zip(seqs, frames, strict=True), lambda numbered: numbered[0] // wire.MERGE)
    fours = [[data for _, data in group] for _, group in groups]
    return [wire.merge_encoded(four) for four in fours if len(four) == wire.MERGE]
