"""A run's history as blocks: every frame, and its merges in powers of four."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from normscope import wire

from .store import Block

if TYPE_CHECKING:
    from collections.abc import Iterable

    from normscope.wire import Frame

    from .store import Store

TOP: Final = 16
"""The coarsest level; a block of it covers 4^16 frames, more than any run has."""
_LENGTH: Final = struct.Struct("<I")


class Pyramid:
    """Turns arriving frames into the blocks to commit: the frame itself, and each merge that it completes."""

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
            pyramid._open[level] = [wire.decode(b) for b in await store.blocks(run, level, first, done - 1)]
        return pyramid

    def add(self, frame: Frame, data: bytes) -> list[Block]:
        """The blocks that the next frame brings, finest first."""
        assert frame.seq == self.last + 1, f"frame {frame.seq} after {self.last}"
        self.last = frame.seq
        blocks = [Block(0, frame.seq, frame.first_step, frame.last_step, data)]
        for level in range(TOP):
            siblings = self._open[level]
            siblings.append(frame)
            if len(siblings) < wire.MERGE:
                break
            frame = wire.merge(siblings)
            siblings.clear()
            index = frame.seq // wire.MERGE ** (level + 1)
            blocks.append(Block(level + 1, index, frame.first_step, frame.last_step, wire.encode(frame)))
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


def pack(frames: Iterable[bytes]) -> bytes:
    """Frames one after another, each behind its length as u32."""
    return b"".join(part for frame in frames for part in (_LENGTH.pack(len(frame)), frame))
