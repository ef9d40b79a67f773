"""Runs looked after: processes that end, fall silent or do not stop; and what is old, cleared away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import shutil
import time
from typing import TYPE_CHECKING, Final

from normscope.errors import NormscopeError

from ..store import Brief, Experiment, Going, Run
from ..store.records import ACTIVE, ENDED
from .reasons import last_line
from .silence import HEARD_EVERY
from .thinning import thin

if TYPE_CHECKING:
    from ..launcher import Exit
    from .experiments import Experiments

log = logging.getLogger("normscope.supervision")

STOP_PATIENCE: Final = 5.0
"""Seconds that a run may take to stop by itself; then its process is asked to end, and after as long again made to."""
_GONE_AFTER: Final = 2.0
"""Seconds for which the last words of a process that is gone may still be on their way."""
_LOOK_EVERY: Final = 1.0
_CLEAR_EVERY: Final = 60.0


class Supervision:
    """Notices what becomes of training processes, and says so of their runs.

    Several servers may do it at once: whoever is first has changed the record, and the others see that it is not as
    they read it.
    """

    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments
        self._settings, self._store = experiments.settings, experiments.store
        self._stopping: dict[str, float] = {}

    async def watch_exits(self) -> None:
        """Notice, for as long as the server lives, how processes end that were started by launchers here."""
        launcher = self._experiments.launcher
        # Those of an earlier server's launcher: once asked about, their ends are told if they can be.
        with contextlib.suppress(NormscopeError):
            for run in await self._store.find(Going, status=ACTIVE):
                await launcher.alive(run.handle or "")
        async for exit_ in launcher.exits():
            await self._note(exit_)

    async def _note(self, exit_: Exit) -> None:
        """Take note of an end, as soon as the store can."""
        while True:
            try:
                # Its End was acknowledged before it left; if there was none, it died of something else.
                for run in await self._store.find(Run, handle=exit_.handle, status=ACTIVE):
                    if exit_.began or run.stop:
                        await self._bury(run, exit_.words)
                    else:  # back to its place
                        await self._experiments.change(run.id, status="waiting", handle=None)
                        await self._experiments.bus.publish("due", run.experiment)
            except NormscopeError:
                await asyncio.sleep(_LOOK_EVERY)
            else:
                return

    async def watch_over(self) -> None:
        """Notice, for as long as the server lives, runs that went silent or do not stop, and clear away the deleted."""
        cleared = -math.inf
        while True:
            await asyncio.sleep(self._look_every)
            try:
                active = await self._store.find(Going, status=ACTIVE)
                for run in active:
                    await self.look_after(run, time.monotonic())
                self._forget({run.id for run in active})
                if time.monotonic() - cleared > _CLEAR_EVERY and self._experiments.duty.held:
                    cleared = time.monotonic()
                    await self._remove_deleted(time.time())
                    await thin(self._store, self._settings, time.time())
            except NormscopeError:  # a full disk, say, of which the store has told: look again later
                continue

    async def look_after(self, run: Run | Going, now: float) -> None:
        """See what has become of an active run, at a time of the monotonic clock."""
        reason = await self._experiments.reasons.tell(run)
        silence = self._experiments.silence.of(run, now)
        if reason is not None:
            self._experiments.silence.begin(run, now)
        elif run.id not in self._experiments.silence.connected:
            await self._look_for(run, silence)
        elif self._experiments.shared and silence > min(HEARD_EVERY, self._settings.lost_after / 3):
            await self._store.change(Run, run.id, seen=time.time())
        if run.stop and run.handle is not None:
            since = now - self._stopping.setdefault(run.id, now)
            if since > STOP_PATIENCE or reason is not None:  # what has not begun cannot stop by itself
                await self._experiments.launcher.kill(run.handle, hard=since > 2 * STOP_PATIENCE)

    async def _look_for(self, run: Run | Going, silence: float) -> None:
        """Say what has become of a run that is not connected here."""
        alive = None if run.handle is None else await self._experiments.launcher.alive(run.handle)
        if alive is False and silence > _GONE_AFTER:
            whole = await self._store.get(Run, run.id)
            if whole is not None and whole.status == run.status:
                await self._bury(whole, None)
            return
        if silence <= self._settings.lost_after - self._look_every:
            return
        as_read = {"status": run.status, "seen": run.seen}  # it may just have come to another server
        if self._experiments.shared and run.stop and alive is None:  # nobody is there to obey
            await self._experiments.change(run.id, as_read, status="stopped", ended=time.time())
        elif run.status != "lost":
            lost = await self._experiments.change(run.id, as_read, status="lost")
            if lost is not None:
                words = f"the training process has not been heard of for {self._settings.lost_after:g} seconds"
                await self._experiments.alerts.lose(lost, words)

    async def _bury(self, run: Run, reason: str | None) -> None:
        """Call a run failed, or stopped if that was wanted, whose process has left without saying so."""
        as_read = {"status": run.status}  # its End may have come through another server
        if run.stop:
            await self._experiments.change(run.id, as_read, status="stopped", ended=time.time())
            return
        words = [reason or "the training process ended without a word"]
        last = last_line(self._experiments.folder(run.id) / "log.txt")
        if last:
            words.append(f"its last words: {last}")
        error = "; ".join(words)
        if await self._experiments.change(run.id, as_read, status="failed", error=error, ended=time.time()) is not None:
            await self._experiments.alerts.lose(run, f"the training process {reason or 'ended without a word'}")

    async def _remove_deleted(self, now: float) -> None:
        """Remove for good what was thrown away long enough ago and has ended."""
        for experiment in await self._store.find(Experiment):
            if experiment.deleted is None or now - experiment.deleted < 3600 * self._settings.keep_deleted:
                continue
            runs = await self._store.find(Brief, experiment=experiment.id)
            if any(run.status not in ENDED for run in runs):
                continue
            for run in runs:
                await asyncio.to_thread(shutil.rmtree, self._experiments.folder(run.id), ignore_errors=True)
            await self._store.remove(experiment.id)
            log.info("removed experiment %s, which had been deleted", experiment.id)

    @property
    def _look_every(self) -> float:
        return min(_LOOK_EVERY, self._settings.lost_after / 15)

    def _forget(self, active: set[str]) -> None:
        """Drop what is remembered of runs that have ended."""
        for run in self._stopping.keys() - active:
            del self._stopping[run]
        self._experiments.silence.forget(active)
        self._experiments.reasons.forget(active)
