"""Killing a server again and again while runs stream, and what is found where it fell."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from normscope import wire

from ..conftest import Server, wait_for
from ..frames import frame
from .database import check, copied, frames, last_seqs
from .processes import streams
from .stream import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNS = 4
RATE = 50
"""Frames a second of each run."""


@dataclass
class Killed:
    """What came of it."""

    kills: int = 0
    sent: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0


def kill_at_random(
    server: Server, folder: Path, kills: int, seed: int = 0, before: Callable[[int], None] = lambda _: None
) -> Killed:
    """SIGKILL a server at random moments while four runs stream.

    Every time, the database is looked at as it lies there: intact, and with all that was acknowledged before. In the
    end it must have each frame once, byte by byte as it was sent.

    Args:
        server: It, started.
        folder: For what the runs write down.
        kills: How often.
        seed: Of the moments.
        before: What is done before each kill, while the runs stream, given how many there have been.
    """
    rng = random.Random(seed)
    found = Killed()
    with streams(server.url, folder, RUNS, RATE) as some:
        for _ in range(kills):
            # At once, or after some more frames: moments from the first hello to the middle of a commit.
            further = rng.choice([0, 1, rng.randrange(RATE)])
            already = sum(one.acknowledged for one in some)
            wait_for(lambda: sum(one.acknowledged for one in some) >= already + further, "acknowledgments", PATIENCE)  # noqa: B023
            before(found.kills)
            acknowledged = {one.name: one.acknowledged for one in some}
            server.kill()
            found.kills += 1
            with copied(server.data) as database:
                check(database)
                kept = last_seqs(database)
                for name, count in acknowledged.items():
                    assert kept.get(name, -1) + 1 >= count, (name, kept, acknowledged)
            server.start()
        for one in some:
            one.finish()
    with copied(server.data) as database:
        check(database)
        for one in some:
            there = frames(database, one.name)
            expected = [wire.encode(frame(seq)) for seq in range(one.put)]
            found.sent += len(expected)
            found.acknowledged += one.acknowledged
            found.doubled += len(there) - len(set(there))
            found.lost += len(set(expected) - set(there))
            assert there == expected
    return found
