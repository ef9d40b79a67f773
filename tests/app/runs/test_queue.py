"""Runs that wait for their turn: in order, so many at a time, through the server's death, and controlled."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from ...conftest import ENDED, Server, wait_for
from ...frames import Trainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TINY = {"depth": 1, "width": 8, "pace": 0, "landscape_every": 0}
ENDLESS = {**TINY, "steps": 1_000_000, "pace": 200}


def begin(server: Server, **settings: Any) -> dict[str, Any]:
    answer = server.post("/api/experiments", {"claim": 1, "settings": settings})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def server(emptied_server: Server) -> Server:
    """Stopped, started and killed here, and the same one in all tests."""
    return emptied_server


@pytest.fixture
def one(shared_server: Server) -> Iterator[Server]:
    """The server of this module, on which nothing runs afterwards."""
    yield shared_server
    for experiment in shared_server.get("/api/experiments")["experiments"]:
        if not {run["status"] for run in experiment["runs"]} <= set(ENDED):
            shared_server.post(f"/api/experiments/{experiment['id']}/stop")


def statuses(server: Server, experiment: str) -> list[str]:
    return [run["status"] for run in server.get(f"/api/experiments/{experiment}/runs")["runs"]]


def wait_statuses(server: Server, experiment: str, *wanted: str) -> None:
    wait_for(lambda: statuses(server, experiment) == list(wanted), f"the runs to be {wanted}")


def rows(server: Server, experiment: Mapping[str, Any], column: str) -> list[Any]:
    """A column of an experiment's runs, in order, as the file has it."""
    query = f"SELECT {column} FROM runs WHERE experiment = ? ORDER BY created"
    with closing(sqlite3.connect(f"file:{server.data}/normscope.db?mode=ro", uri=True)) as db:
        return [value for (value,) in db.execute(query, (experiment["id"],))]


def write(server: Server, change: str, *values: Any) -> None:
    """Change runs behind the server's back."""
    with closing(sqlite3.connect(server.data / "normscope.db", timeout=10)) as db:
        db.execute(f"UPDATE runs SET {change}", values)
        db.commit()


@pytest.mark.parametrize("parallel", [1, 2])
def test_runs_start_in_order_and_so_many_at_a_time(one: Server, parallel: int) -> None:
    experiment = begin(one, **TINY, steps=10, seeds=2, parallel=parallel)
    assert [run["name"] for run in experiment["runs"]] == [
        f"{arm}, seed {seed}" for seed in (0, 1) for arm in ("none", "batch")
    ]
    wait_for(lambda: set(statuses(one, experiment["id"])) == {"finished"}, "all runs", timeout=120)
    times = [(run["started"], run["ended"]) for run in one.get(f"/api/experiments/{experiment['id']}")["runs"]]
    for started, _ in times:
        assert 1 <= sum(a <= started < b for a, b in times) <= parallel
    if parallel == 1:  # of two that were launched one after the other, either may connect first
        assert times == sorted(times)


def test_an_experiment_does_not_wait_for_another(one: Server) -> None:
    first = begin(one, **ENDLESS, parallel=1)
    one.wait_step(first["runs"][0]["id"], 1)
    second = begin(one, **TINY, steps=5, parallel=1)
    wait_statuses(one, second["id"], "finished", "finished")
    assert statuses(one, first["id"]) == ["running", "waiting"]


def test_what_waits_outlives_the_server_and_no_token_is_kept(server: Server) -> None:
    experiment = begin(server, **ENDLESS, seeds=2, parallel=1)
    ids = [run["id"] for run in experiment["runs"]]
    server.wait_step(ids[0], 1)
    before = rows(server, experiment, "token_hash")
    server.kill()
    server.start()
    wait_for(lambda: server.run(ids[0])["status"] == "running", "the first run to come back")
    assert statuses(server, experiment["id"]) == ["running", "waiting", "waiting", "waiting"]
    server.post(f"/api/runs/{ids[0]}/stop")
    server.wait_step(ids[1], 1)
    assert statuses(server, experiment["id"]) == ["stopped", "running", "waiting", "waiting"]
    after = rows(server, experiment, "token_hash")
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True, True]
    assert rows(server, experiment, "handle")[2:] == [None, None]


