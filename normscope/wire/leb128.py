"""Unsigned LEB128 integers (DWARF 5, section 7.6), a whole array at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES: Final = 7
"""Integers below 2^49: more values than a histogram will count, and exact in JavaScript's numbers."""


def encode_varints(values: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """The integers (shape [n], each in [0, 2^49)) as bytes, and where each ends in them (exclusive)."""
    widths = np.ones(len(values), np.int64)
    longer = np.flatnonzero(values >= 0x80)
    while len(longer):
        widths[longer] += 1
        longer = longer[values[longer] >> (7 * widths[longer]) > 0]
    ends = np.cumsum(widths)
    starts = ends - widths
    out = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    out[starts] = values & 0x7F
    # Most are short: what is longer is continued, a byte at a time, by those that still have bits left.
    longer, place = np.flatnonzero(widths > 1), 1
    while len(longer):
        at = starts[longer] + place
        out[at - 1] |= 0x80
        out[at] = values[longer] >> (7 * place) & 0x7F
        longer, place = longer[widths[longer] > place + 1], place + 1
    return out.tobytes(), ends


def decode_varints(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All integers in `data`, shape [n], and where each ends (exclusive).

    Raises:
        ValueError: If the last integer is cut off or one is longer than MAX_BYTES.
    """
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 0x80) + 1
    if len(raw) and (not len(ends) or ends[-1] != len(raw)):
        raise ValueError("the last integer is cut off")
    widths = np.diff(ends, prepend=0)
    if int(widths.max(initial=0)) > MAX_BYTES:
        raise ValueError(f"an integer longer than {MAX_BYTES} bytes")
    starts = ends - widths
    values = (raw[starts] & 0x7F).astype(np.int64)
    longer, place = np.flatnonzero(widths > 1), 1
    while len(longer):
        values[longer] |= (raw[starts[longer] + place] & 0x7F).astype(np.int64) << (7 * place)
        longer, place = longer[widths[longer] > place + 1], place + 1
    return values, ends


def first_varints(data: bytes, at: int, count: int) -> list[int]:
    """So many integers, the first of which begins at `at`; quicker than all at a time where they are few."""
    found = []
    for _ in range(count):
        value = shift = 0
        while (byte := data[at]) >= 0x80:
            value |= (byte & 0x7F) << shift
            shift, at = shift + 7, at + 1
        found.append(value | byte << shift)
        at += 1
    return found
