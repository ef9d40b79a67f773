"""How many of each part a load takes, from what things cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    Costs = Mapping[str, float]

RATE: Final = 5.0
"""Captured steps of a run, and updates to a viewer, in a second."""
FULL: Final = 0.5
"""Share of a core, or of what a database can take, that is used: the rest is for bursts and for a neighbour's death."""
OFTEN: Final = 30.0
"""Seconds from one look into history to a viewer's next."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is of what."""

    name: str
    runs: int
    viewers: int


LOADS: Final = (
    Load("a course", 300, 300),
    Load("a lab", 1_000, 3_000),
    Load("a company", 10_000, 100_000),
    Load("as asked", 100_000, 1_000_000),
)


class Model:
    """The parts that something has to pass, and how many of each a load takes."""

    def __init__(self, costs: Costs) -> None:
        self.costs = costs

    def frames(self, load: Load) -> float:
        """A second."""
        return load.runs * RATE

    def taking(self, load: Load) -> float:
        """Cores of servers that take frames in."""
        return self.frames(load) * self.costs["postgresql_server_seconds_per_frame"] / FULL

    def showing(self, load: Load) -> float:
        """Cores of servers that send them to viewers."""
        return load.viewers * RATE * self.costs["server_seconds_per_delivery"] / FULL

    def answering(self, load: Load) -> float:
        """Cores of servers that answer questions after history."""
        return load.viewers / OFTEN * self.costs["server_seconds_per_answer"] / FULL

    def places(self, load: Load, servers: float, *, by_run: bool) -> float:
        """At how many servers a run is looked at, all runs together."""
        if by_run:
            return float(min(load.runs, load.viewers))
        each = load.viewers / load.runs
        return float(load.runs * servers * (1 - (1 - 1 / max(1.0, servers)) ** each))

    def reading(self, load: Load, servers: float, *, by_run: bool) -> float:
        """Cores of servers that read new frames, each once for all of its viewers."""
        words = self.places(load, servers, by_run=by_run) * RATE
        return words * self.costs["server_seconds_per_reading"] / FULL

    def hearing(self, load: Load) -> float:
        """The part of a core that each server takes to hear of every frame of every run, as all do."""
        return self.frames(load) * self.costs["server_seconds_per_word"]

    def servers(self, load: Load, *, by_run: bool) -> float:
        """Cores of servers in all, were each told only of the runs that are looked at there."""
        most = self.taking(load) + self.showing(load) + self.answering(load)
        return max(1.0, most + self.reading(load, max(1.0, most), by_run=by_run))

    def databases(self, load: Load) -> float:
        """As many as take the frames, each as fast as the one that was measured on two cores."""
        return self.frames(load) / (FULL * self.costs["postgresql_frames_per_second"])

    def reading_databases(self, load: Load, *, by_run: bool) -> float:
        """Cores of databases that are read from."""
        words = self.places(load, self.servers(load, by_run=by_run), by_run=by_run) * RATE
        return words * self.costs["postgresql_seconds_per_reading"] / FULL

    def speaking(self, load: Load, *, told_all: bool) -> float:
        """Cores of the bus: all words to all servers, or each where it is wanted."""
        servers = self.servers(load, by_run=True)
        words = self.frames(load) * servers if told_all else self.places(load, servers, by_run=True) * RATE
        return words * self.costs["bus_seconds_per_word"] / FULL