def test_a_run_whose_launch_the_server_did_not_live_to_see_is_launched_again(server: Server) -> None:
    experiment = begin(server, **ENDLESS, parallel=1)
    none, batch = (run["id"] for run in experiment["runs"])
    server.wait_step(none, 1)
    server.kill()
    write(server, "status = 'starting' WHERE id = ?", batch)  # as if it had died between two writes
    server.start()
    wait_statuses(server, experiment["id"], "running", "waiting")
    server.post(f"/api/runs/{none}/stop")
    server.wait_step(batch, 1, timeout=60)


def test_a_run_that_this_version_cannot_read_fails_alone(server: Server) -> None:
    experiment = begin(server, **ENDLESS, parallel=1)
    none, batch = (run["id"] for run in experiment["runs"])
    server.wait_step(none, 1)
    (spec,) = rows(server, {"id": experiment["id"]}, "spec")[1:]
    write(server, "spec = ? WHERE id = ?", json.dumps(json.loads(spec) | {"moods": 3}), batch)  # of a newer version
    server.post(f"/api/runs/{none}/stop")
    failed = server.wait_status(batch, "failed")
    assert failed["error"].startswith("this server cannot read what is to be trained")
    other = begin(server, **TINY, steps=5)
    wait_statuses(server, other["id"], "finished", "finished")


def test_a_waiting_run_is_stopped_at_once_without_a_process(one: Server) -> None:
    experiment = begin(one, **ENDLESS, parallel=1)
    none, batch = (run["id"] for run in experiment["runs"])
    one.wait_step(none, 1)
    stopped = one.post(f"/api/runs/{batch}/stop").json()
    assert (stopped["status"], stopped["started"], stopped["control"]["stop"]) == ("stopped", None, True)
    answer = one.post(f"/api/runs/{batch}/pause")
    assert (answer.status_code, answer.json()["detail"]) == (409, "the run is stopped: there is nothing left to pause")
    one.post(f"/api/runs/{none}/stop")
    one.wait_status(none, "stopped")
    assert rows(one, experiment, "handle")[1] is None
    assert not (one.data / "runs" / batch).exists()


def test_pause_and_pace_of_a_waiting_run_apply_when_it_starts(one: Server) -> None:
    experiment = begin(one, **ENDLESS, parallel=1)
    none, batch = (run["id"] for run in experiment["runs"])
    one.wait_step(none, 1)
    assert one.post(f"/api/runs/{batch}/pause").json()["status"] == "waiting"
    one.post(f"/api/runs/{batch}/pace", {"steps_per_second": 50})
    one.post(f"/api/runs/{none}/stop")
    held = one.wait_status(batch, "paused")
    assert held["control"] == {"paused": True, "pace": 50, "stop": False}
    one.post(f"/api/runs/{batch}/resume")
    one.wait_step(batch, held["last_step"] + 10)


@pytest.mark.parametrize("action", ["step", "resume"])
def test_steps_asked_for_while_a_run_waits_are_made_when_its_process_comes(one: Server, action: str) -> None:
    """The process is the test's own, with a token that is put in the place of the one it was launched with."""
    experiment = begin(one, **ENDLESS, parallel=1)
    none, batch = (run["id"] for run in experiment["runs"])
    one.wait_step(none, 1)
    for wanted in ("step", "step", action):
        one.post(f"/api/runs/{batch}/{wanted}")
    launched = "status = 'starting', handle = '1:0', token_hash = ?, seen = ? WHERE id = ?"
    write(one, launched, hashlib.sha256(action.encode()).hexdigest(), time.time(), batch)
    trainer = Trainer(one, token=action)
    welcome = trainer.hear()
    assert (welcome["run"], welcome["paused"]) == (batch, action == "step")
    one.post(f"/api/runs/{batch}/pace", {"steps_per_second": 7})
    heard = [trainer.hear()["action"] for _ in range(4 if action == "step" else 1)]
    assert heard == [*["step"] * (3 if action == "step" else 0), "pace"]
    trainer.close()
    again = Trainer(one, token=action)  # it made them when it was told first
    assert again.hear()["run"] == batch
    one.post(f"/api/runs/{batch}/stop")
    assert again.hear()["action"] == "stop"
    again.close()


