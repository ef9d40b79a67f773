"""Old runs keep fewer frames, and what is asked about them is still answered."""

from __future__ import annotations

import asyncio

import pytest

from app.frames import query
from app.frames.history import Pyramid
from app.runs.thinning import DAY, thin
from app.settings import Settings
from app.store import Experiment, Run, Store, open_store
from normscope import wire

from ...frames import frame

NOW = 1000 * DAY
FRAMES = 150
SETTINGS = Settings(keep_steps=7, then_level=2)


@pytest.mark.parametrize("old", [True, False])
def test_every_step_is_kept_for_some_days_then_one_frame_in_sixteen(store_url: str, old: bool) -> None:
    ended = NOW - (8 if old else 6) * DAY

    async def scenario() -> None:
        store = await open_store(store_url)
        run = Run("r", "e", "net", "hash", 1.0, status="finished", ended=ended)
        await store.add(Experiment("e", "An experiment", 1.0), run)
        pyramid = Pyramid()
        encoded = [wire.encode(frame(seq, step=3 * seq)) for seq in range(FRAMES)]
        blocks = pyramid.add([(wire.check(data), data) for data in encoded])
        await store.append("r", blocks, last_seq=FRAMES - 1, last_step=3 * FRAMES - 3, seen=2.0)
        whole = (await store.find(Run))[0]
        overview = await answered(store, whole, points=9)

        assert await thin(store, SETTINGS, NOW) == (["e"] if old else [])
        assert await thin(store, SETTINGS, NOW) == []  # it is done
        (thinned,) = await store.find(Run)
        assert thinned.thinned == (16 if old else 1)
        assert await answered(store, thinned, points=9) == overview
        found = await answered(store, thinned, points=1000)
        frames = [wire.decode(data) for data in found]
        assert sum(one.frames for one in frames) == FRAMES
        assert [one.frames for one in frames] == ([16] * 9 + [1] * 6 if old else [1] * FRAMES)
        near = await answered(store, thinned, 200, 210, points=100)
        assert wire.check(near[0]).first_step <= 201
        assert wire.check(near[-1]).last_step >= 210
        # Its process may come back, and what it brings is merged with what is left.
        again = await Pyramid.resume(store, "r", FRAMES - 1)
        more = [wire.encode(frame(seq, step=3 * seq)) for seq in range(FRAMES, 256)]
        levels = [block.level for block in again.add([(wire.check(data), data) for data in more])]
        assert max(levels) == 4
        await store.close()

    asyncio.run(scenario())


async def answered(
    store: Store, run: Run, first_step: int = 0, last_step: int | None = None, *, points: int
) -> list[bytes]:
    """The frames of a history."""
    parts = query.history(store, run, first_step=first_step, last_step=last_step, points=points, layers=None)
    return [data async for part in parts for data in part]


def test_nothing_is_thinned_unless_it_is_asked_for(store_url: str) -> None:
    async def scenario() -> None:
        store = await open_store(store_url)
        await store.add(Experiment("e", "x", 1.0), Run("r", "e", "n", "h", 1.0, status="finished", ended=1.0))
        assert await thin(store, Settings(), NOW) == []
        await store.close()

    asyncio.run(scenario())
