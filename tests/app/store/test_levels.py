"""The level that is not kept is there all the same, whatever a store has of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from app.frames.history import Pyramid, blocks
from app.frames.query import history
from app.runs.thinning import DAY, thin
from app.settings import Settings
from app.store import Block, Experiment, Run, open_store
from app.store.levels import MADE, first_blocks
from normscope import wire

from ...frames import frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from app.store import Store

FRAMES = [wire.encode(frame(seq)) for seq in range(90)]


def fours(frames: Sequence[bytes]) -> list[bytes]:
    """The next level, made of whole groups of four."""
    return [wire.merge_encoded(frames[at : at + 4]) for at in range(0, len(frames) // 4 * 4, 4)]


@asynccontextmanager
async def a_run(url: str, kept: Sequence[Block], last: int) -> AsyncIterator[tuple[Store, Run]]:
    """A store with a run of so many frames and these blocks."""
    store = await open_store(url)
    run = Run("r", "e", "net", "hash", 1.0, status="finished", ended=1.0)
    await store.add(Experiment("e", "An experiment", 1.0), run)
    await store.append("r", kept, last_seq=last, last_step=last, seen=2.0)
    yield store, (await store.find(Run))[0]
    await store.close()


async def shown(store: Store, run: Run, points: int) -> list[bytes]:
    found = history(store, run, first_step=0, last_step=None, points=points, layers=None)
    return [data async for part in found for data in part]


def built(arrived: Sequence[bytes]) -> list[Block]:
    return Pyramid().add([(wire.check(data), data) for data in arrived])


def test_one_level_is_not_kept_but_given(store_url: str) -> None:
    async def scenario() -> None:
        kept = built(FRAMES)
        assert {block.level for block in kept} == {0, 2, 3}
        async with a_run(store_url, kept, 89) as (store, run):
            assert await store.blocks("r", MADE, 0, 99) == []
            assert await blocks(store, "r", MADE, 0, 21) == fours(FRAMES)
            assert await blocks(store, "r", MADE, 7, 7) == fours(FRAMES)[7:8]
            assert await blocks(store, "r", 2, 0, 4) == fours(fours(FRAMES))
            assert await shown(store, run, points=30) == [*fours(FRAMES), *FRAMES[88:]]

    asyncio.run(scenario())


@pytest.mark.parametrize(("most", "at_once"), [(1, 1), (3 * len(FRAMES[0]), 10), (1 << 30, 20)])
def test_it_is_made_a_part_at_a_time(tmp_path: Path, most: int, at_once: int) -> None:
    async def scenario() -> None:
        async with a_run(f"sqlite:///{tmp_path}/n.db", built(FRAMES), 89) as (store, _):
            found: list[bytes] = []
            while part := await first_blocks(store, "r", MADE, 2 + len(found), 21, most):
                assert len(part) <= at_once
                found += part
            assert found == fours(FRAMES)[2:]

    asyncio.run(scenario())


def test_what_an_earlier_version_kept_of_it_stays_in_use(store_url: str) -> None:
    """Its blocks say so here, as no merge would."""
    marked = [wire.encode(wire.merge([frame(seq, step=500 + seq) for seq in range(at, at + 4)])) for at in (4, 8, 16)]
    older = [Block(MADE, number, 0, 0, data) for number, data in zip((1, 2, 4), marked, strict=True)]

    async def scenario() -> None:
        async with a_run(store_url, [*built(FRAMES), *older], 89) as (store, _):
            made = fours(FRAMES)
            expected = [made[0], marked[0], marked[1], made[3], marked[2], made[5]]
            assert await blocks(store, "r", MADE, 0, 5) == expected
            assert await blocks(store, "r", MADE, 1, 2) == marked[:2]

    asyncio.run(scenario())


def test_frames_that_were_merged_on_their_way_are_kept_at_their_level(store_url: str) -> None:
    ones, twos = fours(FRAMES), fours(fours(FRAMES))
    arrived = [*FRAMES[:8], ones[2], ones[3], twos[1], *FRAMES[32:38]]

    async def scenario() -> None:
        kept = built(arrived)
        assert [(block.level, block.index) for block in kept if block.level] == [(1, 2), (1, 3), (2, 0), (2, 1)]
        async with a_run(store_url, kept, 37) as (store, _):
            assert await blocks(store, "r", 0, 0, 37) == arrived
            assert await blocks(store, "r", MADE, 0, 8) == [*ones[:4], twos[1], ones[8]]
            again = await Pyramid.resume(store, "r", 37)
            assert again.parts() == [*FRAMES[36:38], ones[8], *twos[:2]]
            more = again.add([(wire.check(data), data) for data in FRAMES[38:48]])
            assert [(block.level, block.index) for block in more if block.level] == [(2, 2)]
            assert more[-1].data == twos[2]

    asyncio.run(scenario())


def test_it_is_kept_when_the_frames_below_are_not(store_url: str) -> None:
    async def scenario() -> None:
        async with a_run(store_url, built(FRAMES), 89) as (store, _):
            settings = Settings(keep_steps=1, then_level=MADE)
            assert await thin(store, settings, 1000 * DAY) == ["e"]
            assert await store.blocks("r", 0, 0, 99) == FRAMES[88:]
            assert await store.blocks("r", MADE, 0, 99) == fours(FRAMES)
            (run,) = await store.find(Run)
            assert (run.thinned, run.last_seq, run.seen) == (4, 89, 2.0)
            assert await shown(store, run, points=1000) == [*fours(FRAMES), *FRAMES[88:]]

    asyncio.run(scenario())
