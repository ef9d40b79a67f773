"""Whole runs: real trainers, controlled through a real server, through its death too."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from typing import TYPE_CHECKING

import psutil
import pytest
import torch

from ...conftest import Server, wait_for
from ...frames import split

if TYPE_CHECKING:
    from normscope import wire


@pytest.fixture
def server(emptied_server: Server) -> Server:
    """Stopped, started and killed here, and the same one in all tests."""
    return emptied_server


def handles(server: Server) -> dict[str, int]:
    """The process number of each run's trainer."""
    with sqlite3.connect(f"file:{server.data}/normscope.db?mode=ro", uri=True) as db:
        rows = db.execute("SELECT id, handle FROM runs").fetchall()
    db.close()
    return {run: int(handle.partition(":")[0]) for run, handle in rows if handle}


def history(server: Server, run: str) -> list[wire.Frame]:
    answer = server.http.get(f"{server.url}/api/runs/{run}/history", params={"points": 10_000})
    return split(answer.content)


def test_two_arms_train_alike_to_their_end(server: Server) -> None:
    experiment = server.begin(steps=60, pace=0)
    none, batch = (run["id"] for run in experiment["runs"])
    for run in (none, batch):
        found = server.wait_status(run, "finished")
        assert (found["last_step"], found["error"], found["steps"]) == (59, None, 60)
        assert found["versions"]["torch"].startswith("2.")
    processes = handles(server)
    assert len({os.getpid(), processes[none], processes[batch]}) == 3
    frames = {run: history(server, run) for run in (none, batch)}
    for found_frames in frames.values():
        assert [f.first_step for f in found_frames] == list(range(60))
        first = found_frames[0]
        assert first.series["landscape.loss"].mean.shape == (8,)
        assert [f.first_step for f in found_frames if "landscape.loss" in f.series] == list(range(0, 60, 10))
        assert [f.first_step for f in found_frames if "test_accuracy" in f.series] == [*range(0, 60, 10), 59]
        assert first.counters[:, 0].tolist() == [6000] * 9 + [600]
    layers = [layer["name"] for layer in server.run(none)["layers"]]
    assert layers == [f"{kind}{i}" for i in (1, 2, 3) for kind in ("fc", "norm", "act")] + ["out"]
    assert [layer["name"] for layer in server.run(batch)["layers"]] == layers
    # The same batch through the same first layer: its output is the same, number for number, in both arms.
    a, b = frames[none][0], frames[batch][0]
    assert a.moments[0].tolist() == b.moments[0].tolist()
    assert a.histogram(0).tolist() == b.histogram(0).tolist()
    assert a.moments[1].tolist() != b.moments[1].tolist()
    for run in (none, batch):
        saved = torch.load(server.data / "runs" / run / "final.pt")
        assert saved["steps"] == 60


def test_two_identical_runs_give_identical_losses(server: Server) -> None:
    runs = [server.begin(steps=30, pace=0)["runs"][1]["id"] for _ in range(2)]
    losses = []
    for run in runs:
        server.wait_status(run, "finished")
        losses.append([f.series["loss"].mean.tolist() for f in history(server, run)])
    assert losses[0] == losses[1]


def gone(process: int) -> bool:
    try:
        return psutil.Process(process).status() == "zombie"
    except psutil.NoSuchProcess:
        return True


def settled(server: Server, run: str) -> int:
    """The newest step of a run that is held, once its last frames have come: nobody looks, so they take their time."""
    seen = [-2, -1]
    while seen[-1] != seen[-2]:
        time.sleep(1.5)
        seen.append(server.run(run)["last_step"])
    return seen[-1]


def test_pause_step_resume_pace_stop(server: Server) -> None:
    run = server.begin(steps=100_000, pace=200)["runs"][0]["id"]
    server.wait_step(run, 5)
    server.post(f"/api/runs/{run}/pause")
    held = server.wait_status(run, "paused")
    step = settled(server, run)
    assert step >= held["last_step"]
    for i in (1, 2, 3):
        server.post(f"/api/runs/{run}/step")
        server.wait_step(run, step + i)
    assert server.wait_status(run, "paused")["last_step"] == step + 3
    server.post(f"/api/runs/{run}/pace", {"steps_per_second": 20})
    server.post(f"/api/runs/{run}/resume")
    server.wait_step(run, step + 5)
    began, first = time.monotonic(), server.run(run)["last_step"]
    server.wait_step(run, first + 20)
    rate = (server.run(run)["last_step"] - first) / (time.monotonic() - began)
    assert 10 < rate < 30
    began = time.monotonic()
    assert server.post(f"/api/runs/{run}/stop").json()["status"] == "stopping"
    stopped = server.wait_status(run, "stopped")
    assert time.monotonic() - began < 2
    saved = torch.load(server.data / "runs" / run / "final.pt")
    assert saved["steps"] == stopped["last_step"] + 1
    wait_for(lambda: gone(handles(server)[run]), "the training process to be gone")
    answer = server.post(f"/api/runs/{run}/resume")
    assert (answer.status_code, answer.json()["detail"]) == (409, "the run is stopped: there is nothing left to resume")


