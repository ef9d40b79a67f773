"""Histories of any size: answered in parts, so that none has to fit into the server's memory."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from unittest import mock

import psutil
import pytest

from app.frames import history, query
from app.frames.history import Pyramid, parts
from app.limits import PART
from app.pages.standalone import points_of
from app.store import Experiment, Run, open_store
from normscope import wire

from ...conftest import Server, serving
from ...frames import SOCKETS, Trainer, frame, split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LAYERS: Final = 500
FRAMES: Final = 128
ASKING: Final = 12
"""How many ask for the whole history and read nothing of the answer."""
MOST: Final = 24 << 20
"""Bytes by which the server may grow meanwhile: far less than the answers have."""


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server that has a run of 500 layers."""
    with serving(tmp_path_factory.mktemp("deep") / "data") as server:
        trainer = Trainer(server, layers=tuple(wire.Layer(f"fc{i}", "Linear") for i in range(LAYERS)))
        run = trainer.hear()["run"]
        one = frame(0, layers=LAYERS)
        for seq in range(FRAMES):
            trainer.say(wire.encode(replace(one, seq=seq, first_step=seq, last_step=seq)))
        trainer.acknowledged(FRAMES - 1)
        yield server, run
        SOCKETS.close()


def test_every_frame_of_a_long_history_of_500_layers_comes_in_parts(deep: tuple[Server, str]) -> None:
    server, run = deep
    with server.http.stream("GET", f"{server.url}/api/runs/{run}/history?points=10000") as answer:
        assert answer.headers["x-last-seq"] == str(FRAMES - 1)
        assert "content-length" not in answer.headers
        data = answer.read()
    assert [wire.check(one).seq for one in wire.split(data)] == list(range(FRAMES))
    assert len(data) > 20 * PART
    coarse = server.http.get(f"{server.url}/api/runs/{run}/history", params={"points": 32, "layers": "3,77"}).content
    assert [(one.frames, one.layers.tolist()) for one in split(coarse)] == [(4, [3, 77])] * 32
    words = server.get(f"/api/runs/{run}/history", points=32, layers="3,77", format="json")["frames"]
    assert [[layer["layer"] for layer in one["layers"]] for one in words] == [[3, 77]] * 32
    nothing = server.get(f"/api/runs/{run}/history", first_step=FRAMES, format="json")
    assert nothing == {"frames": []}


def test_answers_that_nobody_reads_take_no_memory(deep: tuple[Server, str]) -> None:
    server, run = deep
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    for _ in range(ASKING):
        line = SOCKETS.enter_context(contextlib.closing(socket.socket()))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", server.port))
        line.sendall(f"GET /api/runs/{run}/history?points=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert line.recv(12) == b"HTTP/1.1 200"
    assert process.memory_info().rss - before < MOST
    assert server.run(run)["last_step"] == FRAMES - 1  # others are answered
    assert "Traceback" not in server.log


@pytest.mark.parametrize("most", [1, 2000, PART])
def test_parts_hold_what_there_is_in_order_with_coarser_frames_where_there_are_no_finer(
    store_url: str, most: int
) -> None:
    levels = [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 2, 1, 1, *[0] * 8, 2, 3, 0, 0, 0]

    async def scenario() -> None:
        store = await open_store(store_url)
        run = Run("r", "e", "net", "hash", 1.0)
        await store.add(Experiment("e", "An experiment", 1.0), run)
        arrived: list[bytes] = []
        seq = 0
        for level in levels:
            arrived.append(merged(seq, level))
            seq += 4**level
        pyramid = Pyramid()
        blocks = pyramid.add([(wire.check(data), data) for data in arrived])
        await store.append("r", blocks, last_seq=seq - 1, last_step=seq - 1, seen=2.0)
        with mock.patch.object(history, "PART", most):
            found = [part async for part in parts(store, "r", 0, 0, seq - 1)]
            assert [data for part in found for data in part] == arrived
            assert all(len(part) == 1 or sum(map(len, part)) <= most for part in found)
            middle = [data async for part in parts(store, "r", 0, 2, 40) for data in part]
            assert middle == [one for one in arrived if wire.check(one).last_seq >= 2 and wire.check(one).seq <= 40]
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("runs", "layers", "points"), [(1, 10, 600), (12, 20, 600), (1, 500, 400), (12, 10_000, 1)])
def test_what_a_saved_file_has_of_very_many_layers_is_coarser(runs: int, layers: int, points: int) -> None:
    one = Run("r", "e", "net", "hash", 1.0, layers=[{"name": "fc", "type": "Linear", "kinds": ["output"]}] * layers)
    assert points_of([one] * runs) == points


def merged(seq: int, level: int) -> bytes:
    """A frame of so many steps as a process merges them."""
    if level == 0:
        return wire.encode(frame(seq))
    return wire.merge_encoded([merged(seq + i * 4 ** (level - 1), level - 1) for i in range(4)])


def test_what_fails_at_once_is_answered_as_a_failure() -> None:
    async def failing() -> AsyncIterator[int]:
        raise LookupError
        yield 0

    async def scenario() -> None:
        with pytest.raises(LookupError):
            await query.begun(failing())

    asyncio.run(scenario())
