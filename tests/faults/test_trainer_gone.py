"""A training process that is killed, ended or put to sleep, and what is left of it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from normscope import wire

from ..conftest import Server, serving, wait_for
from .database import check, copied, frames
from .processes import MARK, marked, training

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOST_AFTER = 4.0
TINY = {"depth": 1, "width": 8, "pace": 100, "landscape_every": 0, "steps": 1_000_000}


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that soon misses a training process."""
    with serving(tmp_path_factory.mktemp("gone") / "data", "--lost-after", str(LOST_AFTER)) as server:
        yield server


def lost(server: Server, run: str, since: float) -> None:
    """Wait for a run to be called lost, in time."""
    server.wait_status(run, "lost")
    assert time.monotonic() - since < LOST_AFTER + 1  # and as much as it takes to ask


def test_a_loop_that_is_put_to_sleep_is_lost_and_goes_on_by_itself_until_it_is_killed(
    one: Server, tmp_path: Path
) -> None:
    with training(one, tmp_path, "sleeper") as sleeper, training(one, tmp_path, "ended") as ended:
        run, other = sleeper.run(one), ended.run(one)
        one.wait_step(run, 20)
        began = time.monotonic()
        sleeper.signal_all(signal.SIGSTOP)
        ended.process.send_signal(signal.SIGTERM)
        lost(one, run, began)
        asleep = one.run(run)["last_step"]
        assert asleep >= 20
        one.wait_status(other, "lost")
        sleeper.signal_all(signal.SIGCONT)
        one.wait_status(run, "running")
        one.wait_step(run, asleep + 50)
        began = time.monotonic()
        sleeper.process.kill()
        one.wait_status(run, "lost")
        for loop in (sleeper, ended):
            wait_for(lambda loop=loop: not marked(loop.name), "its courier to leave")  # type: ignore[misc]
            assert loop.process.poll() in (-signal.SIGKILL, -signal.SIGTERM)
        with copied(one.data) as database:
            check(database)
            for loop in (sleeper, ended):
                steps = [wire.decode(data).first_step for data in frames(database, loop.name)]
                assert steps == list(range(len(steps)))
                assert steps[-1] >= loop.last  # up to the last one that it could tell of
        assert "Traceback" not in one.log


def test_nothing_is_left_running_after_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, "orphans")
    with serving(tmp_path / "data") as server:
        assert server.process is not None
        runs = [run["id"] for run in server.begin(**TINY)["runs"]]
        for run in runs:
            server.wait_step(run, 5)
        assert len(marked("orphans")) == 6  # the server, the parent, and of each run a trainer and a courier
        server.kill()
        wait_for(lambda: len(marked("orphans")) == 4, "the parent to leave")
        server.start()
        for run in runs:
            server.wait_status(run, "running")
        server.post(f"/api/runs/{runs[0]}/stop")
        server.wait_status(runs[0], "stopped")
        server.stop()
        wait_for(lambda: len(marked("orphans")) == 2, "all to leave but the other run, which outlives the server")
        server.start()
        server.post(f"/api/runs/{runs[1]}/stop")
        server.wait_status(runs[1], "stopped")
        server.stop()
        wait_for(lambda: not marked("orphans"), "everything to be gone")
        monkeypatch.delenv(MARK)


def test_a_server_warms_up_when_its_page_is_asked_for_and_killed_meanwhile_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, "cold")
    server = Server(tmp_path / "data")
    server.start()
    server.get("/api/experiments")
    assert len(marked("cold")) == 1  # a server that only takes in runs does without
    server.http.get(server.url)
    wait_for(lambda: len(marked("cold")) > 1, "the parent to be made")
    server.kill()
    wait_for(lambda: not marked("cold"), "the parent to leave")
    server.close()
