"""The ring: what one side writes, the other reads, through every lap."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from normscope import native
from normscope.sending.ring import SMALLEST, WAITING, Record, Ring


def pair(size: int = SMALLEST) -> tuple[Ring, Ring]:
    writer = Ring.create(size)
    reader = Ring(writer.path)
    writer.unlink()
    return writer, reader


def test_records_come_back_whole_through_many_laps() -> None:
    writer, reader = pair()
    rng = np.random.default_rng(0)
    written: deque[tuple[np.ndarray, bytes]] = deque()
    laps = 0

    def read_some() -> int:
        found = list(reader.records())
        for record in found:
            values, note = written.popleft()
            assert np.array_equal(record.values, values)
            assert record.note == note
            reader.release(record)
        return found[-1].end // SMALLEST if found else 0

    for _ in range(400):
        values = rng.normal(size=int(rng.integers(0, writer.most))).astype(np.float32)
        note = rng.bytes(int(rng.integers(0, 9000)))
        while not writer.write(values, note):
            laps = max(laps, read_some())
        written.append((values, note))
    read_some()
    assert not written
    assert laps > 10


def test_the_core_commits_as_python_does() -> None:
    """Byte for byte, in all of the memory that the two sides share, also where there is no room for a while."""
    sides = [pair(1 << 15) for _ in range(2)]
    assert (sides[0][0]._committer is not None) == native.available()
    sides[1][0]._committer = None
    for writer, _ in sides:  # what lies around in a note's room is no part of it
        writer._memory[:] = bytes(len(writer._memory))
    rng = np.random.default_rng(1)
    for _ in range(2000):
        rooms = [writer.room() for writer, _ in sides]
        assert rooms[0] == rooms[1]
        if rooms[0] is None or rng.random() < 0.1:
            for _, reader in sides:
                for record in reader.records():
                    reader.release(record)
            continue
        count = int(rng.integers(0, sides[0][0].most))
        values, note = rng.normal(size=count).astype(np.float32), rng.bytes(int(rng.integers(0, 200)))
        for writer, _ in sides:
            writer.values[rooms[0] : rooms[0] + count] = values
            writer.commit(count, note)
        assert sides[0][0]._memory[:] == sides[1][0]._memory[:]


def test_what_never_fits_is_refused() -> None:
    writer, _ = pair()
    with pytest.raises(ValueError, match="do not fit"):
        writer.write(np.zeros(writer.most + 1, np.float32), b"")
    with pytest.raises(ValueError, match="does not fit"):
        writer.write(np.zeros(writer.most, np.float32), bytes(1 << 20))
    assert writer.write(np.zeros(writer.most, np.float32), b"as before")


def test_a_full_ring_says_so_and_keeps_what_it_has() -> None:
    writer, reader = pair()
    for i in range(4):
        assert writer.write(np.full(writer.most, i, np.float32), bytes(4 * 4000))
    assert not writer.write(np.zeros(1, np.float32), b"")
    assert writer.room() is None
    found: list[Record] = list(reader.records())
    assert all((record.values == i).all() for i, record in enumerate(found))
    for record in found[:2]:
        reader.release(record)
    assert writer.write(np.zeros(1, np.float32), b"")


def test_only_so_many_records_may_wait() -> None:
    writer, reader = pair()
    for i in range(WAITING):
        assert writer.write(np.full(2, i, np.float32), b"x")
    assert writer.room() is None
    for record in reader.records():
        reader.release(record)
    assert writer.room() is not None
    assert not list(reader.records())


def test_values_may_be_put_straight_into_their_place() -> None:
    writer, reader = pair()
    for lap in range(900):
        at = writer.room()
        assert at is not None
        assert at % 2 == 0
        writer.values[at : at + 101] = lap
        writer.commit(101, b"lap %d" % lap)
        (record,) = reader.records()
        assert (record.values == lap).all()
        assert len(record.values) == 101
        assert record.note == b"lap %d" % lap
        reader.release(record)
