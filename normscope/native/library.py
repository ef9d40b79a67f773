"""Finds the compiled library and says what is in it."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION: Final = 4
"""Of the interface to the library."""

_ARRAY: Final = ctypes.c_void_p
_BYTES: Final = ctypes.c_char_p
_COUNT: Final = ctypes.c_int64
_FLOAT: Final = ctypes.c_float
_SIGNATURES: Final[dict[str, tuple[tuple[Any, ...], Any]]] = {
    "normscope_tables": ((), _COUNT),
    "normscope_add": ((_ARRAY, _ARRAY, _COUNT), _COUNT),
    "normscope_record": ((_ARRAY, _FLOAT, _FLOAT, _ARRAY, _COUNT), _COUNT),
    "normscope_find": ((_ARRAY, _COUNT, _COUNT, _ARRAY, _ARRAY), ctypes.c_int),
    "normscope_unpack": ((_ARRAY, _ARRAY, _COUNT, _ARRAY, _ARRAY, _ARRAY, _ARRAY), _COUNT),
    "normscope_frame": (
        (_ARRAY, _COUNT, _COUNT, _ARRAY, _ARRAY, _COUNT, _ARRAY, _ARRAY, _COUNT, ctypes.POINTER(_COUNT)), _COUNT,
    ),
    "normscope_check": ((_BYTES, _COUNT, _COUNT, ctypes.POINTER(_COUNT)), ctypes.c_int),
    "normscope_merge": ((ctypes.POINTER(_BYTES), ctypes.POINTER(_COUNT), _COUNT, _COUNT, _ARRAY, _COUNT), _COUNT),
}  # fmt: skip
_LOCKED: Final[dict[str, tuple[tuple[Any, ...], Any]]] = {
    "normscope_begin": ((_ARRAY, _ARRAY, _COUNT, _COUNT, _COUNT), None),
    "normscope_describe_one": ((_ARRAY, ctypes.py_object, _COUNT, _ARRAY), ctypes.c_int),
    "normscope_describe": ((_ARRAY, ctypes.py_object, _COUNT, _ARRAY, _ARRAY), _COUNT),
    "normscope_commit": ((_ARRAY, _COUNT, _BYTES, _COUNT), _COUNT),
}
"""What keeps the interpreter's lock: it asks Python, or is done sooner than the lock is given back."""


def _load() -> ctypes.CDLL | None:
    """The library; None if there is none that fits, or NORMSCOPE_NATIVE is 0."""
    if os.environ.get("NORMSCOPE_NATIVE") == "0" or sys.byteorder != "little":  # as all that crosses the sockets is
        return None
    for path in sorted(Path(__file__).parent.glob("core.[sd][oy]*")):
        try:
            found = ctypes.CDLL(str(path))
            if found.normscope_version() == VERSION:
                locked = ctypes.PyDLL(str(path))
                for name, (arguments, result) in (_SIGNATURES | _LOCKED).items():
                    function = getattr(locked if name in _LOCKED else found, name)
                    function.argtypes, function.restype = arguments, result
                    setattr(found, name, function)
                return found
        except (OSError, AttributeError):  # of another system, or damaged
            continue
    return None


_library = _load()


def available() -> bool:
    """Whether there is a library to call."""
    return _library is not None


def library() -> ctypes.CDLL:
    """It; call this only where it is available."""
    assert _library is not None
    return _library


def address(values: NDArray[Any]) -> int:
    """Where an array's values are."""
    return int(values.__array_interface__["data"][0])


def threads() -> tuple[int, int]:
    """Addresses of two functions, where torch uses GNU's OpenMP; else zeros.

    By the first, torch's threads are put to work; the second tells each of them its number. The library borrows those
    threads: they have just computed the tensor, and threads of its own would fight with them.
    """
    torch = sys.modules.get("torch")
    if _library is None or torch is None or not sys.platform.startswith("linux"):
        return 0, 0
    paths = sorted((Path(torch.__file__ or "").parent / "lib").glob("libgomp*.so*"))
    try:
        openmp = ctypes.CDLL(str(paths[0]))
        functions = openmp.GOMP_parallel, openmp.omp_get_thread_num
    except (OSError, AttributeError, IndexError):
        return 0, 0
    start, number = (ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions)
    return start, number
