"""A real Ray cluster of two CPUs on this machine, made for a module's tests and gone with them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from .conftest import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Cluster:
    """Where its dashboard is, and the process that keeps the others."""

    address: str
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """What a launcher is opened with."""
        return f"ray:{self.address}"

    @property
    def trainers(self) -> list[psutil.Process]:
        """The training processes on it."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in found if _is_trainer(one)]

    def jobs(self) -> dict[str, str]:
        """The status of every job, by its submission id."""
        return {one["submission_id"]: one["status"] for one in httpx.get(f"{self.address}/api/jobs/").json()}


def _is_trainer(process: psutil.Process) -> bool:
    try:
        return "--from-environment" in process.cmdline()[-1:]
    except psutil.Error:
        return False


@contextlib.contextmanager
def started(**environment: str) -> Iterator[Cluster]:
    """A cluster; afterwards the one process that was started has ended all that it had started."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # not a test's own: sockets in it may have 107 characters
    port = free_port()
    command: list[str | Path] = [
        BIN / "ray", "start", "--head", "--block", "--num-cpus", "2", "--num-gpus", "0",
        "--node-ip-address", "127.0.0.1", "--port", str(free_port()), "--object-store-memory", str(80_000_000),
        "--include-dashboard", "true", "--dashboard-host", "127.0.0.1", "--dashboard-port", str(port),
        "--dashboard-agent-listen-port", "0", "--temp-dir", folder, "--disable-usage-stats",
    ]  # fmt: skip
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    unsent = {"NORMSCOPE_UNSENT": str(folder / "unsent")}
    with (folder / "start.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=os.environ | unsent | {"PATH": path} | environment, stdout=log, stderr=log
        )
    one = Cluster(f"http://127.0.0.1:{port}", process)
    try:
        wait_for(lambda: _answers(one), "Ray to answer", timeout=120)
        yield one
    finally:
        nodes = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(60)
        psutil.wait_procs(nodes, timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(one: Cluster) -> bool:
    assert one.process.poll() is None, "Ray has not started"
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{one.address}/api/jobs/").status_code == 200
    return False
