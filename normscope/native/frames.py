"""Frames as bytes, by the compiled core: each function answers None where `normscope.wire` has to do it itself."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

import numpy as np

from .library import address, available, library

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_HEAD: Final = ctypes.c_int64 * 7
_PER_ROW: Final = 128
"""Bytes that a layer takes in a frame at most, beside its histogram."""
_NUMBERS: Final = np.arange(8)
_GROWS: Final = 3
"""How many times as long as what it is made of a merged frame can be: series have extremes, numbers are larger."""


class Framer:
    """Makes frames of records.

    Args:
        layers: The layer of each slot, shape [slots].
        kinds: The kind of each, shape [slots].
    """

    def __init__(self, layers: NDArray[np.int64], kinds: NDArray[np.int64]) -> None:
        self._layers, self._kinds = layers.astype(np.uint16), kinds.astype(np.uint8)
        self._places = np.empty((len(layers), 2), np.int64)
        self._out = np.empty(0, np.uint8)
        self._broken = ctypes.c_int64()

    def numbers(self, records: NDArray[np.float32], rows: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """What the records say that a body was just made of: their slots, shape [rows], and their numbers, [rows, 8].

        These are values, zeros, saturated, non-finite, mean, standard deviation, minimum, maximum.
        """
        begins, slots = self._places[:rows].T
        doubles = records[: len(records) // 2 * 2].view(np.float64)
        return slots.copy(), doubles[(begins >> 1)[:, None] + _NUMBERS]  # both are kept for a while

    def body(self, records: NDArray[np.float32], rows: int) -> tuple[bytes, int] | None:
        """All of a frame but its header and series, and how many of its layers have values that are not finite.

        Args:
            records: So many records laid end to end, shape [units of 4 bytes].
            rows: How many they are.
        """
        if not available() or rows > len(self._places):
            return None
        room = _PER_ROW * rows + 2 * records.nbytes
        if len(self._out) < room:
            self._out = np.empty(2 * room, np.uint8)
        length = library().normscope_frame(
            address(records), len(records), rows, address(self._layers), address(self._kinds), len(self._layers),
            address(self._places), address(self._out), room, self._broken,
        )  # fmt: skip
        return (self._out[:length].tobytes(), self._broken.value) if length else None


def check(data: bytes, kinds: int) -> tuple[int, ...] | None:
    """What a frame of a known number of kinds says of itself, if there is nothing unusual about it.

    Level, layers, sequence number, frames, first step, last step, and the largest layer, -1 if there is none.
    """
    if not available():
        return None
    found = _HEAD()
    return tuple(found) if library().normscope_check(data, len(data), kinds, found) else None


def merge(datas: Sequence[bytes], kinds: int) -> bytes | None:
    """The frame of the next level that these make, which have the same layers."""
    if not available():
        return None
    count = len(datas)
    sizes = [len(data) for data in datas]
    room = _GROWS * sum(sizes) + _PER_ROW
    out = np.empty(room, np.uint8)
    length = library().normscope_merge(
        (ctypes.c_char_p * count)(*datas), (ctypes.c_int64 * count)(*sizes), count, kinds, address(out), room
    )
    return out[:length].tobytes() if length else None
