"""A server whose runs train on a Ray cluster: queued there, controlled, found again, and none left over."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ...conftest import ENDED, Server, wait_for
from ...ray_cluster import Cluster, started
from ...trainer.test_processes import begin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.ray
ENDLESS = {"depth": 1, "width": 8, "landscape_every": 0, "steps": 1_000_000, "pace": 50}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with started(RAY_JOB_START_TIMEOUT_SECONDS="20") as one:
        yield one


@pytest.fixture
def server(cluster: Cluster, tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path / "data", flags=("--launcher", cluster.url))
    one.start()
    yield one
    for experiment in one.get("/api/experiments")["experiments"]:
        one.post(f"/api/experiments/{experiment['id']}/stop")
        for run in experiment["runs"]:
            one.wait_status(run["id"], *ENDED, timeout=60)
    one.close()


def handles(server: Server) -> list[str | None]:
    with closing(sqlite3.connect(f"file:{server.data}/normscope.db?mode=ro", uri=True)) as db:
        return [value for (value,) in db.execute("SELECT handle FROM runs ORDER BY created")]


def queued(server: Server, runs: list[str]) -> bool:
    """Whether Ray has both in its queue; which is first changes when it gives one up."""
    found = [server.run(run) for run in runs]
    places = {"it is next", "1 job ahead of it"}
    reasons = {f"queued on the Ray cluster for 1 CPU, {place}" for place in places}
    return {run["reason"] for run in found} == reasons and {run["status"] for run in found} == {"starting"}


def test_runs_are_queued_controlled_found_again_and_ended(cluster: Cluster, server: Server) -> None:
    experiment = server.begin(**ENDLESS, seeds=3, parallel=4)
    ids = [run["id"] for run in experiment["runs"]]
    for run in ids[:2]:
        server.wait_step(run, 1, timeout=60)
        assert server.run(run)["reason"] is None
    wait_for(lambda: queued(server, ids[2:4]), "the third and the fourth run to be queued")
    waiting = server.run(ids[4])
    assert (waiting["status"], waiting["reason"].split(":")[0]) == ("waiting", "it waits for its turn")

    server.post(f"/api/runs/{ids[0]}/pause")
    held = server.wait_status(ids[0], "paused")["last_step"]
    server.post(f"/api/runs/{ids[0]}/step")
    server.wait_step(ids[0], held + 1)

    before = handles(server)
    server.kill()
    assert len(cluster.trainers) == 2  # they go on
    server.start()
    server.wait_status(ids[0], "paused")
    server.wait_status(ids[1], "running")
    wait_for(lambda: queued(server, ids[2:4]), "the server to know where these two are")
    assert [server.run(run)["status"] for run in ids[4:]] == ["waiting", "waiting"]
    # Ray gives up on a job for which there was no room for so long: the run keeps its place, and is submitted again.
    wait_for(lambda: handles(server)[2] not in (None, before[2]), "the third run to be submitted again", timeout=60)
    wait_for(lambda: handles(server)[3] not in (None, before[3]), "the fourth run to be submitted again", timeout=60)
    assert [run in (*before[:2], None) for run in handles(server)] == [True, True, False, False, True, True]

    server.post(f"/api/runs/{ids[0]}/stop")
    server.wait_status(ids[0], "stopped")
    wait_for(lambda: any(server.run(run)["last_step"] > 0 for run in ids[2:4]), "one of them to train", timeout=60)
    assert len(cluster.trainers) == 2
    log = server.data / "runs" / ids[0] / "log.txt"
    wait_for(log.exists, "the log of a run that an earlier server had started")

    server.post(f"/api/experiments/{experiment['id']}/stop")
    for run in ids:
        server.wait_status(run, "stopped")
    wait_for(lambda: not cluster.trainers, "all training processes to leave")
    wait_for(lambda: {"PENDING", "RUNNING"}.isdisjoint(cluster.jobs().values()), "all jobs to end", timeout=60)


def test_a_training_process_that_dies_is_told_with_its_last_words(cluster: Cluster, server: Server) -> None:
    experiment = server.begin(**ENDLESS, seeds=1, parallel=1)
    first, second = (run["id"] for run in experiment["runs"])
    server.wait_step(first, 1, timeout=60)
    (trainer,) = cluster.trainers
    (core,) = [part.path for part in trainer.memory_maps() if "/normscope/native/" in part.path]
    assert "/py_modules_files/_ray_pkg_" in core  # the server's own version, not what the machine has
    trainer.kill()
    assert server.wait_status(first, "failed")["error"].startswith("ended by signal 9")
    server.wait_step(second, 1, timeout=60)
    server.post(f"/api/runs/{second}/stop")
    server.wait_status(second, "stopped")
    wait_for(lambda: not cluster.trainers, "all training processes to leave")


def test_a_run_of_two_processes_takes_two_cpus_and_leaves_none_behind(cluster: Cluster, server: Server) -> None:
    (one,) = begin(server, ["none"], **ENDLESS)
    server.wait_step(one, 1, timeout=60)
    (two,) = begin(server, ["synchronized batch"], **{**ENDLESS, "processes": 2})
    words = "queued on the Ray cluster for 2 CPUs, it is next"
    wait_for(lambda: server.run(two)["reason"] == words, "the second run to be queued")
    server.post(f"/api/runs/{one}/stop")
    server.wait_step(two, 1, timeout=60)
    assert len(cluster.trainers) >= 2  # one of which has made the other
    assert server.run(two)["versions"]["processes"] == "2 ranks, merged"
    server.post(f"/api/runs/{two}/stop")
    server.wait_status(two, "stopped")
    wait_for(lambda: not cluster.trainers, "all training processes to leave")
