"""Bounds: what is too large, too much or too often is refused in a sentence, and what is honest is far within."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app import limits
from app.access.rates import Places, Rates, client_of
from app.bus import open_bus
from app.limits import Rate
from app.runs.experiments import Experiments, RefusedError
from app.settings import Settings
from app.store import open_store
from normscope import native, wire
from normscope.wire import bounds
from scripts.limits import PAGE, written

from ..conftest import Server, wait_for
from ..frames import LAYERS, SOCKETS, Trainer, drain, frame, open_socket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

KEY = "a key that is long enough"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets a client do a fiftieth of what is usual."""
    one = Server(tmp_path_factory.mktemp("strict") / "data", flags=("--rates", "0.02"))
    one.start()
    yield one
    one.close()


def refusal(socket: ClientConnection) -> tuple[int, str]:
    """How the server closes a socket, and what it says of that."""
    with pytest.raises(ConnectionClosed) as caught:
        drain(socket, 10)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_the_page_of_limits_is_what_the_program_does() -> None:
    text = PAGE.read_text("utf-8")
    assert written(text) == text, "run scripts/limits.py"


def test_a_bucket_empties_and_fills() -> None:
    now = [0.0]
    rates = Rates(Rate(2, 0.5), clock=lambda: now[0])
    assert [rates.take("a") for _ in range(3)] == [0, 0, 2]
    assert rates.take("b") == 0
    now[0] += 1
    assert rates.wait("a") == 1
    now[0] += 1
    assert [rates.take("a"), rates.take("a")] == [0, 2]
    now[0] += 100
    assert [rates.take("a") for _ in range(3)] == [0, 0, 2]
    lifted = Rates(Rate(2, 0.5), factor=0)
    assert [lifted.take("a") for _ in range(10)] == [0] * 10


def test_what_is_remembered_of_clients_is_bounded() -> None:
    rates = Rates(Rate(1, 1e-9), clock=lambda: 0.0)
    for client in range(20_000):
        assert rates.take(str(client)) == 0
    assert len(rates._buckets) == 10_000
    assert rates.take("19999") > 0


def test_a_client_is_an_address_or_a_network() -> None:
    assert client_of({"client": ("10.0.0.7", 1)}) == "10.0.0.7"
    assert client_of({"client": ("2001:db8::1", 1)}) == client_of({"client": ("2001:db8::ffff:2", 1)})
    assert client_of({"client": ("2001:db8:1::1", 1)}) != client_of({"client": ("2001:db8:2::1", 1)})
    assert client_of({"client": None}) == ""


def test_places_are_given_back() -> None:
    places = Places(1)
    with places.held("a") as first, places.held("a") as second, places.held("b") as other:
        assert (first, second, other) == (True, False, True)
    with places.held("a") as again:
        assert again
    few = Places(2, in_all=2)
    with few.held("a") as first, few.held("b") as second, few.held("c") as third:
        assert (first, second, third) == (True, True, False)
    assert not places._held
    assert not few._held


def test_who_asks_too_often_is_told_when_to_come_again(strict: Server) -> None:
    answers = [strict.post("/api/experiments", {"claim": 99}) for _ in range(10)]
    assert [a.status_code for a in answers[:6]] == [422] * 6
    assert answers[-1].status_code == 429
    assert "too many such requests: at most 6 at once" in answers[-1].json()["detail"]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].headers["x-content-type-options"] == "nosniff"
    assert strict.get("/api/experiments") == {"experiments": []}  # reading goes on
    for path, burst in (("/api/runs/none/history", 12), ("/e/none/saved.html?runs=x", 1)):
        codes = [strict.http.get(f"{strict.url}{path}").status_code for _ in range(burst + 4)]
        assert set(codes[:burst]) == {404}
        assert codes[-1] == 429
    wait_for(lambda: strict.post("/api/experiments", {"claim": 99}).status_code == 422, "another turn")


