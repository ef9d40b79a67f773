"""Runs as they stand in the store, asked for once for all who look."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from ..store import Run

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..store import Store

LOOK: Final = 2.0
"""Seconds after which the store is asked, where several servers are: what the bus had to say may have been lost."""
KEPT: Final = 1024
"""Runs that are remembered."""


class Lookout:
    """Where several servers are, news may be lost on the way: viewers look here when there has been none for a while.

    Args:
        store: The truth.
        shared: Whether there are other servers; if not, nothing is lost, and nobody needs to look.
    """

    def __init__(self, store: Store, *, shared: bool) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self._known: OrderedDict[str, tuple[float, Run]] = OrderedDict()
        self.patience: float | None = LOOK if shared else None
        """Seconds without news after which to look."""

    async def runs(self, ids: Collection[str]) -> list[Run]:
        """Runs as they were at most `LOOK` seconds ago."""
        async with self._lock:
            now = time.monotonic()
            old = [one for one in ids if one not in self._known or now - self._known[one][0] > LOOK / 2]
            for run in await self._store.find(Run, id=old) if old else ():
                self._known[run.id] = now, run
                self._known.move_to_end(run.id)
            found = [self._known[one][1] for one in ids if one in self._known]
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found
