"""A run's history as blocks: every frame, and its merges in powers of four."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from normscope import wire

from ..limits import PART
from ..store import Block
from ..store.levels import MADE, first_blocks
from ..store.packing import pack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ..store import Store

TOP: Final = 16
"""The coarsest level; a block of it covers 4^16 frames, more than any run has."""


class Pyramid:
    """Turns arriving frames into the blocks to commit: the frames themselves, and each merge that they complete."""

    def __init__(self, last: int = -1) -> None:
        self.last = last
        """Sequence number of the newest frame taken in."""
        self._open: list[list[Block]] = [[] for _ in range(TOP + 1)]

    @classmethod
    async def resume(cls, store: Store, run: str, last: int) -> Pyramid:
        """The pyramid of a run whose frames up to `last` are in the store."""
        pyramid = cls(last)
        for level in range(TOP):
            done = (last + 1) // wire.MERGE**level
            first = done - done % wire.MERGE
            if done == 0:
                break
            found = [(wire.check(data), data) for data in await blocks(store, run, level, first, done - 1)]
            pyramid._open[level] = [
                Block(level, first + i, head.first_step, head.last_step, data) for i, (head, data) in enumerate(found)
            ]
        return pyramid

    def parts(self) -> list[bytes]:
        """Encoded frames that cover all that was taken in."""
        return [block.data for waiting in self._open for block in waiting]

    def add(self, arrived: Iterable[tuple[wire.Head, bytes]]) -> list[Block]:
        """The blocks that the next frames, and what they say of themselves, bring.

        A frame that was merged on its way is a block of its level, and there are none below it. Other blocks of the
        level that is made when it is asked for are not kept.
        """
        blocks = []
        for head, data in arrived:
            assert head.seq == self.last + 1, f"frame {head.seq} after {self.last}"
            self.last = head.last_seq
            number = head.seq // wire.MERGE**head.level
            block = Block(head.level, number, head.first_step, head.last_step, data, pack(data))
            for waiting in self._open[head.level :]:
                if block.level != MADE or head.level == MADE:
                    blocks.append(block)
                waiting.append(block)
                if len(waiting) < wire.MERGE or block.level == TOP:
                    break
                merged = wire.merge_encoded([part.data for part in waiting])
                level = block.level + 1
                block = Block(
                    level, block.index // wire.MERGE, waiting[0].first_step, block.last_step, merged,
                    pack(merged) if level != MADE else None,
                )  # fmt: skip
                waiting.clear()
        return blocks


async def parts(store: Store, run: str, level: int, first: int, last: int) -> AsyncIterator[list[bytes]]:
    """Blocks of one level, in order, and coarser ones where frames were merged before they came here.

    They come some at a time, so that they need not fit into memory together.
    """
    span = wire.MERGE**level
    while first <= last:
        found = await first_blocks(store, run, level, first, last, PART)
        there = len(found) in (0, last + 1 - first)
        end = last + 1 if there else wire.check(found[-1]).seq // span + 1
        if end - first == len(found):
            yield found
            first = end
            continue
        for place, some in [*((wire.check(data).seq // span, [data]) for data in found), (end, [])]:
            if place > first and level < TOP:  # there are none between: they are in blocks of the level above
                async for part in parts(store, run, level + 1, first // wire.MERGE, (place - 1) // wire.MERGE):
                    yield part
            if some:
                yield some
            first = place + 1
        first = end


async def blocks(store: Store, run: str, level: int, first: int, last: int) -> list[bytes]:
    """The same, together: for a few of them."""
    return [data async for part in parts(store, run, level, first, last) for data in part]


def cover(first: int, last: int, points: int) -> list[tuple[int, int, int]]:
    """How to show frames first…last in about `points` points: (level, first index, last index), in order of time.

    The coarsest level that still gives at least a quarter of the points covers what it can; the finer levels complete
    the unfinished end, with at most three blocks each. The first block may begin before `first`.
    """
    level = 0
    while (last - first + 1) > points * wire.MERGE**level and level < TOP:
        level += 1
    spans = []
    at = first // wire.MERGE**level
    for k in range(level, -1, -1):
        done = (last + 1) // wire.MERGE**k
        if done > at:
            spans.append((k, at, done - 1))
        at = done * wire.MERGE
    return spans
