"""A ring of float32 values, or of records in units as large, in memory that two processes share."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST: Final = 1 << 20
"""Values in a ring of values, at least (4 MiB): many steps of a small net."""
_HEADER: Final = 64
"""Bytes before the values: how many values and records the reader is done with, and its nanoseconds, as int64."""


class Ring:
    """One process writes, the other reads. A record never wraps, so that it is one array on both sides.

    Positions count all values ever written.

    Args:
        path: A file of the right size.
    """

    def __init__(self, path: str) -> None:
        with Path(path).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._done = np.frombuffer(self._memory, np.int64, 3)
        self.values = np.frombuffer(self._memory, np.float32, offset=_HEADER)
        """All of its memory, shape [size]."""
        self.size = len(self.values)
        self.most = self.size // 4
        """Values that a record may have."""
        self._written = self._claimed = 0
        self._records = 0
        self.path = path

    @classmethod
    def create(cls, size: int = SMALLEST) -> Self:
        """A new ring of so many values, in memory where the system has a folder for that."""
        shared = "/dev/shm"  # noqa: S108  mkstemp makes a name nobody can guess, readable by us alone
        file, path = tempfile.mkstemp("-normscope", dir=shared if os.access(shared, os.W_OK) else None)
        os.truncate(file, _HEADER + 4 * size)
        os.close(file)
        return cls(path)

    def unlink(self) -> None:
        """Take the name away; who has it open keeps it."""
        Path(self.path).unlink(missing_ok=True)

    @property
    def waiting(self) -> int:
        """Records that the reader is not done with, as the writer knows it."""
        return self._records - int(self._done[1])

    def room(self) -> int | None:
        """Where in `values` the next record goes, which may have up to `most` values; None if there is no room now."""
        start = self._written
        if start % self.size + self.most > self.size:
            start += self.size - start % self.size
        if start + self.most - int(self._done[0]) > self.size:
            return None
        self._claimed = start
        return start % self.size

    def commit(self, count: int) -> tuple[int, int]:
        """Make a record of the values that were put where `room` said last; where it begins and ends."""
        start, self._written = self._claimed, self._claimed + count
        self._records += 1
        return start, self._written

    def write(self, values: NDArray[np.float32]) -> tuple[int, int] | None:
        """Copy values into a record; where it begins and ends, or None if there is no room now.

        Raises:
            ValueError: If there never will be.
        """
        if len(values) > self.most:
            raise ValueError(f"{len(values)} values do not fit into a record of at most {self.most}")
        at = self.room()
        if at is None:
            return None
        self.values[at : at + len(values)] = values
        return self.commit(len(values))

    def read(self, start: int, end: int) -> NDArray[np.float32]:
        """The values of a record; they stay until `release`."""
        at = start % self.size
        return self.values[at : at + end - start]

    def release(self, end: int) -> None:
        """Say that the oldest record, which ends there, has been read."""
        self._done[0] = end
        self._done[1] += 1

    @property
    def reader_seconds(self) -> float:
        """Processor time that the reader has spent, as far as it has reported."""
        return int(self._done[2]) / 1e9

    def report(self, nanoseconds: int) -> None:
        """Say, as the reader, how much processor time was spent so far."""
        self._done[2] = nanoseconds
