"""The writer's end of a ring, by the compiled core."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from .library import library

if TYPE_CHECKING:
    from array import array


class _Ring(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_int64) for name in ("values", "counters", "entries", "state", "size", "whole", "waiting")
    )


class Committer:
    """Commits records of a `normscope.sending.ring.Ring`.

    Args:
        values: The address of its values; `counters` and `entries`, of those.
        state: What the writer keeps: units written, units claimed, records.
        size: Units of 4 bytes in it.
        whole: Units of the largest record with its note.
        waiting: Records that may wait.
    """

    def __init__(
        self, values: int, counters: int, entries: int, state: array[int], size: int, whole: int, waiting: int
    ) -> None:
        self._ring = _Ring(values, counters, entries, state.buffer_info()[0], size, whole, waiting)
        self._address = ctypes.addressof(self._ring)
        self._commit = library().normscope_commit

    def commit(self, count: int, note: bytes) -> int:
        """As `Ring.commit`; then as `Ring.room`, with -1 for none."""
        found: int = self._commit(self._address, count, note, len(note))
        return found
