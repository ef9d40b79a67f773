"""The measuring core compiled, where a C compiler was at hand when this was installed.

It gives the answers of `normscope/summary.py` and `normscope/reduction.py` in a fraction of the time, and is all there
is of the package that is not Python: one file, called through ctypes, built by `hatch_build.py`. Where it is missing,
those two do the work themselves.

What it finds of a tensor it writes as a record: the eight numbers, whose it is, the filled bins, their counts.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..sketch import BINS

if TYPE_CHECKING:
    from array import array

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

VERSION: Final = 2
"""Of the interface to the library."""
KINDS: Final = {"float32": 0, "bfloat16": 1, "float16": 2}
"""What it can read, as it numbers them."""
JOB: Final = 4
"""Integers that describe a tensor: the address of its values, which lie without gaps, how many they are, their number
in KINDS, its slot."""
HEAD: Final = 18
"""Units of 4 bytes that a record begins with: its numbers, whose it is, and how many bins are filled."""
LARGEST: Final = HEAD + BINS + 1
"""Units of 4 bytes that a record has at most."""

_ARRAY: Final = ctypes.c_void_p
_COUNT: Final = ctypes.c_int64
_FLOAT: Final = ctypes.c_float
_SIGNATURES: Final[dict[str, tuple[tuple[Any, ...], Any]]] = {
    "normscope_tables": ((), _COUNT),
    "normscope_begin": ((_ARRAY, _ARRAY, _COUNT, _COUNT), None),
    "normscope_add": ((_ARRAY, _ARRAY, _COUNT), _COUNT),
    "normscope_record": ((_ARRAY, _FLOAT, _FLOAT, _ARRAY, _COUNT), _COUNT),
    "normscope_find": ((_ARRAY, _COUNT, _COUNT, _ARRAY, _ARRAY), ctypes.c_int),
    "normscope_unpack": ((_ARRAY, _ARRAY, _COUNT, _ARRAY, _ARRAY, _ARRAY, _ARRAY), _COUNT),
}
_SLOT: Final = np.dtype([("low", "f4"), ("high", "f4"), ("seen", "i8")])


def _load() -> ctypes.CDLL | None:
    """The library; None if there is none that fits, or NORMSCOPE_NATIVE is 0."""
    if os.environ.get("NORMSCOPE_NATIVE") == "0":
        return None
    for path in sorted(Path(__file__).parent.glob("summarize.[sd][oy]*")):
        try:
            found = ctypes.CDLL(str(path))
            if found.normscope_version() == VERSION:
                for name, (arguments, result) in _SIGNATURES.items():
                    function = getattr(found, name)
                    function.argtypes, function.restype = arguments, result
                return found
        except (OSError, AttributeError):  # of another system, or damaged
            continue
    return None


def _start_of_threads() -> int:
    """The address of the function by which torch's threads are put to work, where it uses GNU's OpenMP; else 0.

    The library borrows those threads: they have just computed the tensor, and threads of its own would fight with them.
    """
    torch = sys.modules.get("torch")
    if _library is None or torch is None or not sys.platform.startswith("linux"):
        return 0
    paths = sorted((Path(torch.__file__ or "").parent / "lib").glob("libgomp*.so*"))
    try:
        return ctypes.cast(ctypes.CDLL(str(paths[0])).GOMP_parallel, ctypes.c_void_p).value or 0 if paths else 0
    except (OSError, AttributeError):
        return 0


_library = _load()


def available() -> bool:
    """Whether there is a library to call."""
    return _library is not None


def _at(values: NDArray[Any]) -> int:
    return int(values.__array_interface__["data"][0])


class _Pad(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            "memory", "at", "stop", "share", "slots", "unseen", "rows", "step", "of", "parallel", "threads",
            "counts",
        )
    )  # fmt: skip


class Pad:
    """Where the records of a step's tensors are written, one after another.

    Args:
        bounds: Beyond which values of each slot are saturated, shape [2, slots].
    """

    def __init__(self, bounds: NDArray[np.float32]) -> None:
        assert _library is not None
        self._slots = np.zeros(bounds.shape[1], _SLOT)
        self._slots["low"], self._slots["high"] = bounds
        self._counts = np.zeros(_library.normscope_tables(), np.uint8)
        self._pad = _Pad(
            slots=len(self._slots), of=_at(self._slots), parallel=_start_of_threads(), counts=_at(self._counts)
        )
        self._address = ctypes.addressof(self._pad)
        self._begin, self._add = _library.normscope_begin, _library.normscope_add

    def begin(self, address: int, start: int, stop: int, threads: int) -> None:
        """Write the next step's records from unit `start` up to `stop` of 4 bytes each, an even one, at an address.

        A large tensor is read by `threads` of torch's: as many as it uses itself.
        """
        self._pad.threads = threads
        self._begin(self._address, address, start, stop)

    def add(self, jobs: array[int]) -> int:
        """Write the records of tensors, JOB integers for each; how many of them found room.

        Each slot that has not been seen in this step keeps its share of the room. Where a share does not suffice for a
        histogram, it is left out.
        """
        return int(self._add(self._address, jobs.buffer_info()[0], len(jobs) // JOB))

    def seen(self) -> set[int]:
        """The slots of which there ever was a tensor."""
        return set(np.flatnonzero(self._slots["seen"]).tolist())

    @property
    def end(self) -> int:
        """The unit behind the last record."""
        return int(self._pad.at)

    @property
    def rows(self) -> int:
        """Records in this step."""
        return int(self._pad.rows)


def numbers(job: array[int], bounds: tuple[float, float]) -> list[float]:
    """What a record begins with, for a tensor whose record has no room: its eight numbers."""
    found: list[float] = _record(job, bounds, HEAD)[: HEAD - 2].view(np.float64).tolist()
    return found


def record(slot: int, sample: NDArray[np.float32], known: list[float]) -> NDArray[np.float32]:
    """The record of a tensor whose eight numbers are known and a sample of which is here, all of it counted."""
    from array import array

    sample = np.ascontiguousarray(sample, np.float32)
    found = _record(array("q", (_at(sample), len(sample), KINDS["float32"], slot)), (-np.inf, np.inf), LARGEST)
    found[: 2 * len(known)].view(np.float64)[:] = known
    return found


def _record(job: array[int], bounds: tuple[float, float], room: int) -> NDArray[np.float32]:
    assert _library is not None
    found = np.zeros(room, np.float32)
    return found[: _library.normscope_record(job.buffer_info()[0], *bounds, _at(found), room)]


def unpack(records: NDArray[np.float32], rows: int) -> tuple[Ints, Floats, Ints, Ints, Ints]:
    """Slots, moments, counters, bins and counts from so many records laid end to end, as `Summaries` has them.

    They come ordered by slot.

    Raises:
        ValueError: If they are not what they should be.
    """
    assert _library is not None
    units = len(records)
    records = np.ascontiguousarray(records, np.float32)  # under its name, so that a copy lives until we are done
    begins, slots = np.empty(rows, np.int64), np.empty(rows, np.int64)
    if not _library.normscope_find(_at(records), units, rows, _at(begins), _at(slots)):
        raise ValueError(f"{rows} records of {units} units are damaged")
    order = np.argsort(slots, kind="stable")
    begins, slots = begins[order], slots[order]
    moments, counters = np.empty((rows, 4)), np.empty((rows, 4), np.int64)
    bins, counts = np.empty(units, np.int64), np.empty(units, np.int64)
    filled = _library.normscope_unpack(
        _at(records), _at(begins), rows, _at(moments), _at(counters), _at(bins), _at(counts)
    )
    return slots, moments, counters, bins[:filled].copy(), counts[:filled].copy()
