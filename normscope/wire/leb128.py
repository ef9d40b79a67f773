"""Unsigned LEB128 integers (DWARF 5, section 7.6), a whole array at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES: Final = 7
"""Integers below 2^49: more values than a histogram will count, and exact in JavaScript's numbers."""


def encode_varints(values: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """The integers (shape [n], each in [0, 2^49)) as bytes, and how many bytes each took."""
    limits = 1 << (7 * np.arange(1, MAX_BYTES, dtype=np.int64))
    widths = np.searchsorted(limits, values, side="right") + 1
    ends = np.cumsum(widths)
    starts = ends - widths
    out = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    for place in range(int(widths.max(initial=0))):
        has = widths > place
        more = (widths[has] > place + 1).astype(np.int64) << 7
        out[starts[has] + place] = (values[has] >> (7 * place)) & 0x7F | more
    return out.tobytes(), widths


def decode_varints(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All integers in `data`, shape [n], and the index of the last byte of each.

    Raises:
        ValueError: If the last integer is cut off or one is longer than MAX_BYTES.
    """
    raw = np.frombuffer(data, np.uint8).astype(np.int64)
    ends = np.flatnonzero(raw < 0x80)
    if len(raw) and (not len(ends) or ends[-1] != len(raw) - 1):
        raise ValueError("the last integer is cut off")
    starts = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    if len(ends) and int((ends - starts).max()) >= MAX_BYTES:
        raise ValueError(f"an integer longer than {MAX_BYTES} bytes")
    if not len(ends):
        return np.zeros(0, np.int64), ends
    place = np.arange(len(raw)) - np.repeat(starts, ends - starts + 1)
    return np.add.reduceat((raw & 0x7F) << (7 * place), starts), ends
