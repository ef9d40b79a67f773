"""What the core is to do about tensors that wait, found out without torch's slow methods."""

from __future__ import annotations

import ctypes
import sys
from array import array
from functools import cache
from typing import TYPE_CHECKING, Final

from .library import library
from .records import JOB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_CAPSULE: Final = b"dlpack_exchange_api"
_MAJOR: Final = 1
"""Of DLPack, of whose layouts the core knows."""


class _Python(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_void_p)
        for name in (
            "item", "member", "integer", "attribute", "call", "release", "forgive", "tensor", "version", "negative",
            "yes",
        )
    )  # fmt: skip


class _Exchange(ctypes.Structure):
    """DLPack's `DLPackExchangeAPI`."""

    _fields_ = (
        ("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("previous", ctypes.c_void_p),
        ("allocate", ctypes.c_void_p), ("give", ctypes.c_void_p), ("take", ctypes.c_void_p),
        ("lend", ctypes.c_void_p), ("stream", ctypes.c_void_p),
    )  # fmt: skip


_kept: Final[list[object]] = []
"""What the core knows by its address."""


class Describer:
    """Makes jobs of tensors.

    Args:
        python: What the core has to ask; from `asked`.
    """

    def __init__(self, python: _Python) -> None:
        self._asked = python  # which has to stay where it is
        self._python = ctypes.addressof(python)
        self._describe, self._describe_one = library().normscope_describe, library().normscope_describe_one

    def describe(self, waiting: list[tuple[int, Tensor, int]]) -> tuple[array[int], int, Sequence[int]]:
        """Jobs, how many they are, and which of these have none, as places in the list.

        Those are changed since they were of the version given, not dense float32 tensors of this machine, or too large
        to wait. Jobs are good as long as the tensors are there.

        Args:
            waiting: Slots, tensors and versions.
        """
        count = len(waiting)
        jobs = array("q", bytes(8 * (JOB + 1) * count))  # and behind them, places of others
        address, others = jobs.buffer_info()[0], JOB * count
        described: int = self._describe(self._python, waiting, count, address, address + 8 * others)
        return jobs, described, () if described == count else jobs[others : others + count - described]

    def describe_one(self, slot: int, tensor: Tensor) -> array[int] | None:
        """The job of a dense float32 tensor of this machine; None for any other.

        It must be no tensor of a subclass, and none of inference mode.
        """
        job = array("q", bytes(8 * JOB))
        return job if self._describe_one(self._python, tensor, slot, job.buffer_info()[0]) else None


@cache
def asked() -> _Python | None:
    """What the core asks of Python and torch; None if this torch does not lend its tensors."""
    torch = sys.modules["torch"]
    capsule = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.argtypes, pointer.restype = (ctypes.py_object, ctypes.c_char_p), ctypes.c_void_p
    try:
        exchange = _Exchange.from_address(pointer(capsule, _CAPSULE)) if capsule is not None else None
    except ValueError:  # another kind of capsule
        return None
    if exchange is None or exchange.major != _MAJOR or not exchange.lend:
        return None
    api = ctypes.pythonapi
    functions = (
        api.PyList_GetItem, api.PyTuple_GetItem, api.PyLong_AsLongLong, api.PyObject_GetAttr,
        api.PyObject_CallFunctionObjArgs, api.Py_DecRef, api.PyErr_Clear,
    )  # fmt: skip
    objects = sys.intern("_version"), torch.Tensor.is_neg, True
    python = _Python(*(ctypes.cast(f, ctypes.c_void_p).value for f in functions), exchange.lend, *map(id, objects))
    _kept.extend(objects)
    return python


def describer() -> Describer | None:
    """One of one's own; None if this torch does not lend its tensors."""
    python = asked()
    return None if python is None else Describer(python)
