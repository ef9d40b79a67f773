"""How much of a processor's time others take."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from typing import Self


class Meter:
    """Seconds of a processor that a process and those it has made take while this is open.

    Those that had been there before it was opened count from then on; what makes no others is not asked for them.

    Args:
        pid: The process.
        family: Whether those that it has made count, too.
    """

    def __init__(self, pid: int, *, family: bool = False) -> None:
        self._process = psutil.Process(pid)
        self._family = family
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self.seconds = -self._taken()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += self._taken()

    def _taken(self) -> float:
        times = self._process.cpu_times()
        taken = times.user + times.system
        if self._family:
            taken += times.children_user + times.children_system
            for child in self._process.children():
                with contextlib.suppress(psutil.NoSuchProcess):  # then it counts among those that have ended
                    its = child.cpu_times()
                    taken += its.user + its.system
        return float(taken)

    @property
    def memory(self) -> int:
        """Bytes that the process alone holds."""
        return int(self._process.memory_info().rss)
