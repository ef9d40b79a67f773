"""What a run's record says of its training process while that is connected."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from normscope.errors import WireError

from ..store import Run
from ..store.records import ENDED

if TYPE_CHECKING:
    from normscope import wire

    from ..runs.experiments import Experiments

_ALIVE: Final[dict[str, Any]] = {"status": "running", "error": None, "ended": None}


class Presence:
    """Says that a run's process is there.

    A run that has ended stays so until its process says something: a Hello may be an old one, that comes here only
    after the process has said its End to another server and is gone for good.

    Args:
        experiments: Where the record is.
        hello: How the process has introduced itself.
    """

    def __init__(self, experiments: Experiments, hello: wire.Hello) -> None:
        self._experiments = experiments
        self._hello = hello
        self._over = False

    async def begin(self, id: str) -> tuple[Run, Run]:
        """The run as it was, what older connections have committed meanwhile included, and as it is now."""
        layers = [{"name": x.name, "type": x.type, "kinds": list(x.kinds)} for x in self._hello.layers]
        while before := await self._experiments.store.get(Run, id):
            now = time.time()
            values = {"seen": now, "started": before.started or now, "versions": self._hello.versions, "layers": layers}
            self._over = before.status in ENDED
            values |= {} if self._over else _ALIVE
            as_read = {"status": before.status}  # it may end, or be called lost, at this moment
            run = await self._experiments.change(id, as_read, **values)
            if run is not None:
                if not self._over:
                    await self._experiments.alerts.regain(run)
                return before, run
        raise WireError("this run has been removed")

    async def heard(self, run: Run) -> Run:
        """The run, which goes on if it had ended, since its process has said something."""
        if self._over:
            self._over = False
            run = await self._experiments.change(run.id, **_ALIVE) or run
            await self._experiments.alerts.regain(run)
        return run
