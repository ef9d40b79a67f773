"""What several ranks saw of the same steps, until all have said what they have to say of one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENT: Final = 5.0
"""Seconds after which others no longer wait for a rank: one that has not joined, or is not heard of."""
_BLIND: Final = 32
"""Steps in a row that a rank lets pass without a look, after which others no longer wait for its looks either."""


class Parts:
    """Encoded frames of one step each, by step and rank.

    A step is whole when every rank that is there has given its part. One that a rank has passed without a look, while
    others looked, is left out: it would show another mini-batch than its neighbours do.

    Args:
        count: How many ranks there are.
        now: Seconds on any clock that runs evenly; all times here are on it.

    Attributes:
        size: Bytes that wait.
        passed: Steps that were left out because some rank did not look.
        missed: Of each rank that was not waited for any longer, in how many steps its part is missing.
        late: Parts that came when their step was over.
    """

    def __init__(self, count: int, now: float) -> None:
        self._steps: dict[int, dict[int, bytes]] = {}
        self._since: dict[int, float] = {}
        self._at = dict.fromkeys(range(count), 0)
        self._heard = dict.fromkeys(range(count), now)
        self._fed = dict.fromkeys(range(count), now)
        self._in_row = dict.fromkeys(range(count), 0)
        self._out: set[int] = set()
        self._done = -1
        self.size = self.passed = self.late = 0
        self.missed: dict[int, int] = {}

    def add(self, rank: int, step: int, data: bytes, now: float) -> None:
        """A rank has looked at a step; its parts come in order."""
        self._out.discard(rank)
        self._heard[rank] = self._fed[rank] = now
        self._at[rank] = max(self._at[rank], step)
        self._in_row[rank] = 0
        if step <= self._done:
            self.late += 1
            return
        if step not in self._steps:
            self._steps[step], self._since[step] = {}, now
        self._steps[step][rank] = data
        self.size += len(data)

    def reach(self, rank: int, step: int, now: float) -> None:
        """A rank has given all that it has of the steps before this one."""
        self._out.discard(rank)
        self._heard[rank] = now
        self._at[rank] = max(self._at[rank], step)

    def leave(self, rank: int) -> None:
        """A rank has gone; nobody need wait for it unless it comes back."""
        self._out.add(rank)

    def waits(self, rank: int | None = None) -> bool:
        """Whether there is any step that is not over; of a rank, one of which it has given its part."""
        return any(rank is None or rank in parts for parts in self._steps.values())

    def take(self, now: float, force: bool = False) -> Iterator[tuple[int, list[bytes]]]:
        """Steps that are whole, or need not be, with their parts in the order of ranks; oldest first.

        Args:
            now: The time.
            force: Whether to wait for nobody, because there is no room or no time.
        """
        while self._steps:
            step = min(self._steps)
            missing = [rank for rank in self._at if rank not in self._steps[step]]
            if not force and any(self._comes(rank, step, now) for rank in missing):
                return
            parts = self._steps.pop(step)
            del self._since[step]
            self.size -= sum(map(len, parts.values()))
            self._done = step
            if any(self._looks(rank, step, now) for rank in missing):
                self.passed += 1
                continue
            for rank in missing:
                self.missed[rank] = self.missed.get(rank, 0) + 1
                if not force:
                    self._out.add(rank)
            yield step, [parts[rank] for rank in sorted(parts)]

    def _comes(self, rank: int, step: int, now: float) -> bool:
        """Whether a rank's part of a step may still come."""
        if rank in self._out or self._at[rank] > step:
            return False
        return now - max(self._heard[rank], self._since[step]) <= SILENT

    def _looks(self, rank: int, step: int, now: float) -> bool:
        """Whether a rank that has passed this step without a look is one that does look at others."""
        if rank in self._out or self._at[rank] <= step:
            return False
        self._in_row[rank] += 1
        return self._in_row[rank] <= _BLIND or now - self._fed[rank] <= SILENT
