"""What training pays while its server cannot be reached, or the line to it fails, and what is missing afterwards."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

import normscope
from normscope import wire
from tests.conftest import Server, wait_for
from tests.faults.database import copied, frames
from tests.faults.network import FAULTS, Network

from .table import likely, middle
from .watching import Loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from .table import Table

RATE: Final = 100
"""Steps a second of each net."""
LAYERS: Final = 20
BLOCK: Final = 10
"""Steps timed together; the two nets take turns."""
BEFORE: Final = 15
"""Seconds in which both servers are there."""
FAULT: Final = 20
"""Seconds for which a line fails."""
RECOVERY: Final = 6
"""Seconds in which it is well again."""
_WARM: Final = 8
"""Seconds in which two new servers' launchers import torch."""


def measure(table: Table, seconds: float) -> None:
    """Train two equal nets side by side, take the server of one away for so long, and bring it back.

    Args:
        table: Gets the rows.
        seconds: How long the server is away.
    """
    torch.set_num_threads(1)
    _lines(table)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        there, away = (Server(Path(folder) / name) for name in ("there", "away"))
        with serving(there), serving(away):
            time.sleep(_WARM)
            with watched(there.url, "there") as one, watched(away.url, "away") as other:
                pair(one, other, 2)
                before = pair(one, other, BEFORE)
                away.kill()
                during = pair(one, other, seconds)
                away.start()
                back = time.monotonic()
                run = next(run for e in away.get("/api/experiments")["experiments"] for run in e["runs"])["id"]
                wait_for(lambda: away.run(run)["last_step"] == other.step - 1, "all steps to be there", 600)
                behind = time.monotonic() - back
            with copied(away.data) as database:
                kept = Counter(wire.check(data).first_step for data in frames(database, "away"))
    table.add(
        f"step while the server is away for {seconds:g} s, × that of an equal net whose server is there "
        f"({RATE} steps/s × {LAYERS} layers each)",
        likely(during), "≤ 1.02",
        f"half of all blocks of {BLOCK} steps {middle(during)}; both servers there {likely(before)}",
    )  # fmt: skip
    table.add(
        f"frames lost and doubled by that, of {other.step:,}",
        f"{other.step - len(kept)} and {kept.total() - len(kept)}", "0 and 0",
        f"all committed {behind:.1f} s after the server was back",
    )  # fmt: skip


def _lines(table: Table) -> None:
    """Train two equal nets side by side while the line of one to its server fails, in one way after the other."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        well, ill = (Server(Path(folder) / name) for name in ("well", "ill"))
        with serving(well), serving(ill), Network(ill.port) as network:
            time.sleep(_WARM)
            with watched(well.url, "well") as one, watched(network.url, "ill") as other:
                pair(one, other, 2)
                sound = pair(one, other, FAULT)
                for name, begin in FAULTS.items():
                    begin(network)
                    during = pair(one, other, FAULT)
                    hit = network.hit
                    network.heal()
                    pair(one, other, RECOVERY)
                    table.add(
                        f"step while the line to the server fails for {FAULT:g} s ({name}), "
                        "× that of an equal net whose line is well",
                        likely(during), "≤ 1.02", f"{hit:,} connections and chunks hit; both well {likely(sound)}",
                    )  # fmt: skip
                run = next(run for e in ill.get("/api/experiments")["experiments"] for run in e["runs"])["id"]
                wait_for(lambda: ill.run(run)["last_step"] == other.step - 1, "all steps to be there", 120)
            with copied(ill.data) as database:
                kept = Counter(wire.check(data).first_step for data in frames(database, "ill"))
    table.add(
        f"frames lost and doubled by all of these, of {other.step:,}",
        f"{other.step - len(kept)} and {kept.total() - len(kept)}", "0 and 0",
    )  # fmt: skip


@contextlib.contextmanager
def serving(server: Server) -> Iterator[None]:
    """While the server runs."""
    server.start()
    try:
        yield
    finally:
        server.close()


@contextlib.contextmanager
def watched(url: str, name: str) -> Iterator[Loop]:
    """A net in training, every step of which is sent to a server."""
    torch.manual_seed(0)
    layers = [nn.Linear(64, 64) if i % 2 == 0 else nn.ReLU() for i in range(LAYERS)]
    net = nn.Sequential(*layers)
    with normscope.watch(net, name=name, url=url, budget=None) as watch:
        yield Loop(net, _batches(), lambda _, loss: watch.step(loss=loss))


def _batches() -> Iterator[tuple[Tensor, Tensor]]:
    x, y = torch.randn(128, 64), torch.randint(64, (128,))
    while True:
        yield x, y


def pair(there: Loop, away: Loop, seconds: float) -> list[float]:
    """How many times as long a block of steps of the second takes, block after block."""
    ratios = []
    began = time.perf_counter()
    turns = round(seconds * RATE / BLOCK)
    for turn in range(turns):
        # Who goes first changes, so that a drift of the machine's speed favours nobody.
        first, second = (there, away) if turn % 2 else (away, there)
        times = {id(loop): loop.block(BLOCK) for loop in (first, second)}
        ratios.append(times[id(away)] / times[id(there)])
        time.sleep(max(0.0, began + (turn + 1) * BLOCK / RATE - time.perf_counter()))
    return ratios
