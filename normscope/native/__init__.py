"""The measuring core compiled, where a C compiler was at hand when this was installed.

It gives the answers of `normscope/summary.py` and `normscope/reduction.py` in a fraction of the time, and is all there
is of the package that is not Python: one file, called through ctypes, built by `hatch_build.py`. Where it is missing,
those two do the work themselves.

What it finds of a tensor it writes as a record: the eight numbers, the filled bins, their counts.
"""

from __future__ import annotations

import ctypes
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..sketch import BINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION: Final = 1
"""Of the interface to the library."""
KINDS: Final = {"float32": 0, "bfloat16": 1, "float16": 2}
"""What it can read, as it numbers them."""
HEAD: Final = 18
"""Units of 4 bytes that a record begins with: its numbers, and how many bins are filled."""
LARGEST: Final = HEAD + BINS + 1
"""Units of 4 bytes that a record has at most."""

_ARRAY: Final = ctypes.c_void_p
_COUNT: Final = ctypes.c_int64


def _load() -> ctypes.CDLL | None:
    """The library; None if there is none that fits, or NORMSCOPE_NATIVE is 0."""
    if os.environ.get("NORMSCOPE_NATIVE") == "0":
        return None
    for path in sorted(Path(__file__).parent.glob("summarize.[sd][oy]*")):
        try:
            found = ctypes.CDLL(str(path))
            if found.normscope_version() == VERSION:
                found.normscope_look.argtypes = [
                    _ARRAY, _COUNT, ctypes.c_int, ctypes.c_float, ctypes.c_float, _COUNT, _ARRAY, _COUNT,
                ]  # fmt: skip
                found.normscope_look.restype = _COUNT
                found.normscope_unpack.argtypes = [_ARRAY, _ARRAY, _COUNT, *(_ARRAY for _ in range(4)), _COUNT]
                found.normscope_unpack.restype = _COUNT
                return found
        except (OSError, AttributeError):  # of another system, or damaged
            continue
    return None


_library = _load()


def available() -> bool:
    """Whether there is a library to call."""
    return _library is not None


def _at(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def look(address: int, count: int, kind: str, bounds: tuple[float, float], stride: int, place: int, room: int) -> int:
    """Write the record of a tensor; its length in units of 4 bytes, 0 if it has no room.

    Args:
        address: Where its values lie, without gaps.
        count: How many.
        kind: One of KINDS.
        bounds: Values beyond these are saturated.
        stride: Every so many-th value is counted into the histogram; count / stride is below 65,536.
        place: The address where the record goes, a multiple of 8.
        room: Units of 4 bytes there. Where they do not suffice, the histogram is left out.
    """
    assert _library is not None
    return int(_library.normscope_look(address, count, KINDS[kind], *bounds, stride, place, room))


def unpack(
    records: NDArray[np.float32], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Moments, counters, bins and counts from records laid end to end, as `normscope.summary.Summaries` has them.

    A record of length 0 has nothing but zeros.
    """
    assert _library is not None
    rows = len(lengths)
    assert int(lengths.sum()) <= len(records)
    moments, counters = np.empty((rows, 4)), np.empty((rows, 4), np.int64)
    bins, counts = np.empty(len(records), np.int64), np.empty(len(records), np.int64)
    # Under their names again, so that copies live until the library is done.
    records, lengths = np.ascontiguousarray(records, np.float32), np.ascontiguousarray(lengths, np.int64)
    filled = _library.normscope_unpack(
        _at(records), _at(lengths), rows, _at(moments), _at(counters), _at(bins), _at(counts), len(records)
    )
    assert filled >= 0
    return moments, counters, bins[:filled].copy(), counts[:filled].copy()


def record(sample: NDArray[np.float32], numbers: list[float]) -> NDArray[np.float32]:
    """The record of a tensor whose eight numbers are known and a sample of which is here, all of it counted."""
    found = np.zeros(LARGEST, np.float32)
    sample = np.ascontiguousarray(sample, np.float32)
    size = look(_at(sample), len(sample), "float32", (-math.inf, math.inf), 1, _at(found), LARGEST)
    found[: 2 * len(numbers)].view(np.float64)[:] = numbers
    return found[:size]
