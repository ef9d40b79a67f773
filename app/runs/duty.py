"""What one server at a time does of all that share a store: launching what waits, clearing away what is old."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from typing import TYPE_CHECKING, Final

from normscope.errors import NormscopeError

from ..access.tokens import new_id
from ..store import Lease

if TYPE_CHECKING:
    from ..store import Store

log = logging.getLogger("normscope.duty")

NAME: Final = "launch"
_BEAT: Final = 0.5
"""Seconds between two signs of life."""
_HELD: Final = 2.0
"""Seconds for which a sign of life lets its server go on; less than after how many another takes over."""
_SILENT: Final = 3.0
"""Seconds without one after which another server takes over."""


class Duty:
    """A lease that stands in the store, with a number that its holder counts up while it lives.

    Each server measures with its own clock for how long that number has stood still, so clocks need not agree. A server
    that has its store for itself is always on duty.
    """

    def __init__(self, store: Store, *, shared: bool) -> None:
        self._store = store
        self._shared = shared
        self._me = new_id()
        self._renewed = -math.inf
        self._seen: tuple[str, int] | None = None
        self._since = -math.inf
        self._taken = asyncio.Event()
        self.term = 0
        """Goes up whenever this server comes on duty."""

    @property
    def held(self) -> bool:
        """Whether it is for this server to do, now."""
        return not self._shared or time.monotonic() - self._renewed < _HELD

    async def wait(self) -> None:
        """Until it is for this server to do."""
        while not self.held:
            self._taken.clear()
            await self._taken.wait()

    async def serve(self) -> None:
        """Give signs of life, or wait for those of the holder to cease, for as long as this server lives."""
        while self._shared:
            with contextlib.suppress(NormscopeError):  # the store has told why: look again later
                await self._look()
            await asyncio.sleep(_BEAT)

    async def leave(self) -> None:
        """Let another take over at once."""
        if self._shared and self.held:
            self._renewed = -math.inf
            with contextlib.suppress(NormscopeError):
                await self._store.change(Lease, NAME, {"holder": self._me}, holder="")

    async def _look(self) -> None:
        now = time.monotonic()
        lease = await self._store.get(Lease, NAME)
        assert lease is not None, "a migration has made it"
        if (lease.holder, lease.beat) != self._seen:
            self._seen, self._since = (lease.holder, lease.beat), now
        if lease.holder not in (self._me, "") and now - self._since < _SILENT:
            return
        was = {"holder": lease.holder, "beat": lease.beat}
        if await self._store.change(Lease, NAME, was, holder=self._me, beat=lease.beat + 1) is None:
            return
        if not self.held:
            self.term += 1
            log.info("on duty: what waits is launched from here")
        self._renewed = now
        self._taken.set()
