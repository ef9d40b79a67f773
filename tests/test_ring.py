"""The ring: what one side writes, the other reads, through every lap."""

from __future__ import annotations

import numpy as np
import pytest

from normscope.ring import SIZE, Ring


def test_records_come_back_whole_through_many_laps() -> None:
    writer = Ring.create()
    reader = Ring(writer.path)
    writer.unlink()
    rng = np.random.default_rng(0)
    written: list[tuple[tuple[int, int], np.ndarray]] = []
    laps = 0
    for _ in range(400):
        values = rng.normal(size=int(rng.integers(0, SIZE // 3))).astype(np.float32)
        place = writer.write(values)
        while place is None:
            (start, end), wanted = written.pop(0)
            assert np.array_equal(reader.read(start, end), wanted)
            reader.release(end)
            place = writer.write(values)
        written.append((place, values))
        assert writer.waiting == len(written)
        laps = place[1] // SIZE
    for (start, end), wanted in written:
        assert np.array_equal(reader.read(start, end), wanted)
        reader.release(end)
    assert writer.waiting == 0
    assert laps > 10


def test_what_never_fits_is_refused() -> None:
    ring = Ring.create()
    ring.unlink()
    with pytest.raises(ValueError, match="do not fit"):
        ring.write(np.zeros(SIZE + 1, np.float32))


def test_a_full_ring_says_so_and_keeps_what_it_has() -> None:
    ring = Ring.create()
    ring.unlink()
    first = ring.write(np.ones(SIZE, np.float32))
    assert first == (0, SIZE)
    assert ring.write(np.zeros(1, np.float32)) is None
    assert ring.read(*first).all()


def test_values_may_be_put_straight_into_their_place() -> None:
    writer = Ring.create()
    reader = Ring(writer.path)
    writer.unlink()
    for lap in range(9):
        at = writer.room(SIZE // 4)
        assert at is not None
        writer.values[at : at + 100] = lap
        start, end = writer.commit(100)
        assert end - start == 100
        assert (reader.read(start, end) == lap).all()
        reader.release(end)
    assert writer.waiting == 0
