"""Runs that several processes train together: real ones, forked by the launcher's own, that meet over gloo."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from normscope import catalogue

from ..conftest import Server, wait_for
from ..frames import split

if TYPE_CHECKING:
    from normscope import wire

SMALL = {"depth": 1, "width": 8, "landscape_every": 0, "pace": 0}
ENDLESS = {**SMALL, "steps": 1_000_000, "pace": 50}


def begin(server: Server, arms: list[str], claim: int = 1, **settings: float) -> list[str]:
    """Start an experiment with these arms, all at once; the runs' ids."""
    body = {"claim": claim, "arms": arms, "settings": {**settings, "parallel": len(arms)}}
    answer = server.post("/api/experiments", body)
    assert answer.status_code == 201, answer.text
    return [run["id"] for run in answer.json()["runs"]]


def frames(server: Server, run: str) -> list[wire.Frame]:
    server.wait_status(run, "finished", timeout=60)
    return split(server.http.get(f"{server.url}/api/runs/{run}/history").content)


def losses(found: list[wire.Frame]) -> list[float]:
    return [float(frame.series["loss"].mean[0]) for frame in found]


def process(server: Server, run: str) -> psutil.Process:
    """The run's own process."""
    with closing(sqlite3.connect(f"file:{server.data}/normscope.db?mode=ro", uri=True)) as db:
        (handle,) = db.execute("SELECT handle FROM runs WHERE id = ?", (run,)).fetchone()
    return psutil.Process(int(handle.partition(":")[0]))


def others(first: psutil.Process) -> list[psutil.Process]:
    """Those that train with it; each has a courier of its own, which has nobody."""
    return [child for child in first.children() if child.children()]


def family(server: Server, run: str, count: int) -> list[psutil.Process]:
    """All processes of a run in training, the first one first."""
    server.wait_step(run, 2)
    first = process(server, run)
    assert len(others(first)) == count - 1
    return [first, *others(first), *(p for p in first.children(recursive=True) if not p.children())]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_two_processes_train_the_net_that_one_would(shared_server: Server) -> None:
    small = {**SMALL, "steps": 12}
    alone = begin(shared_server, ["none", "batch"], **small)
    together = begin(shared_server, ["none", "synchronized batch", "batch"], **small, processes=2)
    none, batch = (frames(shared_server, run) for run in alone)
    none2, synchronized2, batch2 = (frames(shared_server, run) for run in together)
    for found in (none2, synchronized2, batch2):
        assert [frame.seq for frame in found] == list(range(12))
        assert [float(frame.series["ranks"].mean[0]) for frame in found] == [2.0] * 12
    assert np.allclose(losses(none2), losses(none), rtol=1e-4)
    # Over the parts of both it is batch normalization; over each part alone it is something else.
    assert np.allclose(losses(synchronized2), losses(batch), rtol=1e-4)
    assert not np.allclose(losses(batch2), losses(batch), rtol=1e-3)
    assert none2[0].counters.tolist() == none[0].counters.tolist()
    assert np.allclose(none2[0].moments, none[0].moments, rtol=1e-4, atol=1e-6)
    assert shared_server.run(together[0])["versions"]["processes"] == "2 ranks, merged"
    outcomes = [shared_server.run(run)["outcome"]["test_accuracy"] for run in (alone[0], together[0])]
    assert outcomes[0] == pytest.approx(outcomes[1], abs=0.02)


def test_all_processes_obey_and_none_is_left(shared_server: Server) -> None:
    (run,) = begin(shared_server, ["synchronized batch"], **ENDLESS, processes=3)
    processes = family(shared_server, run, 3)
    shared_server.post(f"/api/runs/{run}/pause")
    held = shared_server.wait_status(run, "paused")["last_step"]
    shared_server.post(f"/api/runs/{run}/step")
    shared_server.wait_step(run, held + 1)
    assert shared_server.run(run)["status"] == "paused"
    shared_server.post(f"/api/runs/{run}/resume")
    shared_server.wait_step(run, held + 5)
    shared_server.post(f"/api/runs/{run}/stop")
    shared_server.wait_status(run, "stopped")
    wait_for(lambda: gone(processes), "all its processes to leave")
    assert (shared_server.data / "runs" / run / "final.pt").exists()


@pytest.mark.parametrize("paused", [False, True])
def test_a_process_that_is_killed_ends_the_run_with_the_reason(shared_server: Server, paused: bool) -> None:
    (run,) = begin(shared_server, ["none"], **ENDLESS, processes=3)
    processes = family(shared_server, run, 3)
    if paused:
        shared_server.post(f"/api/runs/{run}/pause")
        shared_server.wait_status(run, "paused")
    processes[2].kill()
    error = shared_server.wait_status(run, "failed")["error"]
    assert error == "FallenError: process 2 of 3 was ended by signal 9"
    wait_for(lambda: gone(processes), "all its processes to leave")


def test_the_others_do_not_outlive_the_first(shared_server: Server) -> None:
    (run,) = begin(shared_server, ["none"], **ENDLESS, processes=2)
    processes = family(shared_server, run, 2)
    processes[0].kill()
    assert shared_server.wait_status(run, "failed")["error"].startswith("ended by signal 9")
    wait_for(lambda: gone(processes), "all its processes to leave")


def test_a_loss_that_is_a_sum_is_that_of_all_parts(shared_server: Server) -> None:
    settings = {"steps": 12, "landscape_every": 0, "seeds": 1, "pace": 0}
    found = [begin(shared_server, ["DLN none"], 6, **settings, processes=count)[0] for count in (1, 2)]
    one, two = (losses(frames(shared_server, run)) for run in found)
    assert one[0] > 1000
    assert np.allclose(one, two, rtol=1e-4)


def test_a_mini_batch_that_is_too_small_to_share_is_refused(shared_server: Server) -> None:
    settings = {"batch": 6, "processes": 4}
    words = "processes: 4 cannot share a mini-batch of 6 samples; each needs two at least"
    with pytest.raises(ValueError, match=words):
        catalogue.claim(1).check(settings, ["none"])
    answer = shared_server.post("/api/experiments", {"claim": 1, "settings": settings})
    assert (answer.status_code, answer.json()["detail"]) == (422, words)
