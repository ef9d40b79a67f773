"""A bare starlette broadcaster as a process of its own: the least that can take a server's place."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field

from tests.conftest import HOUSE, free_port, wait_for


@dataclass
class Bare:
    """See `broadcaster.py`, also for what its environment may say."""

    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to listen."""
        command = [
            sys.executable, "-m", "uvicorn", "benchmarks.broadcaster:app", "--port", str(self.port),
            "--ws", "websockets-sansio", "--log-level", "error",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, cwd=HOUSE, env=os.environ | self.environment)
        wait_for(self._listens, "the broadcaster")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it, if it is there."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
