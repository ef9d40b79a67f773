"""Networks that fail between training processes and their server."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from typing import TYPE_CHECKING, Final

from ..conftest import serving
from ..faults.network import FAULTS, Network
from ..faults.processes import training
from ..faults.stream import PATIENCE
from .found import Found
from .trainers import compare, leave
from .vitals import examine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOPS: Final = 3
PACE: Final = 50
"""Steps a second of a loop, each of which is looked at."""
SECONDS: Final = (1.0, 6.0)
"""How long a fault lasts, at least and at most."""
LEAST: Final = 0.5
"""Of the steps that a loop makes in such a time, the share it has to make meanwhile; were it to wait, it made none."""


def lines(folder: Path, times: float, tell: Callable[[str], None]) -> Found:
    """One fault after the other, on the way of some loops to their server."""
    found, chance = Found(), random.Random(0)
    with (
        serving(folder / "data") as server, Network(server.port) as network, contextlib.ExitStack() as stack,
    ):  # fmt: skip
        names = [f"far {i}" for i in range(LOOPS)]
        loops = [stack.enter_context(training(server, folder, name, pace=PACE, url=network.url)) for name in names]
        runs = {loop.run(server): loop for loop in loops}
        for run in runs:
            server.wait_step(run, PACE)
        found.before = examine(server)
        while found.times < times:
            name = [*FAULTS][found.times % len(FAULTS)]
            first, seconds = [loop.last for loop in loops], chance.uniform(*SECONDS)
            FAULTS[name](network)
            time.sleep(seconds)
            hit = network.hit
            network.heal()
            found.times += 1
            found.expect(hit > 0, f"nothing met a line that is {name}")
            made = [loop.last - last for loop, last in zip(loops, first, strict=True)]
            found.expect(min(made) >= LEAST * PACE * seconds, f"training waited for a line that is {name}")
            for run, loop in runs.items():
                server.wait_step(run, loop.last, PATIENCE)
                found.expect(server.run(run)["status"] == "running", f"{loop.name} was given up on")
            tell(f"{found.times} of {times:g}: {name} for {seconds:.1f} s")
        found.after = examine(server)
        leave(loops, signal.SIGTERM)
        compare(found, server, loops)
    found.judge()
    found.checked = (
        f"the lines of {LOOPS} loops that make {PACE} steps a second are {', '.join(FAULTS)} in turn, for "
        f"{SECONDS[0]:g} to {SECONDS[1]:g} s each: training goes on, each time all of its steps are there "
        "afterwards, in the end each once"
    )
    return found
