"""What is kept in memory for viewers: bounded by bytes, and every viewer gets or is told of each frame once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from unittest import mock

from app.frames import tails
from app.frames.history import Pyramid
from app.frames.tails import Tails
from app.limits import TAIL_FRAMES
from app.store import Experiment, Run, Store, StoreError, open_store
from normscope import wire

from ...frames import frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FRAMES: Final = 400
SIZE: Final = len(wire.encode(frame(100)))
"""Bytes of a frame, or nearly."""


async def filled(path: Path, runs: Sequence[str]) -> Store:
    """A store in which each of these runs has some frames."""
    store = await open_store(f"sqlite:///{path}")
    encoded = [wire.encode(frame(seq)) for seq in range(FRAMES)]
    await store.add(Experiment("e", "An experiment", 1.0), *(Run(run, "e", "net", run, 1.0) for run in runs))
    for run in runs:
        blocks = Pyramid().add([(wire.check(data), data) for data in encoded])
        await store.append(run, blocks, last_seq=FRAMES - 1, last_step=FRAMES - 1, seen=2.0)
    return store


async def follow(some: Tails, run: str, cursor: int, newest: int) -> tuple[list[int], int, int]:
    """What a viewer gets up to a frame: numbers, how many it is to ask for, and bytes of the largest message."""
    seen: list[int] = []
    skipped = largest = 0
    while cursor < newest:
        first, last, _, data = await some.after(run, cursor, newest)
        found = wire.split(data) if data else []
        skipped += first - cursor - 1
        seen += [wire.check(data).seq for data in found]
        assert last == (seen[-1] if found else newest)
        largest = max(largest, sum(map(len, found)))
        cursor = last
    return seen, skipped, largest


def test_what_does_not_fit_is_skipped_and_the_rest_comes_in_messages_of_some_bytes(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await filled(tmp_path / "db", ["r"])
        with mock.patch.multiple(tails, TAIL=50 * SIZE, DELIVERY=7 * SIZE):
            some = Tails(store)
            seen, skipped, largest = await follow(some, "r", 9, FRAMES - 1)
            assert seen == list(range(seen[0], FRAMES))
            assert 45 <= len(seen) <= 55
            assert skipped == FRAMES - len(seen) - 10
            assert 5 * SIZE < largest <= 7 * SIZE
            assert await follow(some, "r", FRAMES - 2, FRAMES - 1) == ([FRAMES - 1], 0, mock.ANY)
        with mock.patch.multiple(tails, TAIL=1, DELIVERY=1):  # one frame, however large
            assert await follow(Tails(store), "r", -1, 99) == ([99], 99, mock.ANY)
        seen, skipped, _ = await follow(Tails(store), "r", -1, FRAMES - 1)
        assert (seen[0], len(seen), skipped) == (FRAMES - TAIL_FRAMES, TAIL_FRAMES, FRAMES - TAIL_FRAMES)
        await store.close()

    asyncio.run(scenario())


def test_all_who_need_new_frames_wait_for_one_reading_and_go_on_together(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await filled(tmp_path / "db", ["r"])
        some = Tails(store)
        with mock.patch.object(store, "blocks", wraps=store.blocks) as reading:
            viewers = [asyncio.create_task(some.after("r", FRAMES - 2, FRAMES - 1)) for _ in range(50)]
            await asyncio.sleep(0)
            viewers[0].cancel()  # who leaves does not take it from the others
            answers = await asyncio.gather(*viewers, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert [answer[:3] for answer in answers[1:] if not isinstance(answer, BaseException)] == [(399, 399, 1)] * 49
        assert reading.call_count == 1
        with mock.patch.object(store, "blocks", side_effect=StoreError("the disk is full")):
            failed = await asyncio.gather(*(some.after("r", 5, FRAMES) for _ in range(3)), return_exceptions=True)
        assert [str(error) for error in failed] == ["the disk is full"] * 3
        await store.close()

    asyncio.run(scenario())


def test_what_has_just_been_committed_is_not_read_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await filled(tmp_path / "db", ["r"])
        encoded = [wire.encode(frame(seq)) for seq in range(FRAMES)]
        some = Tails(store)
        some.take("r", 0, encoded[:10])  # nobody watches
        assert await follow(some, "r", -1, 99) == (list(range(100)), 0, mock.ANY)
        with mock.patch.object(store, "blocks", wraps=store.blocks) as reading:
            some.take("r", 100, encoded[100:200])
            assert await follow(some, "r", 49, 199) == (list(range(50, 200)), 0, mock.ANY)
            assert reading.call_count == 0
            some.take("r", 210, encoded[210:220])  # those before them came through another server
            assert await follow(some, "r", 189, 219) == (list(range(190, 220)), 0, mock.ANY)
            assert reading.call_count == 1
            under_way = asyncio.create_task(some.after("r", 219, 229))
            await asyncio.sleep(0)
            some.take("r", 220, encoded[220:240])  # are being read
            assert (await under_way)[:3] == (220, 229, 10)
            assert await follow(some, "r", 229, 239) == (list(range(230, 240)), 0, mock.ANY)
        with mock.patch.object(tails, "TAIL", 5 * SIZE):
            some.take("r", 240, encoded[240:300])
            seen, skipped, _ = await follow(some, "r", 239, 299)
            assert (seen[-1], len(seen) + skipped) == (299, 60)
            assert len(seen) <= 6
        await store.close()

    asyncio.run(scenario())


def test_the_tails_of_all_runs_together_are_bounded(tmp_path: Path) -> None:
    runs = ["a", "b", "c", "d"]

    async def scenario() -> None:
        store = await filled(tmp_path / "db", runs)
        some = Tails(store)

        async def view(run: str, stride: int) -> None:
            cursor = -1
            for newest in range(stride - 1, FRAMES, stride):
                seen, skipped, _ = await follow(some, run, cursor, newest)
                first, cursor = cursor + 1 + skipped, max(cursor, newest, *seen)
                assert seen == list(range(first, cursor + 1))
                assert sum(tail.size for tail in some._tails.values()) <= 31 * SIZE

        with mock.patch.multiple(tails, TAIL=20 * SIZE, TAILS=30 * SIZE):
            await asyncio.gather(*(view(run, stride) for run in runs for stride in (1, 5)))
        with mock.patch.object(tails, "RUNS", 3):
            for run in runs:
                await follow(some, run, FRAMES - 2, FRAMES - 1)
            assert list(some._tails) == runs[1:]
        await store.close()

    asyncio.run(scenario())
