"""The processes that faults are injected into, and those that must not be left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import psutil

from ..conftest import HOUSE, Server, wait_for
from .stream import COUNT, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK: Final = "NORMSCOPE_TEST_MARK"
"""An environment variable by which descendants are found, whoever has adopted them."""


def marked(mark: str) -> list[psutil.Process]:
    """The living processes that have this mark."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@dataclass
class Sending:
    """What sends a run from a process of its own, and keeps a log."""

    name: str
    url: str
    folder: Path

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def log(self) -> str:
        """What it has told its user."""
        return self._log.read_text()


@dataclass
class Training(Sending):
    """A user's own loop, `training.py`, with its courier in a session of its own."""

    steps: int = 100_000
    pace: float = 100
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        environment = os.environ | {"NORMSCOPE_URL": self.url, MARK: self.name, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.faults.training", self.name, str(self.steps), str(self.pace)]
        with self._said.open("wb") as said, self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=HOUSE, env=environment, stdout=said, stderr=log, start_new_session=True
            )

    @property
    def _said(self) -> Path:
        return self.folder / f"{self.name}.steps"

    @property
    def last(self) -> int:
        """The last step that it has said to have made."""
        *_, last = ["-1", *self._said.read_text().split("\n")[:-1]]
        return int(last)

    def run(self, server: Server) -> str:
        """What the server calls the run, once it is there."""

        def look() -> str | None:
            runs = [run for e in server.get("/api/experiments")["experiments"] for run in e["runs"]]
            return next((run["id"] for run in runs if run["name"] == self.name), None)

        found = wait_for(look, f"{self.name} to be watched", 60)
        assert found is not None
        return found

    def signal_all(self, number: int) -> None:
        """Send a signal to the loop and to its courier, as a machine that falls asleep stops them both."""
        os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Whatever is left of it."""
        for process in marked(self.name):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


@contextlib.contextmanager
def training(
    server: Server, folder: Path, name: str, *, pace: float = 100, url: str | None = None
) -> Iterator[Training]:
    """A user's loop, which is gone afterwards."""
    one = Training(name, url or server.url, folder, pace=pace)
    try:
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            one.signal_all(signal.SIGCONT)
        one.end()


@dataclass
class Stream(Sending):
    """A run that `stream.py` delivers."""

    rate: float
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "tests.faults.stream", self.url, self.name]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([*command, str(self.rate), str(self.folder)], cwd=HOUSE, stderr=log)

    @property
    def acknowledged(self) -> int:
        """How many frames the server has acknowledged."""
        return self._count(0)

    @property
    def put(self) -> int:
        """How many frames it has made."""
        return self._count(1)

    def _count(self, which: int) -> int:
        path = self.folder / f"{self.name}.count"
        data = path.read_bytes() if path.exists() else b""
        return int(COUNT.unpack(data)[which]) if len(data) == COUNT.size else 0

    def finish(self) -> None:
        """Let it come to its end, with all of its frames acknowledged."""
        self.process.terminate()
        assert self.process.wait(PATIENCE + 10) == 0, self.log

    def end(self) -> None:
        """Whatever is left of it."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def streams(url: str, folder: Path, count: int, rate: float = 100) -> Iterator[list[Stream]]:
    """Some runs, which are gone afterwards."""
    some = [Stream(f"stream {i}", url, folder, rate) for i in range(count)]
    try:
        yield some
    finally:
        for one in some:
            one.end()
