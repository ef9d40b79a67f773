"""What is packed comes out as it was, whichever version packed it; what is damaged does not come out at all."""

from __future__ import annotations

import base64
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from app.store import Store, StoreError
from app.store.packing import DICTIONARY, FAILURES, pack, unpack
from normscope import wire

from ...frames import frame
from .test_store import EXPERIMENT, RUN, block, play

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parents[2] / "golden"
PACKED = (
    "KLUv/WdUeak02ADdBgCzyR8jHkf8ej3p1meevXzCgx7k11/+rsdXOY7CKGwRLoUFAT1R9Mw5551vzjlbi9+vzTpna63VWaPneaI5ft8zHJ7dBp"
    "+C12hHC8KYrnEMcsYwDwCw0UUNxC0izjQ/gigRfekHB2gQ4xhtmDBeuPxU+RJlShgqXaJwSYvvJAYRPYoeKPytAhhFMidZp0kSMRisJlp/DliC"
    "6kp9uBn/DXnECng4lLIB3kXyeA77KHCsyUS4mmFXFNPLqQn2l7zGbLQJCypNn729g2IHNe+2lAFLazCNS6thxeKb9gKJZO5t"
)
"""tests/golden/step0.bin as it was packed when its dictionary was new."""
frames = st.builds(
    lambda seq, layers, merged: wire.encode(
        wire.merge([frame(seq + i, layers=layers) for i in range(4)]) if merged else frame(seq, layers=layers)
    ),
    st.integers(0, 1000), st.integers(1, 5), st.booleans(),
)  # fmt: skip


@given(st.one_of(st.binary(max_size=5000), frames))
def test_what_is_packed_comes_out_bit_for_bit(data: bytes) -> None:
    packed = pack(data)
    assert unpack(packed) == data
    assert zstandard.get_frame_parameters(packed).dict_id == DICTIONARY.dict_id()
    assert len(packed) < len(data) + 30


@given(st.one_of(st.binary(max_size=1000), frames), st.integers(0, 9))
def test_what_earlier_versions_packed_is_read(data: bytes, level: int) -> None:
    assert unpack(zlib.compress(data, level)) == data


def test_the_dictionary_is_the_one_that_blocks_were_packed_with() -> None:
    assert unpack(base64.b64decode(PACKED)) == (GOLDEN / "step0.bin").read_bytes()


@given(st.data(), st.sampled_from([pack, zlib.compress]))
def test_damaged_blocks_are_never_taken_for_others(data: st.DataObject, packed_by: Callable[[bytes], bytes]) -> None:
    whole = wire.encode(frame(3))
    packed = bytearray(packed_by(whole))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    packed = packed[: data.draw(st.sampled_from([len(packed), place]))]
    with suppress(*FAILURES):
        assert unpack(bytes(packed)) == whole  # it has bits without a meaning


@pytest.mark.parametrize("data", [b"", b"nothing of ours", zstandard.FRAME_HEADER])
def test_what_was_never_packed_is_refused(data: bytes) -> None:
    with pytest.raises(FAILURES):
        unpack(data)


def test_many_threads_unpack_at_once() -> None:
    whole = [wire.encode(frame(seq)) for seq in range(200)]
    packed = [pack(data) for data in whole]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda i: unpack(packed[i % 200]), range(2000))) == whole * 10


def put(url: str, number: int, data: bytes) -> None:
    """A block of the run as it lies in the database, whatever that is."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    row = "INSERT INTO blocks (run, level, number, first_step, last_step, data) VALUES ('run', 0, :number, 0, 0, :data)"
    with engine.begin() as connection:
        connection.execute(sa.text(row), {"number": number, "data": data})
    engine.dispose()


def test_blocks_that_earlier_versions_packed_lie_among_those_of_today(store_url: str) -> None:
    async def begin(store: Store) -> None:
        await store.add(EXPERIMENT, RUN)
        await store.append("run", [block(0), block(2)], last_seq=3, last_step=3, seen=1.0)

    async def read(store: Store) -> None:
        assert await store.blocks("run", 0, 0, 9) == [block(i).data for i in range(4)]

    play(store_url, begin)
    put(store_url, 1, zlib.compress(block(1).data, 1))
    put(store_url, 3, zlib.compress(block(3).data))
    play(store_url, read)


@pytest.mark.parametrize("packed_by", [pack, zlib.compress])
def test_a_damaged_block_is_a_sentence_and_its_neighbours_are_read(
    store_url: str, packed_by: Callable[[bytes], bytes]
) -> None:
    async def begin(store: Store) -> None:
        await store.add(EXPERIMENT, RUN)
        await store.append("run", [block(0)], last_seq=1, last_step=1, seen=1.0)

    async def read(store: Store) -> None:
        assert await store.blocks("run", 0, 0, 0) == [block(0).data]
        with pytest.raises(StoreError, match=r"^cannot read the database: a block .*; it is damaged, restore a backup"):
            await store.blocks("run", 0, 0, 1)
        assert await store.blocks("run", 0, 0, 0) == [block(0).data]

    play(store_url, begin)
    whole = packed_by(block(1).data)
    put(store_url, 1, whole[:-1] + bytes([whole[-1] ^ 1]))
    play(store_url, read)
