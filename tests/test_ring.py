"""The ring: what one side writes, the other reads, through every lap."""

from __future__ import annotations

import numpy as np
import pytest

from normscope.ring import SMALLEST, Ring


def test_records_come_back_whole_through_many_laps() -> None:
    writer = Ring.create()
    reader = Ring(writer.path)
    writer.unlink()
    rng = np.random.default_rng(0)
    written: list[tuple[tuple[int, int], np.ndarray]] = []
    laps = 0
    for _ in range(400):
        values = rng.normal(size=int(rng.integers(0, SMALLEST // 4))).astype(np.float32)
        place = writer.write(values)
        while place is None:
            (start, end), wanted = written.pop(0)
            assert np.array_equal(reader.read(start, end), wanted)
            reader.release(end)
            place = writer.write(values)
        written.append((place, values))
        assert writer.waiting == len(written)
        laps = place[1] // SMALLEST
    for (start, end), wanted in written:
        assert np.array_equal(reader.read(start, end), wanted)
        reader.release(end)
    assert writer.waiting == 0
    assert laps > 10


def test_what_never_fits_is_refused() -> None:
    ring = Ring.create()
    ring.unlink()
    with pytest.raises(ValueError, match="do not fit"):
        ring.write(np.zeros(ring.most + 1, np.float32))


def test_a_full_ring_says_so_and_keeps_what_it_has() -> None:
    ring = Ring.create(4 * SMALLEST)
    ring.unlink()
    assert ring.most == SMALLEST
    places = [ring.write(np.full(SMALLEST, i, np.float32)) for i in range(4)]
    assert ring.write(np.zeros(1, np.float32)) is None
    for i, place in enumerate(places):
        assert place is not None
        assert (ring.read(*place) == i).all()


def test_values_may_be_put_straight_into_their_place() -> None:
    writer = Ring.create()
    reader = Ring(writer.path)
    writer.unlink()
    for lap in range(9):
        at = writer.room()
        assert at is not None
        writer.values[at : at + 100] = lap
        start, end = writer.commit(100)
        assert end - start == 100
        assert (reader.read(start, end) == lap).all()
        reader.release(end)
    assert writer.waiting == 0
