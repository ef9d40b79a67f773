"""What tests share: real servers as processes of their own, and waiting without sleeping blindly."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import hypothesis
import psutil
import pytest

from .frames import SOCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .peer import Peer

pytest_plugins = ["tests.services"]

# The same examples every time, nothing kept: a test that fails fails again. Timings are no tests.
hypothesis.settings.register_profile("ours", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ours")

# Threads of torch's that wait for work sleep, here and in processes that tests start: they would spin for a while, and
# take from the tests beside them what these compute with. How many there are is left as it is.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection() -> None:
    """Look for no garbage while all that tests import is loaded: it is there to stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """From here on as ever, but for what has been loaded, which each look for garbage would go through again."""
    gc.freeze()
    gc.enable()


T = TypeVar("T")
HOUSE = Path(__file__).parent.parent
ENDED = ("finished", "stopped", "failed")


def wait_for(what: Callable[[], T], why: str, timeout: float = 30.0) -> T:
    """The first truthy value of `what`, which is asked more seldom after a while; fails after `timeout` seconds."""
    deadline, pause = time.monotonic() + timeout, 0.01
    while time.monotonic() < deadline:
        value = what()
        if value:
            return value
        time.sleep(pause)
        pause = min(1.2 * pause, 0.05)
    pytest.fail(f"waited {timeout:g} s for {why}")


def free_port() -> int:
    """A port that nobody has now, and that nobody is given who does not ask for it.

    Of those that a system gives away, the tests beside this one may get any before it is used, or while its server is
    dead; what two processes choose of these at the same time is hardly ever the same.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


@dataclass
class Server:
    """A real server process on a data folder; it can be killed and started again on the same port."""

    data: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))
    flags: tuple[str, ...] = ()
    address: str = ""
    before: tuple[str, ...] = ()  # a command that runs it: prlimit, setpriv, …

    @property
    def url(self) -> str:
        return self.address or f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.data / "server.log").read_text()

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self.before, sys.executable, "-m", "app", "--port", str(self.port), "--data", str(self.data),
                    "--no-browser", *self.flags,
                ],
                cwd=HOUSE, stdout=log, stderr=log,
            )  # fmt: skip
        wait_for(self.answers, "the server to answer")

    def come_as_owner(self) -> None:
        """Bring the token that it told at its first start, if it asks for one."""
        wait_for(lambda: "Normscope is at" in self.log, "the server to say where it is")
        found = re.search(r"\?token=(\S+)", self.log)
        if found is not None:
            self.http.headers["authorization"] = f"Bearer {found[1]}"

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        with contextlib.suppress(httpx.TransportError):
            return self.http.get(f"{self.url}/healthz").text == "ok"
        return False

    def kill(self) -> None:
        """SIGKILL: no goodbye of any kind."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(15)

    def close(self) -> None:
        self.stop()
        self.http.close()

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(f"{self.url}{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.http.post(f"{self.url}{path}", json=body)

    def begin(self, **settings: float | str) -> dict[str, Any]:
        """Start experiment 1, as small as is asked for."""
        answer = self.post("/api/experiments", {"claim": 1, "settings": settings})
        assert answer.status_code == 201, answer.text
        experiment: dict[str, Any] = answer.json()
        return experiment

    def run(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/runs/{id}")
        return found

    def wait_status(self, id: str, *wanted: str, timeout: float = 30.0) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            run = self.run(id)
            if run["status"] in ENDED and run["status"] not in wanted:
                pytest.fail(f"the run is {run['status']} ({run['error']}), not {wanted}")
            return run if run["status"] in wanted else None

        found = wait_for(look, f"run {id} to be {wanted}", timeout)
        assert found is not None
        return found

    def wait_step(self, id: str, step: int, timeout: float = 30.0) -> None:
        wait_for(lambda: self.run(id)["last_step"] >= step, f"run {id} to reach step {step}", timeout)


@pytest.fixture(autouse=True)
def unsent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's runs put what they cannot send."""
    monkeypatch.setenv("NORMSCOPE_UNSENT", str(tmp_path / "unsent"))
    return tmp_path / "unsent"


@pytest.fixture(autouse=True)
def _closed_sockets() -> Iterator[None]:
    yield
    SOCKETS.close()


@contextlib.contextmanager
def serving(data: Path, *flags: str) -> Iterator[Server]:
    """A server, and afterwards neither it nor any training process that it started, however the test went."""
    one = Server(data, flags=flags)
    one.start()
    one.come_as_owner()
    try:
        yield one
    finally:
        try:
            _end_runs(one)
        finally:
            one.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    with serving(tmp_path / "data") as one:
        yield one


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a module."""
    with serving(tmp_path_factory.mktemp("server") / "data") as one:
        yield one


@pytest.fixture(scope="module")
def _again(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("again") / "data") as one:
        yield one


@pytest.fixture
def emptied_server(_again: Server) -> Iterator[Server]:
    """A server on which nothing is listed and nothing runs; it may be stopped and killed.

    What tests of a module before this one had on it has been deleted, and is in its database for as long as that is.
    """
    yield _again
    _end_runs(_again)
    for experiment in _again.get("/api/experiments")["experiments"]:
        assert _again.http.delete(f"{_again.url}/api/experiments/{experiment['id']}").status_code == 204


def _end_runs(one: Server) -> None:
    assert one.process is not None
    if one.process.poll() is not None:
        one.start()
    for experiment in one.get("/api/experiments")["experiments"]:
        if any(run["status"] not in ENDED for run in experiment["runs"]):
            one.post(f"/api/experiments/{experiment['id']}/stop")
    wait_for(
        lambda: all(
            r["status"] in (*ENDED, "lost") for e in one.get("/api/experiments")["experiments"] for r in e["runs"]
        ),
        "all runs to end",
    )
    wait_for(lambda: not _trainers(one), "all training processes to leave")


def _trainers(one: Server) -> list[psutil.Process]:
    assert one.process is not None
    found = psutil.Process(one.process.pid).children(recursive=True)
    return [p for p in found if _is_trainer(p, one.process.pid)]


def _is_trainer(process: psutil.Process, server: int) -> bool:
    try:
        return process.ppid() != server and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A listener for what a training process sends."""
    from .peer import Peer

    one = Peer()
    one.start()
    yield one
    one.stop()
