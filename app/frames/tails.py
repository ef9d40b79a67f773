"""The newest frames of runs that are watched: in memory, bounded, as they come or read once for all viewers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from normscope import wire

from ..limits import DELIVERY, TAIL, TAIL_FRAMES, TAILS
from .history import parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..store import Store

RUNS: Final = 256
"""Runs whose tails are kept, however small these are."""


class Next(NamedTuple):
    """What comes after a place in a run."""

    first: int
    """The first number in it."""
    last: int
    """The last one."""
    frames: int
    """How many frames."""
    data: bytes
    """All of them, packed into one message."""


@dataclass(slots=True)
class Tail:
    """The newest frames of one run."""

    last: int
    frames: deque[tuple[int, int, bytes]] = field(default_factory=deque)
    """Each with the first and the last number in it."""
    size: int = 0
    """Bytes of them."""
    reading: asyncio.Task[None] | None = None
    """What takes in newer ones; all who need them wait for it together, and go on at once when it is done."""
    _last_answer: tuple[tuple[int, int], Next] = ((-2, -2), Next(0, -1, 0, b""))

    async def read(self, store: Store, run: str, newest: int) -> None:
        """Take in the frames up to `newest`, as many of the last of them as there is room for."""
        first = max(self.last + 1, newest - TAIL_FRAMES + 1)
        if first > self.last + 1:
            self.frames.clear()
            self.last, self.size = first - 1, 0
        async for some in parts(store, run, 0, first, newest):
            for one in _numbered(some, self.last + 1, newest):
                self.add(one)
        self.last = max(self.last, newest)

    def add(self, one: tuple[int, int, bytes]) -> None:
        """Take in the next frame, with the first and the last number in it; the oldest ones make room for it."""
        self.frames.append(one)
        self.last = one[1]
        self.size += len(one[2])
        while len(self.frames) > TAIL_FRAMES or (self.size > TAIL and len(self.frames) > 1):
            self.size -= len(self.frames.popleft()[2])

    def after(self, cursor: int) -> Next:
        """The next frames after `cursor`, as many as go into a message."""
        known, found = self._last_answer
        if known == (cursor, self.last):  # nearly all viewers are at the same place
            return found
        found = self._after(cursor)
        self._last_answer = (cursor, self.last), found
        return found

    def _after(self, cursor: int) -> Next:
        ahead = []
        for one in reversed(self.frames):
            if one[1] <= cursor:
                break
            ahead.append(one)
        if not ahead:
            return Next(self.last + 1, self.last, 0, b"")
        first = max(ahead[-1][0], cursor + 1)
        found: list[bytes] = []
        size = 0
        while ahead and (not found or size + len(ahead[-1][2]) <= DELIVERY):
            _, last, data = ahead.pop()
            found.append(data)
            size += len(data)
        return Next(first, last, len(found), wire.pack(found))


def _numbered(frames: list[bytes], first: int, newest: int) -> Iterator[tuple[int, int, bytes]]:
    """Frames that begin with a number, each with the first and the last number in it."""
    if newest - first + 1 == len(frames) or wire.check(frames[-1]).last_seq - first + 1 == len(frames):
        yield from ((seq, seq, data) for seq, data in enumerate(frames, first))
        return
    for data in frames:
        head = wire.check(data)
        yield head.seq, head.last_seq, data


class Tails:
    """The tails of the runs that are being watched; of those that there is no room for, the longest unasked go."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tails: OrderedDict[str, Tail] = OrderedDict()

    def known(self, run: str, cursor: int, newest: int) -> Next | None:
        """The same as `after`, if nothing has to be read for it."""
        tail = self._tails.get(run)
        if tail is None or tail.reading is not None or newest > tail.last:
            return None
        self._tails.move_to_end(run)
        return tail.after(cursor)

    async def after(self, run: str, cursor: int, newest: int) -> Next:
        """The next frames after `cursor`, as many as go into a message."""
        tail = self._tails.get(run)
        if tail is None:
            tail = self._tails[run] = Tail(max(cursor, newest - TAIL_FRAMES))
        self._tails.move_to_end(run)
        if tail.reading is not None:  # until it is done, the tail is neither what it was nor what it will be
            await asyncio.shield(tail.reading)
        while newest > tail.last:
            if tail.reading is None:
                tail.reading = asyncio.create_task(self._read(tail, run, newest))
                tail.reading.add_done_callback(_heard)
            await asyncio.shield(tail.reading)  # a viewer that leaves does not take it from the others
        return tail.after(cursor)

    def take(self, run: str, first: int, frames: Sequence[bytes]) -> None:
        """Take in frames that have just been committed, from the number `first` on, each of one step.

        So those of a run that is watched where it sends to are not read from the store. If something is missing before
        them, or is being read, they will be, too.
        """
        tail = self._tails.get(run)
        if tail is None or tail.reading is not None or tail.last != first - 1:
            return
        for seq, data in enumerate(frames, first):
            tail.add((seq, seq, data))
        self._make_room()

    async def _read(self, tail: Tail, run: str, newest: int) -> None:
        try:
            await tail.read(self._store, run, newest)
        finally:
            tail.reading = None
        self._make_room()

    def _make_room(self) -> None:
        while len(self._tails) > RUNS or (
            len(self._tails) > 1 and sum(tail.size for tail in self._tails.values()) > TAILS
        ):
            self._tails.popitem(last=False)


def _heard(task: asyncio.Task[None]) -> None:
    """Whoever waits hears of an error; if all have left, nobody needs to."""
    if not task.cancelled():
        task.exception()
