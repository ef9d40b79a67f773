"""The network between training and its server fails: training goes on, and afterwards nothing is missing or doubled.

What training pays for it is measured by `make bench ARGS=outage`; `make soak ARGS=lines` does it for long.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from websockets.sync.client import connect

from normscope import wire

from ..conftest import Server, serving, wait_for
from .database import check, copied, frames
from .network import FAULTS, Network
from .processes import Training, training

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS: Final = 150
"""Steps that training makes during a fault, at a hundred a second."""
PATIENCE: Final = 12.0
"""Seconds within which it does, eight times as many as it needs: were it to wait for the network, if only for what is
half a second late, it would need a minute and more."""


@dataclass
class Watched:
    """A run that reaches its server across the network."""

    server: Server
    network: Network
    loop: Training
    run: str


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A run that outlives one fault after the other."""
    folder = tmp_path_factory.mktemp("network")
    with (
        serving(folder / "data", "--lost-after", "8") as server, Network(server.port) as network,
        training(server, folder, "far", url=network.url) as loop,
    ):  # fmt: skip
        run = loop.run(server)
        # Someone looks at it: frames would be gathered for longer.
        with connect(f"ws://127.0.0.1:{server.port}/ws/live", max_queue=None, close_timeout=0.1) as viewer:
            viewer.send(json.dumps({"type": "watch", "runs": [run]}))
            yield Watched(server, network, loop, run)


@pytest.mark.parametrize("fault", FAULTS)
def test_training_does_not_wait_for_the_network_and_nothing_is_missing_afterwards(watched: Watched, fault: str) -> None:
    server, network, loop = watched.server, watched.network, watched.loop
    server.wait_step(watched.run, 1)
    FAULTS[fault](network)
    first = loop.last
    wait_for(lambda: loop.last >= first + STEPS, "training to go on", PATIENCE)
    hit = network.hit
    network.heal()
    assert hit > 0
    server.wait_step(watched.run, loop.last + 1)
    with copied(server.data) as database:
        check(database)
        steps = [wire.decode(data).first_step for data in frames(database, loop.name)]
    assert steps == list(range(len(steps)))
    assert len(steps) > first + STEPS
    assert server.run(watched.run)["status"] == "running"
    assert "Traceback" not in server.log + loop.log
