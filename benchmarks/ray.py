"""Many runs queued on a Ray cluster of two CPUs: whether the list stays quick, order is kept and every run ends."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.conftest import ENDED, Server
from tests.ray_cluster import started

from .table import quantile

if TYPE_CHECKING:
    from tests.ray_cluster import Cluster

    from .table import Table

_TINY: Final = {"depth": 1, "width": 8, "pace": 0, "landscape_every": 0, "steps": 20, "parallel": 64}
_EACH: Final = 40
"""Runs of one experiment, all of which are handed to Ray at once."""
_ABREAST: Final = 2
"""Runs that train at a time, so that each may overtake as many."""
_LOOK: Final = 0.5
"""Seconds between two looks at the list."""
_LEAVE: Final = 20
"""Seconds in which the last processes and jobs leave after their runs have ended."""


def measure(table: Table, runs: int) -> None:
    """Start so many runs, look at the list until all have ended, and count what went wrong."""
    with started(RAY_JOB_START_TIMEOUT_SECONDS="604800") as cluster, tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data", flags=("--launcher", cluster.url, "--rates", "0"))
        server.start()
        try:
            alone = _list(server)[0]
            began = time.monotonic()
            for first in range(0, runs, _EACH):
                server.begin(**_TINY, seeds=min(_EACH, runs - first) // 2)
            times = _look_until_ended(server)
            seconds = time.monotonic() - began
            ended = [run for e in _list(server)[1] for run in server.get(f"/api/experiments/{e['id']}")["runs"]]
            left = _left_over(cluster)
        finally:
            server.close()
    finished = sum(run["status"] == "finished" for run in ended)
    table.add(f"{runs} runs of 20 steps on 2 CPUs, seconds for each", f"{seconds / runs:.1f}", "", f"{seconds:.0f} s")
    nothing = f"{1000 * alone:.0f} ms with no run"
    table.add("list of experiments meanwhile, ms, p99", f"{1000 * quantile(times, 0.99):.0f}", "≤ 300", nothing)
    table.add("runs that have finished", str(finished), str(runs), f"{len(ended)} have ended")
    table.add("runs that one far behind them has overtaken", str(_overtaken(ended)), "0")
    table.add("training processes and jobs left over", str(left), "0")


def _list(server: Server) -> tuple[float, list[dict[str, Any]]]:
    """Seconds that the list of experiments takes, and it."""
    began = time.monotonic()
    found: list[dict[str, Any]] = server.get("/api/experiments")["experiments"]
    return time.monotonic() - began, found


def _look_until_ended(server: Server) -> list[float]:
    times = []
    while True:
        seconds, experiments = _list(server)
        times.append(seconds)
        if all(run["status"] in ENDED for one in experiments for run in one["runs"]):
            return times
        time.sleep(_LOOK)


def _left_over(cluster: Cluster) -> int:
    """Training processes and jobs that are still there when they have had time to leave."""
    deadline = time.monotonic() + _LEAVE
    while True:
        found = len(cluster.trainers) + sum(state in ("PENDING", "RUNNING") for state in cluster.jobs().values())
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(_LOOK)


def _overtaken(runs: list[dict[str, Any]]) -> int:
    """How many runs of an experiment began after one that stands more than `_ABREAST` places behind them."""
    count = 0
    for experiment in dict.fromkeys(run["experiment"] for run in runs):
        starts = [run["started"] or 0 for run in runs if run["experiment"] == experiment]
        count += sum(any(late < start for late in starts[i + _ABREAST + 1 :]) for i, start in enumerate(starts))
    return count
