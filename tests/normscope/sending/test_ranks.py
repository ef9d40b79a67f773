"""Nets that several processes train: real ones, started by torchrun, on the CPU with gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import normscope
from normscope import wire

from ...conftest import HOUSE, Server, free_port, wait_for
from .distributed import ILL, KINDS, STEPS, batch, net

if TYPE_CHECKING:
    from pathlib import Path

    from ...peer import Peer

CASES = ("merge", "apart", "sync", "first", "alone", "early", "shards", "prepared", "ill", "stop")


class Job:
    """What the ranks have said, and what the server has of their runs."""

    def __init__(self, server: Server, out: Path) -> None:
        self._server = server
        self.said = [json.loads((out / f"{rank}.json").read_text()) for rank in range(2)]

    def runs(self, name: str) -> list[dict[str, Any]]:
        (one,) = [e for e in self._server.get("/api/experiments")["experiments"] if e["name"] == name]
        return [self._server.run(run["id"]) for run in one["runs"]]

    def frames(self, name: str, place: int = 0) -> list[wire.Frame]:
        url = f"{self._server.url}/api/runs/{self.runs(name)[place]['id']}/history?points=600"
        return [wire.decode(data) for data in wire.split(self._server.http.get(url).content)]


@pytest.fixture(scope="module")
def job(shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """All that one job of two ranks does, one after another."""
    out = tmp_path_factory.mktemp("job")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    with (out / "log").open("w") as log:
        process = subprocess.Popen(
            [*torchrun, "-m", "tests.normscope.sending.distributed", ",".join(CASES), shared_server.url, str(out)],
            cwd=HOUSE, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip

        def running() -> Any:
            assert process.poll() is None, (out / "log").read_text()
            found = [e for e in shared_server.get("/api/experiments")["experiments"] if e["name"] == "stop"]
            return found and found[0]["runs"][0]["last_step"] > 10 and found[0]["runs"][0]["id"]

        try:
            run = wait_for(running, "the run that is to be stopped", 90)
            assert shared_server.post(f"/api/runs/{run}/stop").status_code == 200
            assert process.wait(60) == 0, (out / "log").read_text()
        finally:
            process.terminate()
            process.wait(40)
    return Job(shared_server, out)


@pytest.fixture
def whole(peer: Peer) -> list[wire.Frame]:
    """The whole mini-batches seen by one process, with the weights before the first step."""
    model = net()
    with normscope.watch(model, url=peer.url, budget=None, kinds=KINDS) as watch:
        model(batch(0))
        watch.step()
    return peer.frames


def test_losses_are_those_of_training_that_nobody_watches(job: Job) -> None:
    for said in job.said:
        plain, watched = said["merge"]
        assert plain == watched
        assert plain == said["apart"] == said["first"] == said["alone"] == said["prepared"]


def test_ranks_merge_into_the_whole_mini_batch(job: Job, whole: list[wire.Frame]) -> None:
    frames = job.frames("merged")
    assert [f.first_step for f in frames] == list(range(STEPS))
    assert [f.series["ranks"].mean[0] for f in frames] == [2.0] * STEPS
    losses = np.array([said["merge"][1] for said in job.said])
    assert np.allclose([f.series["loss"].mean[0] for f in frames], losses.mean(0), rtol=1e-6)
    ours, one = frames[0], whole[0]
    # The first layer comes before batch normalization, which each rank does by its own mini-batch.
    row = int(np.flatnonzero((ours.layers == 0) & (ours.kinds == 0))[0])
    like = int(np.flatnonzero((one.layers == 0) & (one.kinds == 0))[0])
    assert ours.counters[row].tolist() == one.counters[like].tolist()
    assert np.array_equal(ours.histogram(row), one.histogram(like))
    assert np.allclose(ours.moments[row], one.moments[like], rtol=1e-6, atol=1e-7)
    layers = [layer["name"] for layer in job.runs("merged")[0]["layers"]]
    assert layers == ["0", "1", "2", "3"]  # and not module.0


def test_weights_that_every_rank_has_count_once(job: Job) -> None:
    for name in ("merged", "shards"):  # of the second, each rank has a part
        frame = job.frames(name)[0]
        weights = frame.counters[frame.kinds == wire.KINDS.index("weight"), 0]
        assert weights.tolist() == [32, 8, 16], name
    frame = job.frames("merged")[0]
    statistics = frame.counters[frame.kinds == wire.KINDS.index("batch_mean"), 0]
    assert statistics.tolist() == [16]  # of each rank's own mini-batch


def test_ranks_apart_stand_side_by_side(job: Job) -> None:
    runs = job.runs("apart")
    assert [(run["arm"], run["name"], run["status"]) for run in runs] == [
        (f"rank {rank}", f"apart, rank {rank}", "finished") for rank in range(2)
    ]
    first, second = job.frames("apart"), job.frames("apart", 1)
    means = [f[0].moments[f[0].kinds == wire.KINDS.index("batch_mean"), 0] for f in (first, second)]
    assert not np.allclose(*means)
    assert "ranks" not in first[0].series


def test_batch_normalization_over_all_ranks_differs_from_that_of_each(job: Job) -> None:
    def means(name: str) -> list[float]:
        """Of what the normalization gives, on each rank."""
        frames = [job.frames(name, rank)[0] for rank in range(2)]
        return [float(f.moments[(f.layers == 1) & (f.kinds == 0), 0][0]) for f in frames]

    assert np.allclose(means("apart"), 0, atol=1e-6)
    assert abs(means("sync")[0]) > 0.01
    assert np.isclose(sum(means("sync")), 0, atol=1e-6)


def test_one_rank_may_watch_alone(job: Job) -> None:
    for name in ("first", "alone"):
        (run,) = job.runs(name)
        assert (run["status"], run["last_step"]) == ("finished", STEPS - 1)
        assert job.frames(name)[0].counters[0, 0] == 64


def test_a_rank_that_has_less_to_do_is_not_waited_for(job: Job) -> None:
    assert [f.series["ranks"].mean[0] for f in job.frames("early")] == [2.0] * (STEPS - 2) + [1.0] * 2
    assert job.runs("early")[0]["status"] == "finished"


def test_stop_reaches_all_ranks_behind_the_same_step(job: Job) -> None:
    (run,) = job.runs("stop")
    assert [len(said["stop"]) for said in job.said] == [run["last_step"] + 1] * 2
    assert run["status"] == "stopped"


def test_rules_are_about_what_all_ranks_saw_and_every_loop_hears_of_it(job: Job, shared_server: Server) -> None:
    (run,) = job.runs("ill")
    told = shared_server.get(f"/api/runs/{run['id']}/alerts")["alerts"]
    share = 8 / 128  # a row of sixteen, which were one of eight if rank 1 stood alone
    assert [(one["rule"], one["step"]) for one in told[:2]] == [("non-finite", ILL), ("nonfinite > 0.1", ILL + 1)]
    assert told[0]["places"][0] == {"layer": "0", "kind": "output", "value": share}
    assert (run["status"], run["last_step"] > ILL) == ("stopped", True)
    for steps, nonfinite, heard in (said["ill"] for said in job.said):
        assert steps == run["last_step"] + 1
        assert nonfinite == [ILL, "0", "output", 8, 128]
        assert heard[0][:2] == ["non-finite", ILL]
        assert heard[0][2][0] == ["0", "output", share]


def test_what_accelerate_prepared_has_the_names_that_its_author_gave(job: Job) -> None:
    (run,) = job.runs("prepared")
    assert [layer["name"] for layer in run["layers"]] == ["0", "1", "2", "3"]
    assert job.frames("prepared")[0].series["ranks"].mean[0] == 2


def test_a_rank_that_is_killed_is_gone_from_the_frames_not_they(peer: Peer, tmp_path: Path) -> None:
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.normscope.sending.distributed", "dies", peer.url, str(tmp_path)],
            cwd=HOUSE, env=os.environ | place | {"RANK": str(rank)}, stderr=subprocess.DEVNULL,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        assert ranks[1].wait(60) == -9
        wait_for(lambda: wire.End("finished") in peer.messages, "the end of the run", 60)
    finally:
        for process in ranks:
            process.kill()
            process.wait()
    assert peer.steps() == list(range(STEPS))
    assert [f.series["ranks"].mean[0] for f in peer.frames] == [2.0] * 3 + [1.0] * 3


def test_a_mode_that_is_none_is_refused(peer: Peer) -> None:
    with pytest.raises(ValueError, match="ranks: 'both' is none of merge, apart, first"):
        normscope.watch(torch.nn.Linear(2, 2), url=peer.url, ranks="both")