def test_training_processes_that_connect_too_often_may_come_again(strict: Server) -> None:
    sockets = [open_socket(strict, "/ws/ingest") for _ in range(24)]
    assert refusal(sockets[-1]) == (1013, "too many training processes of one client; try again")
    wait_for(lambda: welcomed(strict), "a welcome")
    counters = strict.http.get(f"{strict.url}/metrics").text
    assert "normscope_limited_total 0" not in counters


def welcomed(server: Server) -> bool:
    try:
        return bool(Trainer(server, key=KEY).hear()["type"] == "welcome")
    except ConnectionClosed:
        return False


LONG = "x" * 600
HELLOS: dict[str, dict[str, Any]] = {
    "too many layers": {"layers": [{"name": "a", "type": "b", "kinds": []}] * (bounds.LAYERS + 1)},
    "a long name of a layer": {"layers": [{"name": LONG, "type": "b", "kinds": []}]},
    "a long class": {"layers": [{"name": "a", "type": LONG, "kinds": []}]},
    "many kinds": {"layers": [{"name": "a", "type": "b", "kinds": ["k"] * 40}]},
    "kinds that are none": {"layers": [{"name": "a", "type": "b", "kinds": [7]}]},
    "a NUL": {"name": "a\0b"},
    "half a letter": {"name": "\ud800"},
    "half a letter in a layer": {"layers": [{"name": "\udfff", "type": "b", "kinds": []}]},
    "a long version": {"versions": {"python": LONG}},
    "many versions": {"versions": {str(i): "1" for i in range(60)}},
    "a long key": {"key": LONG},
}


@pytest.mark.parametrize("case", HELLOS)
def test_a_hello_beyond_the_bounds_is_refused(shared_server: Server, case: str) -> None:
    socket = open_socket(shared_server, "/ws/ingest")
    socket.send(json.dumps({"type": "hello", "key": KEY, "name": "n", **HELLOS[case]}))
    code, reason = refusal(socket)
    assert code == 1008
    assert reason.startswith("malformed Hello")


def step(seq: int, names: list[str], at: int | None = None, rows: int = 0, body: bytes = b"") -> bytes:
    return wire.encode_step(seq, seq if at is None else at, 1e9, dict.fromkeys(names, 0.5), rows, body)


def test_too_many_series_are_refused_also_after_the_process_came_back(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key=f"{KEY} series")
    trainer.hear()
    trainer.say(step(0, [f"a{i}" for i in range(bounds.SERIES + 1)]))
    assert refusal(trainer.socket)[1].startswith("at most 2,000 series in a frame")
    half = bounds.SERIES_NAMES // 5
    for part in range(6):
        trainer = Trainer(shared_server, key=f"{KEY} series")
        assert trainer.hear()["last"] == part - 1
        trainer.say(step(part, [f"{part} {i}" for i in range(half)]))
        if part < 5:
            trainer.acknowledged(part)
    assert refusal(trainer.socket)[1].endswith("5,000 names in a run")


def test_a_frame_of_too_many_summaries_is_refused(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key=f"{KEY} summaries")
    trainer.hear()
    trainer.say(bare(0, bounds.ROWS + 1))
    assert "a frame has at most 60,000 summaries" in refusal(trainer.socket)[1]


def test_the_last_step_of_all_is_taken(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key=f"{KEY} last")
    run = trainer.hear()["run"]
    trainer.say(step(0, [], at=bounds.STEP))
    trainer.acknowledged(0)
    assert shared_server.run(run)["last_step"] == 4_294_967_295


def bare(seq: int, rows: int) -> bytes:
    """A frame of very many layers without a value: two dozen bytes each."""
    table = np.zeros(rows, np.dtype([("index", "<u2"), ("kind", "u1"), ("zero", "u1"), ("size", "<u4")]))
    table["index"], table["size"] = np.arange(rows)[::-1], 5
    return step(seq, [], rows=rows, body=table.tobytes() + bytes(16 * rows) + bytes(5 * rows))


