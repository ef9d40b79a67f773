"""Whose turn it is: an experiment's runs start in order, only so many of them at a time."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final

from normscope.errors import NormscopeError
from normscope.spec import Job, Spec

from ..access.tokens import digest, new_token
from ..launcher import LauncherError, UnreachableError
from ..store import Brief, Experiment, Run
from ..store.records import ACTIVE
from .lookout import LOOK

if TYPE_CHECKING:
    from ..bus import Subscription
    from .experiments import Experiments


_AGAIN: Final = 1.0
"""Seconds after which the queue goes on that the store has let down."""


class Queue:
    """Launches runs that wait: of each experiment the first, one at a time, experiments taking turns.

    What waits stands in the store; the bus says where a run may have its turn, as one was added or one has ended.
    """

    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments
        self._store = experiments.store

    async def serve(self) -> None:
        """Start runs, those left by an earlier server first, for as long as this one lives."""
        with self._experiments.bus.subscribe("due") as subscription:
            line: list[str] | None = None
            term = 0
            duty = self._experiments.duty
            while True:
                await duty.wait()
                try:
                    if line is None or term != duty.term:  # another may have died while launching
                        term, line = duty.term, await self._left()
                        if self._experiments.shared:  # pages are asked of the other servers too
                            await self._experiments.expect()
                    while line and duty.held:
                        if await self._start_next(line[0]):
                            line.append(line[0])  # there may be more, after the others' turn
                        del line[0]
                    if duty.held:
                        line = await self._next(subscription)
                except NormscopeError:  # a full disk, say, of which the store has told: look again later
                    await asyncio.sleep(_AGAIN)

    async def _next(self, subscription: Subscription) -> list[str]:
        """Where a run may have its turn now. Where several servers are, news may be lost: then the store is asked."""
        try:
            async with asyncio.timeout(LOOK if self._experiments.shared else None):
                return list(await subscription.get())
        except TimeoutError:
            return await self._waiting()

    async def _left(self) -> list[str]:
        """The experiments that have runs waiting, also ones that a server died while launching."""
        for run in await self._store.find(Run, status=("starting", "lost"), handle=None, started=None):
            if run.spec:  # it was to be started from here; had it a process, the old token opens nothing any more
                await self._experiments.change(run.id, status="waiting")
        return await self._waiting()

    async def _waiting(self) -> list[str]:
        return list(dict.fromkeys(run.experiment for run in await self._store.find(Brief, status="waiting")))

    async def _start_next(self, experiment: str) -> bool:
        """Start the experiment's first waiting run, if there is one and it is its turn."""
        waiting = await self._store.find(Run, 1, experiment=experiment, status="waiting")
        if not waiting:
            return False
        going = await self._store.find(Brief, experiment=experiment, status=ACTIVE)
        whole = await self._store.get(Experiment, experiment)
        assert whole is not None
        if len(going) >= whole.settings["parallel"]:
            return False
        await self._launch(waiting[0])
        return True

    async def _launch(self, run: Run) -> None:
        token, change = new_token(), self._experiments.change
        values = {"status": "starting", "token_hash": digest(token), "seen": time.time()}
        if await change(run.id, {"status": "waiting"}, **values) is None:
            return  # someone stopped it this very moment
        folder = str(self._experiments.folder(run.id))
        try:
            spec = Spec.load(json.dumps(run.spec))
        except (ValueError, TypeError) as error:  # others go on
            sentence = f"this server cannot read what is to be trained, which another version has written: {error}"
            await change(run.id, status="failed", error=sentence, ended=time.time())
            return
        job = Job(spec, run.name, self._experiments.settings.url_for_runs, token, folder)
        try:
            handle = await self._experiments.launcher.start(job)
        except UnreachableError:  # it keeps its place until there is something to start it
            back = await change(run.id, {"status": "starting"}, status="waiting")
            if back is not None and back.stop:
                await change(run.id, status="stopped", ended=time.time())
            raise
        except LauncherError as error:
            await change(run.id, status="failed", error=str(error), ended=time.time())
        else:
            if await change(run.id, {"token_hash": digest(token)}, handle=handle) is None:
                # Another server has launched it, taking this one for dead: it was too slow.
                await self._experiments.launcher.kill(handle, hard=True)
