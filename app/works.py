"""What goes on in the background for as long as the server does."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

log = logging.getLogger("normscope")

AGAIN: Final = 1.0
"""Seconds after which a work that has failed is begun anew; twice as many each time that it fails again soon."""
AT_MOST: Final = 16.0
"""Seconds that it waits at most."""
REMEMBERED: Final = 30.0
"""Seconds for which its server is not ready."""


class Works:
    """Works without an end; one that fails is begun anew, and said to have failed."""

    def __init__(self, works: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]) -> None:
        self._failed: dict[str, tuple[float, str]] = {}
        self._tasks = [asyncio.create_task(self._keep(name, work), name=name) for name, work in works.items()]

    async def _keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        pause = AGAIN
        while True:
            began = time.monotonic()
            try:
                return await work()
            except Exception as error:  # whatever it is: without its works a server only seems to be well
                self._failed[name] = time.monotonic(), f"{type(error).__name__}: {error}"
                log.exception("%s has failed, and is begun anew", name)
                pause = min(2 * pause, AT_MOST) if time.monotonic() - began < REMEMBERED else AGAIN
                await asyncio.sleep(pause)

    @property
    def trouble(self) -> str:
        """What has failed lately, and why, in a sentence; empty if nothing has."""
        since = time.monotonic() - REMEMBERED
        lately = [f"{name} has failed ({why})" for name, (at, why) in self._failed.items() if at > since]
        return "; ".join(lately)

    async def close(self) -> None:
        """End them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
