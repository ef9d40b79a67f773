"""Where the values of a log are: sorted by step in a file of the system's, which is gone when it is closed.

Event files have the order in which values were written. Frames have all values of a step together, and a log may be
larger than memory: so scalars, and the places of histograms, go through a database without a name.
"""

from __future__ import annotations

import sqlite3
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import NormscopeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_AT_ONCE: Final = 1000
"""Values that are written together."""
_MEMORY: Final = 8 << 10
"""Kilobytes of it that are kept in memory."""


class Entry(NamedTuple):
    """A value of a step.

    Attributes:
        step: At which it was written.
        tag: The number of its tag.
        time: When, unix seconds.
        number: A scalar's value, or how many values a histogram counts; None for NaN.
        file: The number of its file, if it is a histogram.
        at: Where in it the record's bytes begin.
        size: How many they are.
        place: The value's place in the event.
    """

    step: int
    tag: int
    time: float
    number: float | None
    file: int | None = None
    at: int = 0
    size: int = 0
    place: int = 0


class Index:
    """The newest value of each tag at each step."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size=-{_MEMORY}")
        for pragma in ("journal_mode=OFF", "synchronous=OFF"):  # there is nothing to be kept
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(
            "CREATE TABLE entry (step INTEGER, tag INTEGER, time REAL, number REAL, file INTEGER, at INTEGER,"
            " size INTEGER, place INTEGER, PRIMARY KEY (step, tag)) WITHOUT ROWID"
        )
        self._waiting: list[Entry] = []
        self.taken = 0
        """How many values were put in."""

    def put(self, entry: Entry) -> None:
        """Take a value, in place of an older one of its tag and step."""
        self._waiting.append(entry)
        if len(self._waiting) >= _AT_ONCE:
            self._write()

    def _write(self) -> None:
        self.taken += len(self._waiting)
        try:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._waiting)
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise NormscopeError(f"what a log holds cannot be sorted: {error}") from error
        self._waiting.clear()

    def close(self) -> None:
        """Let go of it."""
        self._database.close()

    def values(self) -> int:
        """How many there are."""
        self._write()
        (found,) = self._database.execute("SELECT count(*) FROM entry").fetchone()
        return int(found)

    def count(self, after: int, last: int) -> int:
        """How many steps after one and up to another there are."""
        self._write()
        query = "SELECT count(DISTINCT step) FROM entry WHERE step > ? AND step <= ?"
        (found,) = self._database.execute(query, [after, last]).fetchone()
        return int(found)

    def newest(self) -> int:
        """The last step; -1 if there is none."""
        self._write()
        (found,) = self._database.execute("SELECT max(step) FROM entry").fetchone()
        return -1 if found is None else int(found)

    def until(self, step: int) -> dict[int, tuple[int, float]]:
        """By tag, how many values there are up to this step, and the sum of their numbers."""
        self._write()
        rows: Iterable[tuple[int, int, float]] = self._database.execute(
            "SELECT tag, count(*), total(number) FROM entry WHERE step <= ? GROUP BY tag", [step]
        )
        return {tag: (count, total) for tag, count, total in rows}

    def steps(self, after: int, last: int) -> Iterator[tuple[int, list[Entry]]]:
        """The steps after one and up to another, each with its values."""
        self._write()
        query = "SELECT * FROM entry WHERE step > ? AND step <= ? ORDER BY step, tag"
        rows = map(Entry._make, self._database.execute(query, [after, last]))
        for step, entries in groupby(rows, itemgetter(0)):
            yield step, list(entries)
