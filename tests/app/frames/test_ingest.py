"""The training socket against a real server: what is kept, acknowledged, repeated, refused."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from normscope import wire

from ...conftest import Server, wait_for
from ...frames import Trainer, drain, frame, open_socket, split

if TYPE_CHECKING:
    from collections.abc import Callable

ENDLESS = "x" * 20


def history(server: Server, run: str, **params: Any) -> list[wire.Frame]:
    answer = server.http.get(f"{server.url}/api/runs/{run}/history", params=params)
    assert answer.status_code == 200, answer.text
    return split(answer.content)


def refusal(trainer: Trainer) -> tuple[int, str]:
    """The code and reason with which the server closes."""
    with pytest.raises(ConnectionClosed) as caught:
        drain(trainer.socket, 10)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_a_users_own_net_becomes_an_experiment_with_one_run(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="own net 1234567890", name="my own net")
    welcome = trainer.hear()
    assert welcome == {
        "type": "welcome", "run": welcome["run"], "last": -1, "paused": False, "pace": None, "stop": False,
    }  # fmt: skip
    run = shared_server.run(welcome["run"])
    assert (run["status"], run["name"], run["last_step"]) == ("running", "my own net", -1)
    assert [layer["name"] for layer in run["layers"]] == ["fc1", "act1"]
    experiment = shared_server.get(f"/api/experiments/{run['experiment']}")
    assert (experiment["name"], experiment["claim"]) == ("my own net", None)
    trainer.close()


def test_frames_are_acknowledged_once_they_are_committed(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="commit 1234567890")
    run = trainer.hear()["run"]
    trainer.send(*range(18))
    trainer.acknowledged(17)
    # Another process sees them in the file itself.
    with sqlite3.connect(f"file:{shared_server.data}/normscope.db?mode=ro", uri=True) as db:
        rows = db.execute("SELECT level, number FROM blocks WHERE run = ? ORDER BY 1, 2", (run,)).fetchall()
    db.close()
    assert rows == [(0, i) for i in range(18)] + [(2, 0)]  # level 1 is made when it is asked for
    trainer.close()


def test_a_frame_sent_twice_is_stored_once(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="twice 1234567890")
    run = trainer.hear()["run"]
    trainer.send(0, 1, 2, 1, 2, 3)
    trainer.acknowledged(3)
    assert [f.seq for f in history(shared_server, run)] == [0, 1, 2, 3]
    trainer.close()


def test_frames_that_were_merged_on_their_way_stand_for_those_that_they_hold(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="merged 1234567890")
    run = trainer.hear()["run"]
    with open_socket(shared_server, "/ws/live") as viewer:
        viewer.send(json.dumps({"type": "watch", "runs": [run]}))
        viewer.recv(timeout=10)  # from here on frames come
        trainer.send(*range(4))
        trainer.say(*(wire.encode(wire.merge([frame(i) for i in range(at, at + 4)])) for at in (4, 8, 12)))
        trainer.acknowledged(15)
        whole = [wire.merge([frame(i) for i in range(at, at + 4)]) for at in range(16, 32, 4)]
        trainer.say(wire.encode(wire.merge(whole)))
        trainer.send(32, 33)
        trainer.acknowledged(33)
        heard: list[int] = []
        while not heard or heard[-1] < 33:
            message = viewer.recv(timeout=10)
            if isinstance(message, bytes):
                heard += [f.seq for f in split(message[2:])]
    first = [(i, 1) for i in range(4)]
    assert heard == [0, 1, 2, 3, 4, 8, 12, 16, 32, 33]
    everything = [*first, (4, 4), (8, 4), (12, 4), (16, 16), (32, 1), (33, 1)]
    assert [(f.seq, f.frames) for f in history(shared_server, run, points=1000)] == everything
    assert [(f.seq, f.frames) for f in history(shared_server, run, first_step=9, last_step=20)] == [
        (8, 4),
        (12, 4),
        (16, 16),
    ]
    assert shared_server.run(run)["thinned"] == 16
    assert [(f.seq, f.frames) for f in history(shared_server, run, points=2)] == [(0, 16), (16, 16), (32, 1), (33, 1)]
    trainer.close()
    again = Trainer(shared_server, key="merged 1234567890")
    assert again.hear()["last"] == 33
    again.send(34, 35)
    again.acknowledged(35)
    assert [(f.seq, f.frames) for f in history(shared_server, run, first_step=30, points=2)][-1] == (32, 4)
    again.close()


def test_a_process_that_comes_back_goes_on_where_it_was(shared_server: Server) -> None:
    first = Trainer(shared_server, key="come back 1234567890")
    run = first.hear()["run"]
    first.send(0, 1, 2)
    first.acknowledged(2)
    first.close()
    second = Trainer(shared_server, key="come back 1234567890")
    welcome = second.hear()
    assert (welcome["run"], welcome["last"]) == (run, 2)
    second.send(2, 3, 4, 5)
    second.acknowledged(5)
    assert [f.seq for f in history(shared_server, run)] == [0, 1, 2, 3, 4, 5]
    coarse = history(shared_server, run, points=2)
    assert [(f.level, f.first_step, f.last_step) for f in coarse] == [(1, 0, 3), (0, 4, 4), (0, 5, 5)]
    second.close()


def test_a_new_connection_takes_over_from_a_half_open_one(shared_server: Server) -> None:
    old = Trainer(shared_server, key="takeover 1234567890")
    old.hear()
    old.send(0)
    old.acknowledged(0)
    new = Trainer(shared_server, key="takeover 1234567890")
    assert new.hear()["last"] == 0
    assert refusal(old) == (4409, "the run's training process has connected anew")
    new.send(1)
    new.acknowledged(1)
    new.close()


def test_a_process_that_comes_twice_at_once_has_one_run(shared_server: Server) -> None:
    """As when the answer to its first Hello comes too late for it, from a server that has much to do."""
    sockets = [open_socket(shared_server, "/ws/ingest") for _ in range(8)]
    hello = wire.Hello("impatient 1234567890", "impatient").dump()
    for socket in sockets:
        socket.send(hello)
    runs = set()
    for socket in sockets:
        with contextlib.suppress(ConnectionClosed):  # a newer connection may have taken over by then
            runs.add(json.loads(socket.recv(timeout=10))["run"])
    assert len(runs) == 1
    assert "Traceback" not in shared_server.log


def test_how_layers_hang_together_is_kept(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="graph 1234567890")
    run = trainer.hear()["run"]
    assert shared_server.run(run)["edges"] == []
    trainer.socket.send(wire.Graph(((0, 1),)).dump())
    wait_for(lambda: shared_server.run(run)["edges"] == [[0, 1]], "the edges")
    trainer.close()


@pytest.mark.parametrize("status", ["finished", "stopped", "failed"])
def test_an_end_is_acknowledged_and_final(shared_server: Server, status: str) -> None:
    key = f"end {status} 1234567890"
    trainer = Trainer(shared_server, key=key)
    run = trainer.hear()["run"]
    trainer.send(0)
    trainer.socket.send(wire.End(status, "ValueError: no" if status == "failed" else None).dump())
    messages = [trainer.hear() for _ in range(2)]
    assert messages[-1] == {"type": "ack", "last": 0, "ended": True}
    found = shared_server.run(run)
    assert (found["status"], found["error"]) == (status, "ValueError: no" if status == "failed" else None)
    trainer.close()


def test_paused_is_what_the_trainer_says_it_is(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="pause 1234567890")
    run = trainer.hear()["run"]
    assert shared_server.post(f"/api/runs/{run}/pause").json()["status"] == "running"
    assert trainer.hear() == {"type": "control", "action": "pause", "value": None}
    trainer.socket.send(wire.State(paused=True).dump())
    shared_server.wait_status(run, "paused")
    for _ in range(3):
        shared_server.post(f"/api/runs/{run}/step")
    assert [trainer.hear()["action"] for _ in range(3)] == ["step"] * 3
    shared_server.post(f"/api/runs/{run}/pace", {"steps_per_second": 2.5})
    assert trainer.hear() == {"type": "control", "action": "pace", "value": 2.5}
    trainer.close()
    again = Trainer(shared_server, key="pause 1234567890")
    welcome = again.hear()
    assert (welcome["paused"], welcome["pace"]) == (True, 2.5)
    again.close()


def test_what_came_before_a_bad_frame_in_one_message_is_kept(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="half bad 1234567890")
    run = trainer.hear()["run"]
    trainer.say(
        *(wire.encode(frame(seq)) for seq in (0, 0, 1, 2, 1)), wire.encode(frame(3))[:-1], wire.encode(frame(4))
    )
    trainer.acknowledged(2)
    code, said = refusal(trainer)
    assert (code, said[:15]) == (1008, "malformed frame")
    assert [f.seq for f in history(shared_server, run)] == [0, 1, 2]


BAD: dict[str, tuple[Callable[[Trainer], None], str]] = {
    "not json": (lambda t: t.socket.send("hello?"), "not a message of this protocol"),
    "unknown type": (lambda t: t.socket.send('{"type":"dance"}'), "not a message of this protocol"),
    "a server's message": (lambda t: t.socket.send(wire.Ack(1).dump()), "a training process does not say ack"),
    "wrong fields": (lambda t: t.socket.send('{"type":"end","status":"finished","x":1}'), "malformed End"),
    "unknown end": (lambda t: t.socket.send('{"type":"end","status":"exploded"}'), "unknown end 'exploded'"),
    "a graph of unknown layers": (
        lambda t: t.socket.send(wire.Graph(((0, 2),)).dump()),
        "layers that the hello did not name",
    ),
    "a graph of no pairs": (lambda t: t.socket.send('{"type":"graph","edges":[[0,1,2]]}'), "malformed Graph"),
    "a graph of no layers": (lambda t: t.socket.send('{"type":"graph","edges":[[0,-1]]}'), "pairs of indices"),
    "empty message": (lambda t: t.socket.send(b""), "there is no frame in it"),
    "truncated message": (lambda t: t.socket.send(wire.pack([wire.encode(frame(1))])[:-7]), "a frame is cut off"),
    "half a length": (lambda t: t.socket.send(b"\1\0"), "a length is cut off"),
    "truncated frame": (lambda t: t.say(wire.encode(frame(1))[:-7]), "malformed frame"),
    "empty frame": (lambda t: t.say(b""), "malformed frame"),
    "garbage": (lambda t: t.socket.send(bytes(range(256)) * 4), "a frame is cut off"),
    "garbage of the right length": (lambda t: t.say(bytes(range(256)) * 4), "frame of version 0"),
    "another version": (lambda t: t.say(b"\x09" + wire.encode(frame(1))[1:]), "frame of version 9"),
    "a gap": (lambda t: t.send(5), "frame 5 came after frame 0"),
    "an unknown layer": (lambda t: t.say(wire.encode(frame(1, layers=3))), "frame of layer 2, but the hello"),
    "a merged frame": (
        lambda t: t.say(wire.encode(wire.merge([frame(i) for i in range(4)]))),
        "frames 0 to 3 are merged, but 0 is there already",
    ),
    "a merged frame that begins anywhere": (
        lambda t: t.say(wire.encode(wire.merge([frame(i) for i in range(1, 5)]))),
        "begins where such a block does",
    ),
    "a merged frame of too few": (
        lambda t: t.say(wire.encode(wire.merge([frame(i) for i in range(3)]))),
        "a frame of level 1 holds 4 frames",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_input_closes_with_a_reason_and_harms_nothing(shared_server: Server, case: str) -> None:
    send, reason = BAD[case]
    trainer = Trainer(shared_server, key=f"bad {case} 1234567890")
    run = trainer.hear()["run"]
    trainer.send(0)
    trainer.acknowledged(0)
    send(trainer)
    code, said = refusal(trainer)
    assert code == 1008
    assert reason in said
    again = Trainer(shared_server, key=f"bad {case} 1234567890")
    assert again.hear()["last"] == 0
    again.send(1)
    again.acknowledged(1)
    assert [f.seq for f in history(shared_server, run)] == [0, 1]
    again.close()
    assert "Traceback" not in shared_server.log


HELLOS = {
    "no hello": (wire.State(paused=True).dump(), "expected a hello, not state"),
    "short key": (wire.Hello("short", "n").dump(), "key must be 16 to 100 characters"),
    "another version": (wire.Hello(ENDLESS, "n", version=99).dump(), "hello of version 99"),
    "unknown token": (wire.Hello(ENDLESS, "n", token="nobody's").dump(), "unknown run"),
    "layers of the wrong kind": (f'{{"type":"hello","key":"{ENDLESS}","name":"n","layers":[1]}}', "malformed Hello"),
    "name of the wrong kind": (f'{{"type":"hello","key":"{ENDLESS}","name":5}}', "name at most 200"),
    "token of the wrong kind": (f'{{"type":"hello","key":"{ENDLESS}","name":"n","token":5}}', "malformed Hello"),
    "versions of the wrong kind": (f'{{"type":"hello","key":"{ENDLESS}","name":"n","versions":5}}', "malformed Hello"),
}


@pytest.mark.parametrize("case", sorted(HELLOS))
def test_a_bad_hello_is_refused(shared_server: Server, case: str) -> None:
    text, reason = HELLOS[case]
    before = len(shared_server.get("/api/experiments")["experiments"])
    with connect(f"ws://127.0.0.1:{shared_server.port}/ws/ingest") as socket:
        socket.send(text)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=10)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008
    assert reason in caught.value.rcvd.reason
    assert len(shared_server.get("/api/experiments")["experiments"]) == before
    assert "Traceback" not in shared_server.log


def test_a_frame_before_the_hello_is_refused(shared_server: Server) -> None:
    with connect(f"ws://127.0.0.1:{shared_server.port}/ws/ingest") as socket:
        socket.send(wire.encode(frame(0)))
        with pytest.raises(ConnectionClosed, match="not a message of this protocol"):
            socket.recv(timeout=10)


def test_a_run_whose_process_went_silent_is_lost_and_comes_back(server: Server) -> None:
    trainer = Trainer(server)
    run = trainer.hear()["run"]
    trainer.send(0)
    trainer.acknowledged(0)
    trainer.close()
    server.wait_status(run, "lost", timeout=25)
    wait_for(lambda: server.run(run)["lasting"], "word of it")
    again = Trainer(server)
    assert again.hear()["last"] == 0
    wait_for(lambda: server.run(run)["status"] == "running", "the run to go on")
    (alert,) = server.get(f"/api/runs/{run}/alerts")["alerts"]
    assert (alert["rule"], alert["step"], alert["cleared"]) == ("lost", 0, 0)
    assert server.run(run)["lasting"] == 0
    again.close()
