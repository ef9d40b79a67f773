"""Experiments and their runs: started, controlled, deleted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from normscope import catalogue
from normscope.errors import NormscopeError

from .. import limits
from ..access.tokens import digest, id_of, new_id, new_token
from ..store import Brief, ConflictError, Experiment, Link, Run, is_shared
from ..store.records import ACTIVE, ENDED
from .reasons import Reasons
from .silence import Silence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from normscope.spec import Spec

    from ..bus import Bus
    from ..launcher import Launcher
    from ..settings import Settings
    from ..store import Store
    from .alerts import Alerts
    from .duty import Duty


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
    _adopting: asyncio.Lock = field(default_factory=asyncio.Lock)
    silence: Silence = field(init=False)
    reasons: Reasons = field(init=False)

    def __post_init__(self) -> None:
        self.silence = Silence(self.settings)
        self.reasons = Reasons(self.launcher, self.bus, self.silence.connected)

    async def expect(self) -> None:
        """Someone may start an experiment soon: have what starts its runs ready, if they would be started from here."""
        if self.duty.held:
            await self.launcher.prepare()

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

    async def adopt(
        self, name: str, key: str, group: str | None = None, arm: str = "", sender: str | None = None
    ) -> Run:
        """A run for a training process that nobody started from here, in an experiment of its own, or of its group."""
        await self._check_room()
        experiment = Experiment(id_of(group) if group else new_id(), name, time.time())
        words = ", ".join(filter(None, (name, arm)))
        async with self._adopting:  # several of a group may come at once, and an impatient one twice
            for _ in range(2):  # or to two servers: what the other was quicker to make is there the second time
                if there := await self.store.find(Run, token_hash=digest(key), sender=sender):
                    return there[0]
                known = await self.store.get(Experiment, experiment.id) if group else None
                created = (known or experiment).created + 1e-6 * _number(arm)
                run = Run(
                    new_id(), experiment.id, words, digest(key), created, arm=arm, seen=time.time(), sender=sender
                )
                with contextlib.suppress(ConflictError):
                    await self.store.add(*([] if known else [experiment]), run)
                    await self._announce(run)
                    return run
        raise RefusedError("this run is another sender's")

    @property
    def shared(self) -> bool:
        """Whether other servers may use the same store."""
        return is_shared(self.settings.store_url)

    def _is_connected(self, run: Run) -> bool:
        """Whether a run's training process is connected, here or, as far as one can know, at another server."""
        if run.id in self.silence.connected:
            return True
        elsewhere = self.shared and run.status in ("running", "paused")
        return elsewhere and self.silence.of(run, time.monotonic()) < self.settings.lost_after

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
