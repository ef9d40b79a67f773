"""Updates on their way from a server through relays to viewers, simulated: how late each is.

Every process does one thing at a time, first come, first served, and needs a core while it does. What things cost is as
measured; the rest is arithmetic.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Work = tuple[float, Callable[[], None]]


@dataclass(frozen=True, slots=True)
class Level:
    """A row of processes that pass updates on.

    Attributes:
        each: To how many the process sends each update.
        seconds: Of a core that one such delivery takes.
    """

    each: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happens.

    Attributes:
        cores: That all processes share; None if each has one of its own.
        hop: Seconds from one process to the next, beside what they do.
        before: Seconds from the end of a step to the first process's turn.
        viewers: Seconds of a core that a viewer takes for an update, where one process is all of them; 0 if they are
            elsewhere.
    """

    cores: int | None = None
    hop: float = 0.0
    before: float = 0.0
    viewers: float = 0.0


class _Process:
    """Things to do, in order."""

    def __init__(self) -> None:
        self.waiting: deque[Work] = deque()
        self.listed = False
        """Whether it waits for a core or has one."""


@dataclass
class _Machine:
    """Cores, and the time."""

    cores: float
    now: float = 0.0
    _turn: itertools.count[int] = field(default_factory=itertools.count)
    _coming: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _ready: deque[_Process] = field(default_factory=deque)

    def at(self, time: float, what: Callable[[], None]) -> None:
        """Do something then."""
        heapq.heappush(self._coming, (time, next(self._turn), what))

    def give(self, process: _Process, work: Work) -> None:
        """Have a process do something after all that it has to do already."""
        process.waiting.append(work)
        self._list(process)

    def _list(self, process: _Process) -> None:
        if process.waiting and not process.listed:
            process.listed = True
            self._ready.append(process)
            self._begin()

    def _begin(self) -> None:
        while self._ready and self.cores > 0:
            self.cores -= 1
            process = self._ready.popleft()
            seconds, done = process.waiting.popleft()
            self.at(self.now + seconds, lambda process=process, done=done: self._end(process, done))  # type: ignore[misc]

    def _end(self, process: _Process, done: Callable[[], None]) -> None:
        self.cores += 1
        process.listed = False
        done()
        self._list(process)
        self._begin()

    def run(self) -> None:
        """Until nothing is left to do."""
        while self._coming:
            self.now, _, what = heapq.heappop(self._coming)
            what()


def delays(levels: Sequence[Level], place: Place, *, rate: float, updates: int, of: int = 1) -> list[float]:
    """Seconds from the end of a step until each viewer has its update.

    Args:
        levels: From the server down.
        place: Where.
        rate: Updates a second.
        updates: How many.
        of: Of so many processes below another one is followed further down: all are alike.
    """
    machine = _Machine(math.inf if place.cores is None else place.cores)
    chance = random.Random(0)
    found: list[float] = []
    crowd = _Process()

    def send(tree: _Tree, born: float) -> None:
        arrive = arrive_at_viewer if tree.last else arrive_at
        for child in tree.children:
            work = chance.expovariate(1 / tree.seconds), lambda child=child: arrive(child, born)
            machine.give(tree.process, work)

    def arrive_at(child: _Tree | None, born: float) -> None:
        if child is not None:
            machine.at(machine.now + place.hop, lambda: send(child, born))

    def arrive_at_viewer(_: _Tree | None, born: float) -> None:
        if place.viewers:
            machine.give(crowd, (place.viewers, lambda: found.append(machine.now - born)))
        else:
            found.append(machine.now + place.hop - born)

    root = _Tree(levels, of)
    for number in range(updates):
        born = number / rate
        machine.at(born + place.before, lambda born=born: send(root, born))  # type: ignore[misc]
    machine.run()
    return found


class _Tree:
    """A process and those that it sends to, which are None where they are viewers or not followed."""

    def __init__(self, levels: Sequence[Level], of: int) -> None:
        self.process = _Process()
        self.seconds = levels[0].seconds
        self.last = len(levels) == 1
        self.children: list[_Tree | None] = [
            None if self.last or place % of else _Tree(levels[1:], of) for place in range(levels[0].each)
        ]
