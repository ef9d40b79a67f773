"""What people want of a run, passed on to its training process for as long as that is connected."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from normscope import wire

from ..store import Run
from .silence import HEARD_EVERY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..bus import Subscription
    from .experiments import Experiments

VIEWED: Final = 12.0
"""Seconds for which training processes are told that someone looks; said again well before."""


class Wishes:
    """Tells a training process what has changed about its record since it was told last.

    Args:
        experiments: Where the record is.
        run: The record as the Welcome told it.
        due: Single steps that were asked for before there was a process.
        send: Sends a message.
    """

    def __init__(
        self, experiments: Experiments, run: Run, due: int, send: Callable[[wire.Message], Awaitable[None]]
    ) -> None:
        self._experiments = experiments
        self._told = run
        self._due = due
        self._send = send

    async def tell(self, subscription: Subscription) -> None:
        """Pass on what people want. It stands in the store too, for when this socket is gone, or the news was lost."""
        for _ in range(self._due):
            await self._send(wire.Control("step"))
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARD_EVERY if self._experiments.shared else None):
                    await subscription.get()
            run = await self._experiments.store.get(Run, self._told.id)
            if run is None:
                return
            for control in controls(self._told, run):
                await self._send(control)
            self._told = run

    async def tell_viewed(self, subscription: Subscription) -> None:
        """Pass on that someone looks; once in a while, however many they are."""
        while True:
            await subscription.get()
            await self._send(wire.Viewed(VIEWED))
            await asyncio.sleep(VIEWED / 4)


def controls(told: Run, run: Run) -> list[wire.Control]:
    """What brings a training process from where it was told to be to where its record says it should be."""
    if run.stop:
        return [] if told.stop else [wire.Control("stop")]
    found = [wire.Control("step")] * (run.singles - told.singles)  # after each of them it is held
    held = told.paused or bool(found)
    if run.pace != told.pace:
        found.append(wire.Control("pace", run.pace))
    if run.paused != held:
        found.append(wire.Control("pause" if run.paused else "resume"))
    return found
