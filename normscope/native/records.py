"""Records of tensors, by the compiled core: written in the training process, unpacked beside it."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

import numpy as np

from ..sketch import BINS
from .library import address, library, threads

if TYPE_CHECKING:
    from array import array

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

KINDS: Final = {"float32": 0, "bfloat16": 1, "float16": 2}
"""What it can read, as it numbers them."""
JOB: Final = 4
"""Integers that describe a tensor: the address of its values, which lie without gaps, how many they are, their number
in KINDS, its slot."""
HEAD: Final = 18
"""Units of 4 bytes that a record begins with: its numbers, whose it is, and how many bins are filled."""
LARGEST: Final = HEAD + BINS + 1
"""Units of 4 bytes that a record has at most."""

_SLOT: Final = np.dtype([("low", "f4"), ("high", "f4"), ("seen", "i8")])


_FIELDS: Final = (
    "memory", "at", "stop", "share", "slots", "unseen", "rows", "step", "of", "parallel", "number", "threads", "counts",
)  # fmt: skip
_AT: Final = _FIELDS.index("at")
_ROWS: Final = _FIELDS.index("rows")


class _Pad(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int64) for name in _FIELDS)


class Pad:
    """Where the records of a step's tensors are written, one after another.

    Args:
        bounds: Beyond which values of each slot are saturated, shape [2, slots].
    """

    def __init__(self, bounds: NDArray[np.float32]) -> None:
        self._slots = np.zeros(bounds.shape[1], _SLOT)
        self._slots["low"], self._slots["high"] = bounds
        self._counts = np.zeros(library().normscope_tables(), np.uint8)
        start, number = threads()
        self._pad = _Pad(
            slots=len(self._slots), of=address(self._slots), parallel=start, number=number,
            counts=address(self._counts),
        )  # fmt: skip
        self._address = ctypes.addressof(self._pad)
        # Plain integers, which a view gives in half the time that the structure would.
        self._fields = memoryview(self._pad).cast("B").cast("q")
        self._begin, self._add = library().normscope_begin, library().normscope_add

    def begin(self, address: int, start: int, stop: int, threads: int) -> None:
        """Write the next step's records from unit `start` up to `stop` of 4 bytes each, an even one, at an address.

        A large tensor is read by `threads` of torch's: as many as it uses itself.
        """
        self._begin(self._address, address, start, stop, threads)

    def add(self, jobs: array[int], count: int) -> int:
        """Write the records of so many tensors, JOB integers for each; how many found room.

        Each slot that has not been seen in this step keeps its share of the room. Where a share does not suffice for a
        histogram, it is left out.
        """
        return int(self._add(self._address, jobs.buffer_info()[0], count))

    def seen(self) -> set[int]:
        """The slots of which there ever was a tensor."""
        return set(np.flatnonzero(self._slots["seen"]).tolist())

    @property
    def end(self) -> int:
        """The unit behind the last record."""
        return self._fields[_AT]

    @property
    def rows(self) -> int:
        """Records in this step."""
        return self._fields[_ROWS]


def numbers(job: array[int], bounds: tuple[float, float]) -> list[float]:
    """What a record begins with, for a tensor whose record has no room: its eight numbers."""
    found: list[float] = _record(job, bounds, HEAD)[: HEAD - 2].view(np.float64).tolist()
    return found


def record(slot: int, sample: NDArray[np.float32], known: list[float], room: int = LARGEST) -> NDArray[np.float32]:
    """The record of a tensor whose eight numbers are known and a sample of which is here, all of it counted.

    It is of at most `room` units of 4 bytes, HEAD or more: without a histogram if that would need more.
    """
    from array import array

    sample = np.ascontiguousarray(sample, np.float32)
    found = _record(
        array("q", (address(sample), len(sample), KINDS["float32"], slot)), (-np.inf, np.inf), min(room, LARGEST)
    )
    found[: 2 * len(known)].view(np.float64)[:] = known
    return found


def _record(job: array[int], bounds: tuple[float, float], room: int) -> NDArray[np.float32]:
    found = np.zeros(room, np.float32)
    return found[: library().normscope_record(job.buffer_info()[0], *bounds, address(found), room)]


def unpack(records: NDArray[np.float32], rows: int) -> tuple[Ints, Floats, Ints, Ints, Ints]:
    """Slots, moments, counters, bins and counts from so many records laid end to end, as `Summaries` has them.

    They come ordered by slot.

    Raises:
        ValueError: If they are not what they should be.
    """
    units = len(records)
    records = np.ascontiguousarray(records, np.float32)  # under its name, so that a copy lives until we are done
    begins, slots = np.empty(rows, np.int64), np.empty(rows, np.int64)
    if not library().normscope_find(address(records), units, rows, address(begins), address(slots)):
        raise ValueError(f"{rows} records of {units} units are damaged")
    order = np.argsort(slots, kind="stable")
    begins, slots = begins[order], slots[order]
    moments, counters = np.empty((rows, 4)), np.empty((rows, 4), np.int64)
    bins, counts = np.empty(units, np.int64), np.empty(units, np.int64)
    filled = library().normscope_unpack(
        address(records), address(begins), rows, address(moments), address(counters), address(bins), address(counts)
    )
    return slots, moments, counters, bins[:filled].copy(), counts[:filled].copy()