def test_stop_ends_a_paused_run_too(server: Server) -> None:
    run = server.begin(steps=100_000)["runs"][0]["id"]
    server.wait_step(run, 1)
    server.post(f"/api/runs/{run}/pause")
    server.wait_status(run, "paused")
    began = time.monotonic()
    server.post(f"/api/runs/{run}/stop")
    server.wait_status(run, "stopped")
    assert time.monotonic() - began < 2


def test_a_crash_reads_failed_with_the_last_error(server: Server) -> None:
    run = server.begin(steps=100_000)["runs"][0]["id"]
    server.wait_step(run, 1)
    os.kill(handles(server)[run], signal.SIGKILL)
    failed = server.wait_status(run, "failed")
    assert "ended by signal 9" in failed["error"]


def test_an_exception_in_the_loop_reads_failed_with_its_words(server: Server) -> None:
    run = server.begin(steps=100_000, pace=200)["runs"][0]["id"]
    server.wait_step(run, 1)
    os.kill(handles(server)[run], signal.SIGTERM)
    failed = server.wait_status(run, "failed")
    assert "SystemExit: ended by signal SIGTERM" in failed["error"]
    assert (server.data / "runs" / run / "final.pt").exists()


def test_starting_works_while_others_run(server: Server) -> None:
    first = server.begin(steps=100_000)["runs"]
    server.wait_step(first[0]["id"], 3)
    second = server.begin(steps=20, pace=0)["runs"]
    for run in second:
        server.wait_status(run["id"], "finished")
    assert server.run(first[0]["id"])["status"] == "running"
    assert [e["runs"][0]["status"] for e in server.get("/api/experiments")["experiments"]] == ["finished", "running"]


def test_the_server_is_killed_in_mid_run_and_nothing_is_missing_or_doubled(server: Server) -> None:
    runs = [run["id"] for run in server.begin(steps=2000, pace=100)["runs"]]
    for run in runs:
        server.wait_step(run, 40)
    for _ in range(3):
        server.kill()
        pids = handles(server)
        assert all(psutil.Process(pids[run]).is_running() for run in runs)
        server.start()
        reached = {run: server.run(run)["last_step"] for run in runs}
        for run in runs:
            server.wait_step(run, reached[run] + 20)
    for run in runs:
        server.post(f"/api/runs/{run}/pace", {"steps_per_second": 400})
    for run in runs:
        assert server.wait_status(run, "finished", timeout=60)["last_step"] == 1999
        assert [f.first_step for f in history(server, run)] == list(range(2000))
    with sqlite3.connect(f"file:{server.data}/normscope.db?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        blocks = db.execute("SELECT level, count(*) FROM blocks WHERE run = ? GROUP BY level", (runs[0],)).fetchall()
    db.close()
    assert blocks == [(0, 2000), (2, 125), (3, 31), (4, 7), (5, 1)]


def test_a_trainer_that_dies_while_the_server_is_down_is_noticed(server: Server) -> None:
    run = server.begin(steps=100_000)["runs"][0]["id"]
    server.wait_step(run, 1)
    pid = handles(server)[run]
    server.kill()
    os.kill(pid, signal.SIGKILL)
    server.start()
    assert "ended without a word" in server.wait_status(run, "failed")["error"]


def test_a_trainer_that_does_not_listen_is_ended(server: Server) -> None:
    run = server.begin(steps=100_000)["runs"][0]["id"]
    server.wait_step(run, 1)
    pid = handles(server)[run]
    os.kill(pid, signal.SIGSTOP)  # it hears nothing now, not even SIGTERM
    server.post(f"/api/runs/{run}/stop")
    assert server.wait_status(run, "stopped", timeout=30)["control"]["stop"]
    wait_for(lambda: not psutil.pid_exists(pid), "its process to be gone")


def test_experiments_outlive_the_server(server: Server) -> None:
    run = server.begin(steps=20, pace=0)["runs"][0]
    server.wait_status(run["id"], "finished")
    before = [json.dumps(f.series["loss"].mean.tolist()) for f in history(server, run["id"])]
    server.stop()
    server.start()
    (experiment,) = server.get("/api/experiments")["experiments"]
    assert experiment["id"] == run["experiment"]
    assert [json.dumps(f.series["loss"].mean.tolist()) for f in history(server, run["id"])] == before
