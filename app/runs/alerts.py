"""What people are told of runs: kept with them, shown to whoever looks, and passed on."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, Field

from normscope.alerts import LOST, MOST
from normscope.errors import WireError

from ..store import Alert, ConflictError, Experiment, Run

if TYPE_CHECKING:
    from normscope import wire

    from ..bus import Bus
    from ..store import Store
    from .webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Alerts:
    """Takes what training processes say, and says itself what they cannot: that one is lost."""

    store: Store
    bus: Bus
    webhooks: Webhooks

    async def take(self, run: Run, said: wire.Alert, hello: wire.Hello) -> None:
        """Keep what a training process says. The same again changes nothing.

        Raises:
            WireError: If there are too many, or it is about a layer that the Hello did not name.
        """
        _check(said, hello)
        places = [[layer, kind, value if math.isfinite(value) else None] for layer, kind, value in said.places]
        alert = Alert(
            f"{run.id}-{said.number}", run.id, time.time(), said.rule, said.sentence, said.step, said.since, places,
            said.more, said.cleared,
        )  # fmt: skip
        known = await self.store.get(Alert, alert.id)
        if known is None:
            await self._begin(run, alert)
        elif known.cleared is None and said.cleared is not None:
            await self._end(run, known, said.cleared)

    async def lose(self, run: Run, sentence: str) -> None:
        """Say that a run's training process is lost, unless that has been said and it has not come back."""
        before = await self.store.find(Alert, run=run.id, rule=LOST)
        if all(alert.cleared is not None for alert in before):
            step = max(run.last_step, 0)
            name = f"{run.id}-{LOST}{len(before)}"
            await self._begin(run, Alert(name, run.id, time.time(), LOST, f"{LOST}: {sentence}", step, step))

    async def regain(self, run: Run) -> None:
        """The training process of a run is there."""
        for alert in await self.store.find(Alert, run=run.id, rule=LOST, cleared=None):
            await self._end(run, alert, max(run.last_step, 0))

    async def _begin(self, run: Run, alert: Alert) -> None:
        try:
            await self.store.add(alert)
        except ConflictError:  # said to two servers at once, by a process that has just gone from one to the other
            return
        await self._count(run)
        if alert.cleared is None:  # else it is old news
            await self._pass_on(run, alert)

    async def _end(self, run: Run, alert: Alert, step: int) -> None:
        over = await self.store.change(Alert, alert.id, cleared=step)
        await self._count(run)
        if over is not None:
            await self._pass_on(run, over)

    async def _count(self, run: Run) -> None:
        """Keep in the run how many there are, and tell those who watch it."""
        found = await self.store.find(Alert, run=run.id)
        lasting = sum(alert.cleared is None for alert in found)
        await self.store.change(Run, run.id, alerts=len(found), lasting=lasting)
        await self.bus.publish("run", run.id)

    async def _pass_on(self, run: Run, alert: Alert) -> None:
        if self.webhooks:
            experiment = await self.store.get(Experiment, run.experiment)
            self.webhooks.tell(run, "" if experiment is None else experiment.name, alert)


def _check(alert: wire.Alert, hello: wire.Hello) -> None:
    if alert.number >= MOST:
        raise WireError(f"alert {alert.number}: a run has at most {MOST:,}")
    known = {None, *(layer.name for layer in hello.layers)}
    if unknown := [place.layer for place in alert.places if place.layer not in known]:
        raise WireError(f"an alert about the layer {unknown[0]!r}, which the hello did not name")


class PlaceOut(BaseModel):
    """Where an alert is."""

    layer: str | None = Field(description="Null: what follows is a series.")
    kind: str
    value: float | None


class AlertOut(BaseModel):
    """What people were told of a run."""

    id: str
    created: float
    rule: str
    sentence: str
    step: int = Field(description="At which they were told.")
    since: int
    places: list[PlaceOut]
    more: int = Field(description="How many places more.")
    cleared: int | None = Field(description="The step at which it was over; null as long as it lasts.")

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """What may be shown of an alert."""
        places = [PlaceOut(layer=layer, kind=kind, value=value) for layer, kind, value in alert.places]
        return cls(**{name: getattr(alert, name) for name in cls.model_fields if name != "places"}, places=places)


class AlertsOut(BaseModel):
    """A run's alerts, oldest first."""

    alerts: list[AlertOut]
