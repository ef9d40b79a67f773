"""Experiments and their runs: started, controlled, watched over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from normscope import catalogue
from normscope.errors import NormscopeError

from . import limits
from .reasons import Reasons, last_line
from .store import Brief, Experiment, Link, Run, is_shared
from .store.records import ACTIVE, ENDED
from .thinning import thin
from .tokens import digest, id_of, new_id, new_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from normscope.spec import Spec

    from .alerts import Alerts
    from .bus import Bus
    from .duty import Duty
    from .launcher import Exit, Launcher
    from .settings import Settings
    from .store import Store

log = logging.getLogger("normscope.experiments")

STOP_PATIENCE: Final = 5.0
"""Seconds that a run may take to stop by itself; then its process is asked to end, and after as long again made to."""
LOOK: Final = 2.0
"""Seconds after which the store is asked, where several servers are: what the bus had to say may have been lost."""
HEARD_EVERY: Final = 5.0
"""Seconds after which other servers are told that a silent training process is still connected here."""
_LOOK_EVERY: Final = 1.0
_CLEAR_EVERY: Final = 60.0


class RefusedError(NormscopeError):
    """A request that makes no sense in the run's present state; the message says why."""


@dataclass(slots=True)
class Experiments:
    """Everything that changes experiments and runs, except frames, which come in through `ingest`."""

    settings: Settings
    store: Store
    bus: Bus
    launcher: Launcher
    alerts: Alerts
    duty: Duty
    connected: set[str] = field(default_factory=set)
    """The runs whose training processes are connected here."""
    _heard: dict[str, tuple[float | None, float]] = field(default_factory=dict)
    """When each run was last seen, as the store has it, and since when that stands there. Like all that is waited for
    here, by a clock that nobody sets, and that other servers need not share: the one on the wall may be an hour off
    when it is put right."""
    _stopping: dict[str, float] = field(default_factory=dict)
    _adopting: asyncio.Lock = field(default_factory=asyncio.Lock)
    reasons: Reasons = field(init=False)

    def __post_init__(self) -> None:
        self.reasons = Reasons(self.launcher, self.bus, self.connected)

    async def start(
        self,
        number: int,
        settings: Mapping[str, object],
        arms: Sequence[str] | None = None,
        size: str | None = None,
        name: str | None = None,
    ) -> Experiment:
        """Make an experiment of a claim, whose runs wait for their turn. What is given wins over what a size says.

        Raises:
            ValueError: If the claim, the size, a setting or an arm is refused.
        """
        claim = catalogue.claim(number)
        whole, arms = claim.plan(settings, arms, size)
        specs = claim.specs(whole, arms)
        await self._check_room(len(specs))
        experiment = Experiment(new_id(), name or claim.title, time.time(), claim.number, dict(whole))
        runs = [_run(experiment, place, spec) for place, spec in enumerate(specs)]
        await self.store.add(experiment, *runs)
        await self._announce(*runs)
        await self.bus.publish("due", experiment.id)
        return experiment

    async def _check_room(self, runs: int = 0) -> None:
        """RefusedError if there are too many experiments, or too many runs that wait beside so many more."""
        if len(await self.store.find(Experiment, limit=limits.EXPERIMENTS)) >= limits.EXPERIMENTS:
            raise RefusedError(f"there are {limits.EXPERIMENTS:,} experiments, as many as are kept; delete some")
        if runs and len(await self.store.find(Brief, limit=limits.WAITING, status="waiting")) + runs > limits.WAITING:
            raise RefusedError(f"{limits.WAITING:,} runs wait for their turn, and no more can; let some end")

    async def delete(self, experiment: str) -> None:
        """Stop an experiment's runs and hide it; `restore` brings it back until it is removed for good."""
        await self.store.change(Experiment, experiment, deleted=time.time())
        await self.control_all(experiment, "stop")
        for link in await self.store.find(Link, experiment=experiment, revoked=None):
            await self.bus.publish("revoked", link.id)  # closes what it has opened

    async def remove_deleted(self, now: float) -> None:
        """Remove for good what was thrown away long enough ago and has ended."""
        for experiment in await self.store.find(Experiment):
            if experiment.deleted is None or now - experiment.deleted < 3600 * self.settings.keep_deleted:
                continue
            runs = await self.store.find(Brief, experiment=experiment.id)
            if any(run.status not in ENDED for run in runs):
                continue
            for run in runs:
                await asyncio.to_thread(shutil.rmtree, self.folder(run.id), ignore_errors=True)
            await self.store.remove(experiment.id)
            log.info("removed experiment %s, which had been deleted", experiment.id)

    async def adopt(
        self, name: str, key: str, group: str | None = None, arm: str = "", sender: str | None = None
    ) -> Run:
        """A run for a training process that nobody started from here, in an experiment of its own, or of its group."""
        await self._check_room()
        experiment = Experiment(id_of(group) if group else new_id(), name, time.time())
        words = ", ".join(filter(None, (name, arm)))
        async with self._adopting:  # several of a group may come at once
            known = await self.store.get(Experiment, experiment.id) if group else None
            created = (known or experiment).created + 1e-6 * _number(arm)
            run = Run(new_id(), experiment.id, words, digest(key), created, arm=arm, seen=time.time(), sender=sender)
            await self.store.add(*([] if known else [experiment]), run)
        await self._announce(run)
        return run

    def leave(self, run: str, *, silent: bool) -> None:
        """Take note that a run's process is connected no longer; `silent` if it was cut off since it did not answer."""
        self.connected.discard(run)
        self._heard[run] = None, time.monotonic() - 2 * self.settings.keepalive * silent

    def _silence(self, run: Run) -> float:
        """Seconds for which nobody has written that a run was seen."""
        now = time.monotonic()
        seen, since = self._heard.get(run.id, (None, now))
        if seen is not None and seen != run.seen:
            since = now
        self._heard[run.id] = run.seen, since
        return now - since

    @property
    def shared(self) -> bool:
        """Whether other servers may use the same store."""
        return is_shared(self.settings.store_url)

    def _is_connected(self, run: Run) -> bool:
        """Whether a run's training process is connected, here or, as far as one can know, at another server."""
        if run.id in self.connected:
            return True
        elsewhere = self.shared and run.status in ("running", "paused")
        return elsewhere and self._silence(run) < self.settings.lost_after

    def folder(self, run: str) -> Path:
        """Where a run's log and checkpoint are."""
        return self.settings.data.absolute() / "runs" / run

    async def change(self, run: str, given: Mapping[str, Any] | None = None, **values: Any) -> Run | None:
        """Set fields of a run, if `given` ones have these values, and tell those who watch it."""
        changed = await self.store.change(Run, run, given, **values)
        if changed is not None:
            await self._announce(changed)
            if values.get("status") in ENDED:
                await self.bus.publish("due", changed.experiment)
        return changed

    async def _announce(self, *runs: Run) -> None:
        for run in runs:
            await self.bus.publish("run", run.id)

    async def control(self, run: Run, action: str, value: float | None = None) -> Run:
        """Note what a person wants, and tell the training process if it is there.

        Raises:
            RefusedError: If the run has ended.
        """
        if run.status in ENDED:
            raise RefusedError(f"the run is {run.status}: there is nothing left to {action}")
        choices: dict[str, dict[str, Any]] = {
            "pause": {"paused": True},
            "resume": {"paused": False},
            "step": {"paused": True, "singles": run.singles + 1},
            "stop": {"stop": True},
            "pace": {"pace": value},
        }
        wanted = choices[action]
        if action == "stop" and run.status == "waiting":
            stopped = await self.change(run.id, {"status": "waiting"}, **wanted, status="stopped", ended=time.time())
            if stopped is not None:
                return stopped
            # Its turn has come meanwhile.
        launching = bool(run.spec) and run.status in ("waiting", "starting")  # it is told as soon as it is there
        if action == "stop" and not launching and run.handle is None and not self._is_connected(run):
            # Nobody is there to obey. Should the process come back, it is told, and may hand over what it has.
            wanted |= {"status": "stopped", "ended": time.time()}
        changed = await self.change(run.id, **wanted)
        assert changed is not None
        await self.bus.publish("control", run.id, json.dumps({"action": action, "value": value}))
        return changed

    async def control_all(self, experiment: str, action: str) -> None:
        """The same for all runs of an experiment that have not ended, those that wait first, so that none slips by."""
        for states in (("waiting",), ACTIVE):
            runs = await self.store.find(Run, experiment=experiment, status=states)
            await asyncio.gather(*(self.control(run, action) for run in runs))

    async def watch_exits(self) -> None:
        """Notice, for as long as the server lives, how processes started here end."""
        with contextlib.suppress(
            NormscopeError
        ):  # of an earlier server's: once asked about, the end is told if it can be
            for run in await self.store.find(Run, status=ACTIVE):
                await self.launcher.alive(run.handle or "")
        async for exit_ in self.launcher.exits():
            await self._note_exit(exit_)

    async def _note_exit(self, exit_: Exit) -> None:
        """Take note of one, as soon as the store can."""
        while True:
            try:
                # Its End was acknowledged before it left; if there was none, it died of something else.
                for run in await self.store.find(Run, handle=exit_.handle, status=ACTIVE):
                    if exit_.began or run.stop:
                        await self._bury(run, exit_.words)
                    else:  # back to its place
                        await self.change(run.id, status="waiting", handle=None)
                        await self.bus.publish("due", run.experiment)
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
                active = await self.store.find(Run, status=ACTIVE)
                for run in active:
                    await self._look_after(run)
                self._forget({run.id for run in active})
                if time.monotonic() - cleared > _CLEAR_EVERY and self.duty.held:
                    cleared = time.monotonic()
                    await self.remove_deleted(time.time())
                    await thin(self.store, self.settings, time.time())
            except NormscopeError:  # a full disk, say, of which the store has told: look again later
                continue

    async def _look_after(self, run: Run) -> None:
        reason = await self.reasons.tell(run)
        silence, lost_after = self._silence(run), self.settings.lost_after - self._look_every
        if reason is not None:
            self._heard[run.id] = run.seen, time.monotonic()  # its silence begins when it does
        elif run.id in self.connected:
            if self.shared and silence > min(HEARD_EVERY, lost_after / 3):
                await self.store.change(Run, run.id, seen=time.time())
        else:
            alive = None if run.handle is None else await self.launcher.alive(run.handle)
            as_read = {"status": run.status, "seen": run.seen}  # it may just have come to another server
            if alive is False and silence > 2:
                await self._bury(run, None)
            elif self.shared and run.stop and alive is None and silence > lost_after:
                await self.change(run.id, as_read, status="stopped", ended=time.time())  # nobody is there to obey
            elif (
                run.status != "lost" and silence > lost_after
                # Another server may be quicker: it is one of them that tells people.
                and await self.change(run.id, as_read, status="lost") is not None
            ):  # fmt: skip
                words = f"the training process has not been heard of for {self.settings.lost_after:g} seconds"
                await self.alerts.lose(run, words)
        if run.stop and run.handle is not None:
            now = time.monotonic()
            since = now - self._stopping.setdefault(run.id, now)
            if since > STOP_PATIENCE or reason is not None:  # what has not begun cannot stop by itself
                await self.launcher.kill(run.handle, hard=since > 2 * STOP_PATIENCE)

    @property
    def _look_every(self) -> float:
        return min(_LOOK_EVERY, self.settings.lost_after / 15)

    def _forget(self, active: set[str]) -> None:
        """Drop what is remembered of runs that have ended."""
        for run in self._heard.keys() - active:
            del self._heard[run]
        for run in self._stopping.keys() - active:
            del self._stopping[run]
        self.reasons.forget(active)

    async def _bury(self, run: Run, reason: str | None) -> None:
        """Call a run failed, or stopped if that was wanted, whose process has left without saying so."""
        words = [reason or "the training process ended without a word"]
        last = last_line(self.folder(run.id) / "log.txt")
        if last:
            words.append(f"its last words: {last}")
        as_read = {"status": run.status}  # its End may have come through another server
        if run.stop:
            await self.change(run.id, as_read, status="stopped", ended=time.time())
        else:
            failed = await self.change(run.id, as_read, status="failed", error="; ".join(words), ended=time.time())
            if failed is not None:
                await self.alerts.lose(run, f"the training process {reason or 'ended without a word'}")


def _run(experiment: Experiment, place: int, spec: Spec) -> Run:
    """A run that waits; nobody knows the token behind its hash, the one that opens it is made when it is launched."""
    words = [spec.arm, *(f"{name.replace('_', ' ')} {value:g}" for name, value in spec.conditions.items())]
    if experiment.settings["seeds"] > 1:
        words.append(f"seed {spec.seed}")
    created = experiment.created + 1e-6 * place  # apart, so that they stay in order
    return Run(
        new_id(), experiment.id, ", ".join(words), digest(new_token()), created, arm=spec.arm, seed=spec.seed,
        spec=json.loads(spec.dump()), status="waiting", steps=spec.steps, pace=experiment.settings["pace"] or None,
    )  # fmt: skip


def _number(arm: str) -> int:
    """What an arm's name ends in: ranks are to stand in their order, whichever comes first."""
    last = arm.rpartition(" ")[2]
    return int(last) if last.isdecimal() and len(last) < 7 else 0
