"""Variable-length integers against a reading of the standard, one byte at a time."""

from __future__ import annotations

import numpy as np
import pytest

from normscope.wire.leb128 import MAX_BYTES, decode_varints, encode_varints, first_varints

EDGES = [0, 1, 127, 128, 129, 16383, 16384, 2**21 - 1, 2**21, 2**28 - 1, 2**28, 2**35, 2**42 - 1, 2**42, 2**49 - 1]


def one(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def test_bytes_are_those_of_the_standard() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([EDGES, rng.integers(0, 2 ** rng.integers(1, 49, 5000))]).astype(np.int64)
    data, ends = encode_varints(values)
    assert data == b"".join(one(int(v)) for v in values)
    assert ends.tolist() == np.cumsum([len(one(int(v))) for v in values]).tolist()


def test_what_is_written_is_read() -> None:
    values = np.array(EDGES, np.int64)
    data, ends = encode_varints(values)
    found, found_ends = decode_varints(data)
    assert np.array_equal(found, values)
    assert np.array_equal(found_ends, ends)
    assert first_varints(data, int(ends[3]), 9) == EDGES[4:13]


def test_nothing_is_no_bytes() -> None:
    assert encode_varints(np.zeros(0, np.int64))[0] == b""
    found, ends = decode_varints(b"")
    assert len(found) == len(ends) == 0


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"\x80", "cut off"), (b"\x01\xff", "cut off"), (b"\x80" * MAX_BYTES + b"\x01", "longer than")],
)
def test_bad_bytes_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode_varints(data)
