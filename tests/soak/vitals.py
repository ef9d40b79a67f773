"""How a server fares: its memory, what it has open, how soon it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import psutil

from benchmarks.table import quantile

from ..conftest import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..conftest import Server

ASKED: Final = 60
"""How often a server is asked for its experiments, to see how soon it answers."""
MB: Final = 1 << 20


@dataclass(frozen=True)
class Vitals:
    """A server at a moment.

    Attributes:
        memory: Resident, in MB.
        launcher: The same of the processes that it keeps beside, from which runs are forked.
        files: Open file handles.
        threads: How many.
        delays: Seconds until it answered.
    """

    memory: float
    launcher: float
    files: int
    threads: int
    delays: tuple[float, ...] = ()

    def milliseconds(self, share: float) -> float:
        """Within which this share of the answers came."""
        return 1000 * quantile(self.delays, share)

    def heard(self, delays: Sequence[float]) -> Vitals:
        """The same with other delays: those of frames, say."""
        return replace(self, delays=tuple(delays))


def examine(server: Server) -> Vitals:
    """Look at a server, and ask it for its experiments some times."""
    delays = []
    for _ in range(ASKED):
        began = time.perf_counter()
        server.get("/api/experiments")
        delays.append(time.perf_counter() - began)
    return measure(server).heard(delays)


def measure(server: Server) -> Vitals:
    """Look at a server without asking it anything."""
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    beside = sum(child.memory_info().rss for child in process.children())
    return Vitals(process.memory_info().rss / MB, beside / MB, process.num_fds(), process.num_threads())


def settle(server: Server) -> None:
    """Wait until nobody is connected to a server any more."""

    def nobody() -> bool:
        text = server.http.get(f"{server.url}/metrics").text
        return all(f"normscope_{who} 0.0" in text for who in ("trainers", "viewers"))

    wait_for(nobody, "all to leave")