@pytest.mark.parametrize("compiled", [True, False])
def test_small_frames_of_many_layers_are_merged_in_little_memory(compiled: bool) -> None:
    frames = [bare(seq, 30_000) for seq in range(4)]
    with mock.patch.object(native.library, "_library", native.library._library if compiled else None):
        tracemalloc.start()
        merged = wire.decode(wire.merge_encoded(frames))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(merged.layers) == 30_000
    assert peak < 100 << 20  # all bins of all layers would be 370 MB


@pytest.mark.parametrize("path", ["/ws/ingest", "/ws/live"])
def test_messages_are_never_packed_and_have_a_bound(shared_server: Server, path: str) -> None:
    socket = SOCKETS.enter_context(connect(f"ws://127.0.0.1:{shared_server.port}{path}", max_size=None))
    assert socket.protocol.extensions == []  # packing was offered, as browsers do
    # A text that is announced to have 48 MB, masked as a client has to: what is on its way to a closed socket may keep
    # the reason from arriving, so that nothing follows.
    socket.socket.sendall(b"\x81\xff" + (48 << 20).to_bytes(8, "big") + bytes(4))
    assert refusal(socket)[0] == 1009


ODD: list[Any] = [
    b"bytes", "[" * 60_000, '{"type":"watch","runs":["a"],"after":{"a":1e999}}', '{"type":"watch","runs":["\\u0000"]}',
    '{"type":"watch","runs":["\\ud800"]}', '{"type":"watch","runs":{}}', '{"type":"watch","after":7}', "7", "",
]  # fmt: skip


def test_a_viewer_may_say_anything_short(shared_server: Server) -> None:
    run = Trainer(shared_server, key=f"{KEY} viewed").hear()["run"]
    socket = open_socket(shared_server, "/ws/live")
    for odd in [*ODD, f'{{"type":"watch","runs":["{run}"],"after":{{"{run}":1e999}}}}']:
        socket.send(odd)
        assert json.loads(socket.recv(timeout=10))["type"] == "error"
    socket.send(json.dumps({"type": "watch", "runs": [run]}))
    assert json.loads(socket.recv(timeout=10))["run"]["id"] == run
    socket.send(" " * (limits.VIEWER_MESSAGE + 1))
    assert refusal(socket) == (1009, "a message has at most 65536 bytes")
    assert "Traceback" not in shared_server.log


def test_a_net_of_500_layers_is_far_within(shared_server: Server) -> None:
    layers = tuple(wire.Layer(f"block.{i}.linear", "Linear") for i in range(500))
    trainer = Trainer(shared_server, key=f"{KEY} honest", layers=layers)
    trainer.hear()
    seqs = range(40)
    one = wire.encode(frame(0, layers=500))
    for seq in seqs:
        trainer.say(one[:4] + seq.to_bytes(4, "little") + one[8:])
    trainer.acknowledged(seqs[-1])


def test_an_experiment_has_so_many_links(shared_server: Server) -> None:
    run = Trainer(shared_server, key=f"{KEY} links", layers=LAYERS).hear()["run"]
    experiment = shared_server.run(run)["experiment"]
    answers = [shared_server.post("/api/links", {"experiment": experiment}) for _ in range(limits.LINKS + 1)]
    assert [a.status_code for a in answers] == [201] * limits.LINKS + [409]
    assert "as many as can be" in answers[-1].json()["detail"]


def test_so_many_experiments_and_waiting_runs_are_kept(tmp_path: Path) -> None:
    async def fill() -> None:
        settings = Settings(data=tmp_path)
        store, bus = await open_store(settings.store_url), await open_bus("memory:")
        experiments = Experiments(settings, store, bus, *(cast("Any", None) for _ in range(3)))
        with mock.patch.object(limits, "WAITING", 5):
            await experiments.start(1, {"seeds": 2})
            with pytest.raises(RefusedError, match="5 runs wait for their turn"):
                await experiments.start(1, {"seeds": 1})
        await experiments.adopt("one", "key")
        with mock.patch.object(limits, "EXPERIMENTS", 2), pytest.raises(RefusedError, match="there are 2 experiments"):
            await experiments.adopt("another", "another key")
        await bus.close()
        await store.close()

    asyncio.run(fill())
