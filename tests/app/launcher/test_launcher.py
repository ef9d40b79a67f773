"""The contract of the launcher, held against each adapter, with real training processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from app.launcher import Exit, Launcher, Needs, UnreachableError, check_launcher, open_launcher
from normscope.spec import CHECKPOINT, Job, Spec

from ...conftest import HOUSE, alive, free_port
from ...ray_cluster import Cluster, started

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with started() as one:
        yield one


@pytest.fixture(params=["local:", pytest.param("ray:", marks=pytest.mark.ray)])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "ray:":
        one: Cluster = request.getfixturevalue("cluster")
        return one.url
    return str(request.param)


def play(url: str, scenario: Callable[[Launcher], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        launcher = await open_launcher(url)
        try:
            async with asyncio.timeout(60):
                await scenario(launcher)
        finally:
            await launcher.close()

    asyncio.run(main())


def job(folder: Path, steps: int, **changes: float | str) -> Job:
    """A job whose server is not there: it trains all the same."""
    spec = Spec("none", steps=steps, landscape_every=0, **changes)  # type: ignore[arg-type]
    return Job(spec, "test", f"http://127.0.0.1:{free_port()}", "token", str(folder))


async def next_exit(launcher: Launcher) -> Exit:
    async for found in launcher.exits():
        return found
    raise AssertionError("the launcher reports no exits")


def pid_of(handle: str) -> int:
    return int(handle.partition(":")[0])


async def until_begun(launcher: Launcher, handle: str) -> None:
    while launcher.why(handle):  # noqa: ASYNC110  as below
        await asyncio.sleep(0.02)


async def until_gone(launcher: Launcher, handle: str) -> None:
    while await launcher.alive(handle):  # noqa: ASYNC110  another process's end has no event here
        await asyncio.sleep(0.02)


def test_a_trainer_that_ends_is_reported_and_leaves_its_checkpoint(url: str, tmp_path: Path) -> None:
    async def scenario(launcher: Launcher) -> None:
        handle = await launcher.start(job(tmp_path, steps=3))
        assert await next_exit(launcher) == Exit(handle, 0)
        assert not await launcher.alive(handle)
        assert (tmp_path / CHECKPOINT).exists()

    play(url, scenario)


def test_a_trainer_that_fails_is_reported_with_its_status_and_log(url: str, tmp_path: Path) -> None:
    async def scenario(launcher: Launcher) -> None:
        handle = await launcher.start(job(tmp_path, steps=3, data="nothing"))
        assert await next_exit(launcher) == Exit(handle, 1)
        assert "unknown data 'nothing'" in (tmp_path / "log.txt").read_text()

    play(url, scenario)


@pytest.mark.parametrize(("hard", "code"), [(True, -signal.SIGKILL), (False, 1)])
def test_a_trainer_can_be_ended(url: str, tmp_path: Path, hard: bool, code: int) -> None:
    async def scenario(launcher: Launcher) -> None:
        handle = await launcher.start(job(tmp_path, steps=1_000_000))
        await until_begun(launcher, handle)
        assert await launcher.alive(handle)
        await launcher.kill(handle, hard=hard)
        found = await next_exit(launcher)
        assert found.handle == handle
        assert (found.code == code) if hard and url == "local:" else (found.code != 0)  # Ray knows one way only
        assert not await launcher.alive(handle)

    play(url, scenario)


def test_another_launcher_finds_trainers_again_by_their_handles(url: str, tmp_path: Path) -> None:
    handles: list[str] = []

    async def scenario(launcher: Launcher) -> None:
        handles.extend([await launcher.start(job(tmp_path / name, steps=1_000_000)) for name in ("a", "b")])
        assert len(set(handles)) == 2
        for handle in handles:
            await until_begun(launcher, handle)

    async def another(launcher: Launcher) -> None:
        for handle in handles:
            await until_begun(launcher, handle)
            assert await launcher.alive(handle)
            await launcher.kill(handle, hard=True)
        for handle in handles:
            await until_gone(launcher, handle)

    play(url, scenario)
    play(url, another)


@pytest.mark.parametrize("url", ["local:"], indirect=True)
def test_trainers_are_processes_of_their_own_that_outlive_the_launcher(url: str, tmp_path: Path) -> None:
    handles: list[str] = []

    async def scenario(launcher: Launcher) -> None:
        handles.extend([await launcher.start(job(tmp_path / name, steps=1_000_000)) for name in ("a", "b")])

    play(url, scenario)
    pids = [pid_of(handle) for handle in handles]
    try:
        assert len({os.getpid(), *pids}) == 3
        assert [os.getsid(pid) for pid in pids] == pids
        assert all(psutil.Process(pid).is_running() for pid in pids)

        async def another(launcher: Launcher) -> None:
            for handle in handles:
                assert await launcher.alive(handle)
                await launcher.kill(handle, hard=True)
                await until_gone(launcher, handle)

        play(url, another)
    finally:
        for pid in filter(alive, pids):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("url", ["local:"], indirect=True)
def test_a_handle_is_not_fooled_by_a_number_used_again(url: str) -> None:
    async def scenario(launcher: Launcher) -> None:
        assert not await launcher.alive(f"{os.getpid()}:12345.00")
        await launcher.kill(f"{os.getpid()}:12345.00", hard=True)
        assert not await launcher.alive("nonsense")

    play(url, scenario)


@pytest.mark.parametrize("url", ["local:"], indirect=True)
def test_a_warm_parent_starts_a_run_in_well_under_a_second(url: str, tmp_path: Path) -> None:
    """Not a timing of our code: only that no run pays for importing torch again, which takes seconds."""

    async def scenario(launcher: Launcher) -> None:
        await launcher.start(job(tmp_path / "first", steps=1))
        began = time.monotonic()
        handle = await launcher.start(job(tmp_path / "second", steps=1))
        assert time.monotonic() - began < 1
        parent = psutil.Process(pid_of(handle)).parent() if await launcher.alive(handle) else None
        assert parent is None or "--parent" in parent.cmdline()

    play(url, scenario)


def test_a_parent_whose_server_died_while_it_warmed_up_leaves_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "trainer", "--parent"], stdin=subprocess.PIPE, stdout=writer,
            stderr=subprocess.PIPE, timeout=60, cwd=HOUSE, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("unknown", "words"),
    [("slurm:", "local: or begin with ray:"), ("ray://host:10001", "such as http://127.0.0.1:8265")],
)
def test_an_unknown_url_names_the_choices(unknown: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        asyncio.run(open_launcher(unknown))


def test_a_run_that_needs_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 CPUs and 0 GPUs"):
        check_launcher("local:", Needs(0, 0))


def test_a_cluster_that_is_not_there_is_a_sentence_and_holds_no_one_up(tmp_path: Path) -> None:
    async def scenario(launcher: Launcher) -> None:
        with pytest.raises(UnreachableError, match=f"the Ray cluster at {address} does not answer"):
            await launcher.start(job(tmp_path, steps=3))
        assert launcher.why(None) == f"the Ray cluster at {address} does not answer"

    address = f"http://127.0.0.1:{free_port()}"
    play(f"ray:{address}", scenario)
