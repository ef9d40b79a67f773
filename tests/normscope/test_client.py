"""`normscope.api.Client` against a real server, and against what is none."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from normscope import wire
from normscope.api import Client, RefusedError, UnknownError, UnreachableError
from normscope.errors import NormscopeError

from ..conftest import free_port
from ..frames import LAYERS, Trainer, frame

if TYPE_CHECKING:
    from ..conftest import Server

STEPS = 50
KINDS = (wire.Layer("fc1", "Linear", ("output", "weight")), *LAYERS[1:])


def served(server: Server, name: str, steps: list[int] | None = None) -> dict[str, Any]:
    """A run with two layers, of one of which two kinds of things are seen."""
    trainer = Trainer(server, f"the key of the run {name}", name=name, layers=KINDS)
    run: dict[str, Any] = trainer.hear()
    for seq, step in enumerate(steps or range(STEPS)):
        one = frame(seq, step, layers=3)
        one.layers, one.kinds = np.array([0, 0, 1]), np.array([0, 3, 0])
        trainer.say(wire.encode(one))
    trainer.acknowledged(len(steps or range(STEPS)) - 1)
    trainer.socket.send(wire.End("finished").dump())
    trainer.close()
    return server.wait_status(run["run"], "finished")


def test_a_served_run_reads_as_a_recording_does(shared_server: Server) -> None:
    run = served(shared_server, "reads")
    client = Client(shared_server.url)
    (experiment,) = [one for one in client.experiments() if one["name"] == "reads"]
    assert [one["id"] for one in client.runs(experiment)] == [run["id"]]
    assert client.run(run["id"])["layers"][0] == {"name": "fc1", "type": "Linear", "kinds": ["output", "weight"]}
    read = client.history(run, first_step=10, last_step=29)
    assert (read.steps.tolist(), read.times[0]) == (list(range(10, 30)), 1e9 + 10)
    np.testing.assert_array_equal(read.series["loss"][1], 1 / (1 + np.arange(10, 30)))
    assert read.series["landscape.loss"][1].shape == (20, 2)
    whole = frame(12, layers=3)
    for row, (layer, kind) in enumerate([("fc1", "output"), ("fc1", "weight"), ("act1", "output")]):
        found = read.history(layer, kind)
        assert np.array_equal(found.histogram(2), whole.histogram(row))
        assert found.moments[2].tolist() == whole.moments[row].tolist()
    only = client.history(run, layers=["fc1"], kinds=["weight"])
    assert len(only.history("fc1").steps) == len(only.history("act1").steps) == 0
    assert np.array_equal(only.history("fc1", "weight").histogram(12), whole.histogram(1))


def test_many_steps_are_merged_or_streamed(shared_server: Server) -> None:
    steps = [*range(100), *range(1_000_000, 1_000_040), 4_000_000_000]
    run = served(shared_server, "sparse", steps)
    client = Client(shared_server.url)
    merged = client.history(run, points=10)
    assert len(merged) <= 16
    assert (merged.steps[0], merged.last_steps[-1]) == (0, 4_000_000_000)
    assert [one.first_step for one in client.frames(run)] == steps


def test_frames_that_were_merged_before_they_came_are_read_once(shared_server: Server) -> None:
    trainer = Trainer(shared_server, "the key of the run merged")
    run = trainer.hear()["run"]
    coarse = [wire.merge_encoded([wire.encode(frame(seq + i)) for i in range(4)]) for seq in range(0, 300, 4)]
    trainer.say(*coarse, *(wire.encode(frame(seq)) for seq in range(300, 310)))
    trainer.acknowledged(309)
    found = [(one.seq, one.frames) for one in Client(shared_server.url).frames(run)]
    assert found == [(seq, 4) for seq in range(0, 300, 4)] + [(seq, 1) for seq in range(300, 310)]


def test_it_becomes_pandas(shared_server: Server) -> None:
    run = served(shared_server, "tables")
    read = Client(shared_server.url).history(run)
    series = read.to_pandas()
    assert list(series.columns) == ["time", "loss", "landscape.loss/0", "landscape.loss/1"]
    assert series.loc[7, "loss"] == 1 / 8
    twice = Client(shared_server.url).history(served(shared_server, "twice", [0, 1, 1])).to_pandas()
    assert twice["loss"].to_dict() == {0: 1.0, 1: 1 / 3}
    layer = read.history("fc1").to_pandas()
    assert (layer.index.name, layer.loc[3, "mean"], layer.loc[3, "count"]) == ("step", 3.0, 100)
    assert np.all(np.diff(layer.loc[3, ["min", "p5", "p25", "p50", "p75", "p95", "max"]]) > 0)


def test_without_pandas_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "from normscope.api import Span\n"
        "try: Span((), []).to_pandas()\n"
        "except Exception as error: print(error)\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "this needs pandas; install it with: pip install 'normscope[pandas]'\n"


def test_what_is_wrong_is_a_sentence(shared_server: Server) -> None:
    client = Client(shared_server.url)
    run = served(shared_server, "wrong")
    with pytest.raises(UnknownError, match="there is no run 'nothing'"):
        client.run("nothing")
    with pytest.raises(UnknownError, match=r"there is no run '\.\./x'"):
        client.find("../x")
    with pytest.raises(UnknownError, match="there is no experiment"):
        client.runs("nothing")
    with pytest.raises(RefusedError, match="claim"):
        client.finding(run["experiment"])
    with pytest.raises(RefusedError, match="points"):
        client.history(run, points=0)
    with pytest.raises(ValueError, match="there is no layer 'fc9'; choose from fc1, act1"):
        client.history(run, layers=["fc9"])
    with pytest.raises(ValueError, match="there is no kind 'colour'; choose from output, input"):
        client.history(run, kinds=["colour"])
    with pytest.raises(ValueError, match="begins with http"):
        Client("localhost:8000")
    other = served(shared_server, "else")
    shared_server.http.patch(f"{shared_server.url}/api/experiments/{other['experiment']}", json={"name": "wrong"})
    assert client.find("else") == client.find(other["id"])


def test_a_name_that_several_runs_have_is_not_enough(shared_server: Server) -> None:
    ids = [served(shared_server, "twin")["id"]]
    trainer = Trainer(shared_server, "another key of twin", name="twin")
    ids.append(trainer.hear()["run"])
    with pytest.raises(UnknownError, match=f"2 runs are called 'twin'; choose by id: ({'|'.join(ids)}), "):
        Client(shared_server.url).find("twin")


def test_no_server_is_a_sentence() -> None:
    with pytest.raises(UnreachableError, match=r"there is no server to be had at .*: Connection refused"):
        Client(f"http://127.0.0.1:{free_port()}").experiments()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "answers 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", "there is no server to be had"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nno", "there is no server to be had"),
        (b"", "timed out"),
    ],
)
def test_another_program_is_no_server_and_is_not_waited_for_long(answer: bytes, words: str) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as peer:
                heard.append(peer.recv(4096))
                peer.sendall(answer)
                if not answer:
                    peer.recv(1)  # until the other side has had enough

        thread = threading.Thread(target=serve)
        thread.start()
        began = time.monotonic()
        with pytest.raises(NormscopeError, match=words):
            Client(f"http://127.0.0.1:{listener.getsockname()[1]}", token="secret", timeout=0.5).experiments()
        assert time.monotonic() - began < 5
        thread.join()
    assert b"Authorization: Bearer secret" in heard[0]
