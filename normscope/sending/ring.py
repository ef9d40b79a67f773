"""A ring of records in memory that two processes share: one writes, the other looks for them.

A record is float32 values, or as many units of 4 bytes, and a note about them: a few bytes. Neither side ever calls the
system for it, which would take the training thread longer than writing does.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np

from .. import native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SMALLEST: Final = 1 << 20
"""Values in a ring of values, at least (4 MiB): many steps of a small net."""
WAITING: Final = 256
"""Records that may wait, at most."""
_SPARE: Final = 1 << 12
"""Units for a record's note, unless a ring is told otherwise."""
_COUNTERS: Final = 6
"""Of the reader: units and records that it is done with, its nanoseconds; of the writer: records and steps; and of the
reader the number of steps behind which to stop, 0 for none."""
_ENTRY: Final = 3
"""Of each record that waits: where it begins, how many values it has, and how many bytes its note."""
_HEADER: Final = 8 * (_COUNTERS + _ENTRY * WAITING)


class Record(NamedTuple):
    """What has been written; it stays until it is released."""

    values: NDArray[np.float32]
    note: bytes
    end: int


class Ring:
    """Positions count all units ever written. A record never wraps, so that it is one array on both sides.

    Args:
        path: A file of the right size.
        spare: Units for a record's note.
    """

    def __init__(self, path: str, spare: int = _SPARE) -> None:
        with Path(path).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        # Plain integers, one at a time: a view gives them several times as fast as an array would.
        numbers = memoryview(self._memory)[:_HEADER].cast("q")
        self._counters, self._entries = numbers[:_COUNTERS], numbers[_COUNTERS:]
        self.values = np.frombuffer(self._memory, np.float32, offset=_HEADER)
        """All of its memory, shape [size]."""
        self.size = len(self.values)
        self._spare = spare
        self.most = self.size // 4 - spare
        """Values that a record may have."""
        self._state = array("q", (0, 0, 0))
        self._count = 0  # of records that the reader has seen
        self._next = -1
        self.path = path
        self._committer = None
        if native.available():
            begin = self.values.__array_interface__["data"][0] - _HEADER
            places = begin + _HEADER, begin, begin + 8 * _COUNTERS
            self._committer = native.Committer(*places, self._state, self.size, self.most + spare, WAITING)

    @classmethod
    def create(cls, size: int = SMALLEST, spare: int = _SPARE) -> Self:
        """A new ring of so many units, in memory where the system has a folder for that."""
        shared = "/dev/shm"  # noqa: S108  mkstemp makes a name nobody can guess, readable by us alone
        file, path = tempfile.mkstemp("-normscope", dir=shared if os.access(shared, os.W_OK) else None)
        os.truncate(file, _HEADER + 4 * size)
        os.close(file)
        return cls(path, spare)

    def unlink(self) -> None:
        """Take the name away; who has it open keeps it."""
        Path(self.path).unlink(missing_ok=True)

    def room(self) -> int | None:
        """Where in `values` the next record goes, which may have up to `most` values; None if there is no room now.

        Records begin at even units, where doubles may stand.
        """
        if self._next >= 0:  # the core has found it; the reader only makes more
            return self._next
        whole = self.most + self._spare
        start, _, count = self._state
        if start % self.size + whole > self.size:
            start += self.size - start % self.size
        if start + whole - self._counters[0] > self.size or count - self._counters[1] >= WAITING:
            return None
        self._state[1] = start
        return start % self.size

    @property
    def longest(self) -> int:
        """Bytes that a note may have."""
        return 4 * self._spare - 8

    def commit(self, count: int, note: bytes) -> None:
        """Make a record of the values that were put where `room` said last, and a note about them.

        Raises:
            ValueError: If the note is too long.
        """
        if len(note) > self.longest:
            raise ValueError(f"a note of {len(note)} bytes does not fit into {self.longest}")
        if self._committer is not None:
            self._next = self._committer.commit(count, note)
            return
        _, start, number = self._state
        at = _HEADER + 4 * (start % self.size + count)
        self._memory[at : at + len(note)] = note
        entry = number % WAITING * _ENTRY
        self._entries[entry], self._entries[entry + 1], self._entries[entry + 2] = start, count, len(note)
        end = start + count + len(note) // 8 * 2 + 2
        self._state[0], self._state[2] = end + end % 2, number + 1
        self._counters[3] = number + 1  # last: now the reader may look

    def write(self, values: NDArray[np.float32], note: bytes) -> bool:
        """Copy values into a record; False if there is no room now.

        Raises:
            ValueError: If there never will be.
        """
        if len(values) > self.most:
            raise ValueError(f"{len(values)} values do not fit into a record of at most {self.most}")
        at = self.room()
        if at is None:
            return False
        self.values[at : at + len(values)] = values
        self.commit(len(values), note)
        return True

    def records(self) -> Iterator[Record]:
        """As the reader, the records that have come and were not read before, oldest first."""
        while self._count < self._counters[3]:
            entry = self._count % WAITING * _ENTRY
            start, count, size = self._entries[entry : entry + _ENTRY].tolist()
            at = start % self.size
            byte = _HEADER + 4 * (at + count)
            self._count += 1
            end = start + count + size // 8 * 2 + 2
            yield Record(self.values[at : at + count], self._memory[byte : byte + size], end + end % 2)

    def release(self, record: Record) -> None:
        """Say that the oldest record has been read."""
        self._counters[0] = record.end
        self._counters[1] += 1

    @property
    def filled(self) -> float:
        """As the reader, the share of the ring that waits to be read, in [0, 1]."""
        waiting = self._counters[3] - self._counters[1]
        if not waiting:
            return 0.0
        last = (self._counters[3] - 1) % WAITING * _ENTRY
        return max(waiting / WAITING, (self._entries[last] + self._entries[last + 1] - self._counters[0]) / self.size)

    @property
    def steps(self) -> int:
        """Steps that the writer has made, whether or not there is a record of them."""
        return self._counters[4]

    @steps.setter
    def steps(self, made: int) -> None:
        self._counters[4] = made

    @property
    def last(self) -> int | None:
        """The step behind which the reader has said to stop, if it has."""
        return self._counters[5] - 1 if self._counters[5] else None

    @last.setter
    def last(self, step: int) -> None:
        self._counters[5] = step + 1

    @property
    def reader_seconds(self) -> float:
        """Processor time that the reader has spent, as far as it has reported."""
        return self._counters[2] / 1e9

    def report(self, nanoseconds: int) -> None:
        """Say, as the reader, how much processor time was spent so far."""
        self._counters[2] = nanoseconds
