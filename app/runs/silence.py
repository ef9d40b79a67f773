"""Since when training processes are silent, by a clock that nobody sets: the one on the wall may be put right."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Set

    from ..settings import Settings
    from ..store import Going, Run

HEARD_EVERY: Final = 5.0
"""Seconds after which other servers are told that a silent training process is still connected here."""


class Silence:
    """Which training processes are connected here, and for how long nothing has been heard of the others.

    That one was seen stands in the store, for all servers that share it; each measures with its own clock for how long
    that has not changed, so clocks need not agree.
    """

    def __init__(self, settings: Settings) -> None:
        self._keepalive = settings.keepalive
        self._since: dict[str, tuple[float | None, float]] = {}
        self.connected: set[str] = set()
        """The runs whose training processes are connected here."""

    def enter(self, run: str) -> None:
        """Take note that a run's process is connected."""
        self.connected.add(run)

    def leave(self, run: str, *, silent: bool) -> None:
        """Take note that it is no longer; `silent` if it was cut off since it did not answer."""
        self.connected.discard(run)
        self._since[run] = None, time.monotonic() - 2 * self._keepalive * silent

    def of(self, run: Run | Going, now: float) -> float:
        """Seconds, at a time of the monotonic clock, for which nobody has written that a run was seen."""
        seen, since = self._since.get(run.id, (None, now))
        if seen is not None and seen != run.seen:
            since = now
        self._since[run.id] = run.seen, since
        return now - since

    def begin(self, run: Run | Going, now: float) -> None:
        """Count from now on: before, there was nobody to be heard of."""
        self._since[run.id] = run.seen, now

    def forget(self, active: Set[str]) -> None:
        """Drop what is known of other runs."""
        for run in self._since.keys() - active:
            del self._since[run]
