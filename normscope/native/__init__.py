"""The measuring core compiled, where a C compiler was at hand when this was installed.

It gives the answers of `normscope/summary.py` and `normscope/reduction.py` in a fraction of the time, and is all there
is of the package that is not Python: one file, called through ctypes, built by `hatch_build.py`. Where it is missing,
those two do the work themselves.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..sketch import BINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION: Final = 1
"""Of the interface to the library."""
KINDS: Final = ("float32", "bfloat16", "float16")
"""What it can read, as it numbers them."""

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
                found.normscope_summarize.argtypes = [_ARRAY, _ARRAY, _COUNT, *(_ARRAY for _ in range(6))]
                found.normscope_summarize.restype = _COUNT
                found.normscope_reduce.argtypes = [
                    _ARRAY, _COUNT, ctypes.c_int, ctypes.c_float, ctypes.c_float, _ARRAY, _ARRAY, _COUNT, _COUNT,
                ]  # fmt: skip
                found.normscope_reduce.restype = None
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


def summarize(
    values: NDArray[np.float32], lengths: NDArray[np.int64], low: NDArray[np.float32], high: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Moments, counters, bins and counts, as `normscope.summary.summarize_arrays` has them."""
    assert _library is not None
    rows = len(lengths)
    assert int(lengths.sum()) <= len(values)
    moments, counters = np.empty((rows, 4)), np.empty((rows, 4), np.int64)
    room = int(np.minimum(lengths, BINS).sum())
    bins, counts = np.empty(room, np.int64), np.empty(room, np.int64)
    # Under their names again, so that copies live until the library is done.
    values, lengths = np.ascontiguousarray(values, np.float32), np.ascontiguousarray(lengths, np.int64)
    low, high = np.ascontiguousarray(low, np.float32), np.ascontiguousarray(high, np.float32)
    filled = _library.normscope_summarize(
        _at(values), _at(lengths), rows, _at(low), _at(high), _at(counters), _at(moments), _at(bins), _at(counts)
    )
    return moments, counters, bins[:filled].copy(), counts[:filled].copy()


def reduce(
    address: int, count: int, kind: str, low: float, high: float, sample: NDArray[np.float32], stride: int
) -> list[float]:
    """The eight exact numbers of a tensor, as `normscope.summary.NUMBERS` names them.

    Args:
        address: Where its values lie, without gaps.
        count: How many.
        kind: One of KINDS.
        low: Values below this are saturated.
        high: Values above this are saturated.
        sample: Filled with every `stride`-th value, from the first on; shape [m], m · stride < count + stride.
        stride: At least 1.
    """
    assert _library is not None
    assert len(sample) * stride < count + stride
    numbers = (ctypes.c_double * 8)()
    _library.normscope_reduce(
        address, count, KINDS.index(kind), low, high, ctypes.addressof(numbers), _at(sample), len(sample), stride
    )
    return list(numbers)
