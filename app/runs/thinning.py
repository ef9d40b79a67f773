"""Old runs keep fewer frames: every step for some days, then one in so many, which stands for all of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from normscope.wire import MERGE

from ..store import Run
from ..store.levels import MADE, keep_made
from ..store.records import ENDED

if TYPE_CHECKING:
    from ..settings import Settings
    from ..store import Store

log = logging.getLogger("normscope.thinning")

DAY: Final = 86_400.0


async def thin(store: Store, settings: Settings, now: float) -> list[str]:
    """Thin the experiments all of whose runs have ended long enough ago; their ids.

    What is removed is what a coarser block stands for, so that queries go on to answer, from that.
    """
    if settings.keep_steps is None:
        return []
    grid = MERGE**settings.then_level
    runs: dict[str, list[Run]] = {}
    for run in await store.find(Run):
        runs.setdefault(run.experiment, []).append(run)
    before = now - DAY * settings.keep_steps
    old = [
        experiment
        for experiment, those in runs.items()
        if all(run.status in ENDED and (run.ended or now) < before for run in those)
        and any(run.thinned < grid and run.last_seq + 1 >= grid for run in those)
    ]
    for experiment in old:
        if settings.then_level == MADE:
            for run in runs[experiment]:
                await keep_made(store, run)
        await store.remove(experiment, finer_than=settings.then_level)
        for run in runs[experiment]:  # last: what breaks off before is done again
            await store.change(Run, run.id, thinned=max(run.thinned, grid))
        log.info("thinned experiment %s to one frame in %d", experiment, grid)
    return old
