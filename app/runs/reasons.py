"""Why runs have not begun, in words: whose turn it is, or where the launcher has them queued. Nobody keeps it.

And the last words of those that have failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set
    from pathlib import Path

    from ..bus import Bus
    from ..launcher import Launcher
    from ..store import Going, Run


@dataclass(slots=True)
class Reasons:
    """Asks the launcher, and tells those who look at a run when the answer has changed."""

    launcher: Launcher
    bus: Bus
    connected: Set[str]
    """The runs whose training processes are there."""
    _told: dict[str, str] = field(default_factory=dict)

    def of(self, run: Run | Going) -> str | None:
        """Why a run has not begun; None once it has, or has ended."""
        if run.status == "waiting":
            return self.launcher.why(None) or "it waits for its turn: its experiment trains only so many nets at once"
        if run.status != "starting" or run.handle is None or run.id in self.connected:
            return None
        return self.launcher.why(run.handle)

    async def tell(self, run: Run | Going) -> str | None:
        """The same, said to its viewers if it is new to them."""
        reason = self.of(run)
        if reason != self._told.get(run.id):
            if reason is None:
                del self._told[run.id]
            else:
                self._told[run.id] = reason
            await self.bus.publish("run", run.id)
        return reason

    def forget(self, active: Set[str]) -> None:
        """Drop what was told of other runs."""
        for run in self._told.keys() - active:
            del self._told[run]


def last_line(path: Path) -> str | None:
    """The last line of a log that says anything, at most 300 characters of it."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return None
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), None)
