"""A run's history as blocks: every frame, and its merges in powers of four."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from normscope import wire

from .store import Block

if TYPE_CHECKING:
    from normscope.wire import Frame

    from .store import Store

TOP: Final = 16
"""The coarsest level; a block of it covers 4^16 frames, more than any run has."""


class Pyramid:
    """Turns arriving frames into the blocks to commit: the frames themselves, and each merge that they complete."""

    def __init__(self, last: int = -1) -> None:
        self.last = last
        """Sequence number of the newest frame taken in."""
        self._open: list[list[Frame]] = [[] for _ in range(TOP + 1)]

    @classmethod
    async def resume(cls, store: Store, run: str, last: int) -> Pyramid:
        """The pyramid of a run whose frames up to `last` are in the store."""
        pyramid = cls(last)
        for level in range(TOP):
            done = (last + 1) // wire.MERGE**level
            first = done - done % wire.MERGE
            if done == 0:
                break
            pyramid._open[level] = wire.decode_frames(await store.blocks(run, level, first, done - 1))
        return pyramid

    def add(self, arrived: list[tuple[Frame, bytes]]) -> list[Block]:
        """The blocks that the next frames, and how they came, bring; finest first."""
        blocks = []
        for frame, data in arrived:
            assert frame.seq == self.last + 1, f"frame {frame.seq} after {self.last}"
            self.last = frame.seq
            blocks.append(Block(0, frame.seq, frame.first_step, frame.last_step, data))
        frames = [frame for frame, _ in arrived]
        for level in range(TOP):
            waiting = self._open[level]
            waiting += frames
            whole = len(waiting) - len(waiting) % wire.MERGE
            if not whole:
                break
            frames = wire.merge_groups([waiting[i : i + wire.MERGE] for i in range(0, whole, wire.MERGE)])
            del waiting[:whole]
            size = wire.MERGE ** (level + 1)
            blocks += [
                Block(level + 1, f.seq // size, f.first_step, f.last_step, data)
                for f, data in zip(frames, wire.encode_frames(frames), strict=True)
            ]
        return blocks


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