def test_one_request_controls_all_runs_that_have_not_ended(one: Server) -> None:
    experiment = begin(one, **ENDLESS, seeds=20, parallel=2)
    url = f"/api/experiments/{experiment['id']}"
    first = [run["id"] for run in experiment["runs"][:2]]
    for run in first:
        one.wait_step(run, 1)
    assert one.post(f"{url}/pause").status_code == 200
    for run in first:
        one.wait_status(run, "paused")
    assert all(run["control"]["paused"] for run in one.get(url)["runs"])
    one.post(f"{url}/resume")
    for run in first:
        one.wait_status(run, "running")
    answer = one.post(f"{url}/stop").json()["runs"]
    assert [run["status"] for run in answer[2:]] == ["stopped"] * 38
    assert {run["status"] for run in answer[:2]} <= {"stopping", "stopped"}
    wait_statuses(one, experiment["id"], *["stopped"] * 40)
    assert [handle is None for handle in rows(one, experiment, "handle")] == [False, False] + [True] * 38
    assert one.post(f"{url}/stop").status_code == 200  # nothing is left to stop, which is as wanted
    assert one.post(f"{url}/dance").status_code == 422
    assert one.post("/api/experiments/nobody/stop").status_code == 404


def test_a_failed_run_makes_room(one: Server) -> None:
    experiment = begin(one, **ENDLESS, parallel=1)
    none, batch = (run["id"] for run in experiment["runs"])
    one.wait_step(none, 1)
    psutil.Process(int(rows(one, experiment, "handle")[0].partition(":")[0])).kill()
    one.wait_status(none, "failed")
    one.wait_step(batch, 1)


def test_a_lost_run_makes_no_room(one: Server) -> None:
    """It may come back, and then there would be one too many."""
    experiment = begin(one, **ENDLESS, seeds=2, parallel=1)
    first, *_, last = (run["id"] for run in experiment["runs"])
    one.wait_step(first, 1)
    write(one, "status = 'lost' WHERE id = ?", first)
    one.post(f"/api/runs/{last}/stop")  # has the queue look, before it looks at the next experiment
    other = begin(one, **TINY, steps=5)
    wait_statuses(one, other["id"], "finished", "finished")
    assert statuses(one, experiment["id"]) == ["lost", "waiting", "waiting", "stopped"]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"shifts": [0, 2.5], "seeds": 1}, ["none, shift 0", "batch, shift 0", "none, shift 2.5", "batch, shift 2.5"]),
        ({"seeds": 2, "seed": 3}, ["none, seed 3", "batch, seed 3", "none, seed 4", "batch, seed 4"]),
    ],
)
def test_runs_are_called_by_what_tells_them_apart(one: Server, settings: dict[str, Any], names: list[str]) -> None:
    experiment = begin(one, **{**ENDLESS, **settings})
    assert [run["name"] for run in experiment["runs"]] == names
    assert [run["varied"] for run in experiment["runs"]] == [
        {"shift": value} for value in settings.get("shifts", ()) for _ in range(2)
    ] or all(run["varied"] == {} for run in experiment["runs"])
    one.post(f"/api/experiments/{experiment['id']}/stop")


def test_a_list_tells_of_a_run_in_short(one: Server) -> None:
    trainer = Trainer(one)
    run = trainer.hear()["run"]
    experiment, *_ = one.get("/api/experiments")["experiments"]
    assert experiment["runs"] == [
        {
            "id": run, "experiment": experiment["id"], "arm": "", "seed": 0, "varied": {}, "name": "my net",
            "status": "running", "steps": None, "last_step": -1, "alerts": 0, "lasting": 0,
        }
    ]  # fmt: skip
    assert one.get(f"/api/experiments/{experiment['id']}")["runs"][0]["layers"]
    trainer.close()
