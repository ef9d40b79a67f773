"""Frames that the server does not have yet: the oldest in memory, then on disk, thinned when even that is full."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from .. import wire
from .spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MEMORY: Final = 16 << 20
"""Bytes of frames that wait in memory."""
_MESSAGE: Final = 256 << 10
"""Bytes of frames that travel in one message; a larger frame travels alone."""


class Backlog:
    """A queue of frames: added at one end, taken to be sent, and let go at the other when the server has them.

    Args:
        hello: Introduces the run, wherever its frames are put.
        memory: Bytes that may wait in memory; what comes beyond goes to disk.
        disk: Bytes that may wait on disk; beyond it, the oldest there are merged, four steps into one. 0 for no disk.
        tell: Hears what a person should know.
    """

    def __init__(self, hello: wire.Hello, memory: int, disk: int, tell: Callable[[str], None]) -> None:
        self._memory = memory
        self._spool = Spool(hello, disk, tell)
        self._kept: deque[tuple[int, bytes]] = deque()
        self._taken = -1
        self.seq = 0
        """The number that the next frame will have."""
        self.bytes = 0
        """How many of them wait in memory."""
        self.committed = -1
        """The number of the newest frame that the server has, as far as it has said."""

    def __bool__(self) -> bool:
        return bool(self._kept) or self.spooled

    @property
    def spooled(self) -> bool:
        """Whether some of them wait on disk."""
        return bool(self._spool)

    @property
    def untaken(self) -> bool:
        """Whether there is something that was not taken yet."""
        return self._fresh or self.spooled

    @property
    def ready(self) -> bool:
        """Whether there is something to take now: what is on disk waits for room in memory."""
        return self._fresh or (self.spooled and self.bytes <= self._memory)

    @property
    def _fresh(self) -> bool:
        return bool(self._kept) and self._kept[-1][0] > self._taken

    def has_room(self) -> bool:
        """Whether one more frame may wait."""
        return (self.bytes <= self._memory and not self.spooled) or self._spool.has_room()

    def add(self, data: bytes, frames: int = 1) -> None:
        """An encoded frame, of so many steps."""
        self.seq += frames
        if self.spooled or self.bytes > self._memory:
            self._spool.add(data)
        else:
            self._keep(self.seq - 1, data)

    def take(self) -> list[bytes]:
        """What is to be sent now: all that is in memory and was not taken before, else the oldest from disk."""
        found = [data for last, data in self._kept if last > self._taken]
        if not found and self.ready:
            found = self._spool.take()
            for data in found:
                self._keep(wire.check(data).last_seq, data)
        if self._kept:
            self._taken = max(self._taken, self._kept[-1][0])
        return found

    def acknowledge(self, last: int) -> None:
        """The server has everything up to this number."""
        self.committed = max(self.committed, last)
        while self._kept and self._kept[0][0] <= last:
            self.bytes -= len(self._kept.popleft()[1])

    def again(self) -> None:
        """What was taken and not acknowledged is to be taken once more."""
        self._taken = self.committed

    def leave(self, words: Sequence[wire.Message]) -> None:
        """Put everything that the server does not have on disk, with what else was to be said."""
        self._spool.leave([data for _, data in self._kept], words)

    def _keep(self, last: int, data: bytes) -> None:
        self._kept.append((last, data))
        self.bytes += len(data)


def packed(frames: list[bytes]) -> Iterator[bytes]:
    """Frames packed into as few messages as may be: what a message costs both sides, its frames cost once."""
    together: list[bytes] = []
    size = 0
    for frame in frames:
        if together and size + len(frame) > _MESSAGE:
            yield wire.pack(together)
            together, size = [], 0
        together.append(frame)
        size += len(frame)
    if together:
        yield wire.pack(together)
