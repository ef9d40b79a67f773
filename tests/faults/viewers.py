"""Viewers that mean no harm: some that read nothing, and very many that come at once."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import psutil
from websockets.asyncio.client import connect as connect_later
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from normscope import wire

from ..frames import SOCKETS, Trainer, frame

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection as Later
    from websockets.sync.client import ClientConnection

    from ..conftest import Server

LARGE: Final = 300
"""Layers of the net whose frames nobody takes: about 39 KB each."""
AT_ONCE: Final = 20
"""Frames that are sent in a message."""


def memory(server: Server) -> int:
    """Bytes that the server's process has."""
    assert server.process is not None
    found: int = psutil.Process(server.process.pid).memory_info().rss
    return found


def watch(run: str) -> str:
    """What a viewer says that wants a run from its first frame on."""
    return json.dumps({"type": "watch", "runs": [run], "after": {run: -1}})


def deaf(server: Server) -> ClientConnection:
    """A viewer that takes next to nothing off its line."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", server.port))
    url = f"ws://127.0.0.1:{server.port}/ws/live"
    return SOCKETS.enter_context(
        connect(url, sock=line, compression=None, max_queue=1, ping_interval=None, close_timeout=0.1)
    )


@dataclass
class Unread:
    """What came of viewers that read nothing.

    Attributes:
        sent: Bytes of the frames that were meant for each.
        seen: Numbers of the frames that another viewer got meanwhile.
        came: How many viewers there were that read nothing; for each that was missed another came.
        grown: By how many bytes the server grew.
    """

    sent: int = 0
    seen: list[int] = field(default_factory=list)
    came: int = 0
    grown: int = 0


def read_nothing(server: Server, viewers: int, frames: int, seconds: float = 0) -> Unread:
    """Have some viewers read nothing while so many large frames come, and for so long, and one beside them all."""
    trainer = Trainer(server, key="large 1234567890", layers=tuple(wire.Layer(f"fc{i}", "ReLU") for i in range(LARGE)))
    run = trainer.hear()["run"]
    with connect(f"ws://127.0.0.1:{server.port}/ws/live", compression=None) as other:
        other.send(watch(run))
        found, one = Unread(), frame(0, layers=LARGE)
        before, began = memory(server), time.monotonic()
        while len(found.seen) < frames or time.monotonic() < began + seconds:
            for _ in range(viewers + 1 - _there(server)):
                deaf(server).send(watch(run))
                found.came += 1
            first = len(found.seen)
            some = [
                wire.encode(replace(one, seq=seq, first_step=seq, last_step=seq))
                for seq in range(first, first + AT_ONCE)
            ]
            trainer.say(*some)
            trainer.acknowledged(first + AT_ONCE - 1)
            found.sent += sum(map(len, some))
            while len(found.seen) < first + AT_ONCE:
                message = other.recv(timeout=10)
                if isinstance(message, bytes):
                    found.seen += [wire.check(data).seq for data in wire.split(message[2:])]
        found.grown = memory(server) - before
    trainer.close()
    return found


def _there(server: Server) -> int:
    """How many viewers the server counts."""
    counts = server.http.get(f"{server.url}/metrics").text.splitlines()
    return next(round(float(line.split()[1])) for line in counts if line.startswith("normscope_viewers "))


@dataclass
class Crowd:
    """What came of many viewers that came at once.

    Attributes:
        served: How many got the next frame.
        refused: How many were sent away, by reason.
        failed: How many found no connection, or heard nothing, by what went wrong.
        grown: By how many bytes the server grew.
    """

    served: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    grown: int = 0


def come_at_once(server: Server, viewers: int, patience: float = 60) -> Crowd:
    """Have so many viewers connect at the same moment, and send a frame when all have been answered."""
    trainer = Trainer(server, key="popular 1234567890")
    run = trainer.hear()["run"]
    crowd, before = Crowd(), memory(server)

    async def come() -> Later | None:
        """The socket of one that may stay."""
        url = f"ws://127.0.0.1:{server.port}/ws/live"
        try:
            one = await connect_later(url, compression=None, open_timeout=patience, ping_interval=None, close_timeout=1)
            await one.send(watch(run))
            await asyncio.wait_for(one.recv(), patience)
        except ConnectionClosed as closed:
            crowd.refused[closed.rcvd.reason if closed.rcvd else "without a word"] += 1
        except (OSError, TimeoutError, InvalidHandshake) as error:
            crowd.failed[type(error).__name__] += 1
        else:
            return one
        return None

    async def hear(one: Later) -> None:
        async with asyncio.timeout(patience):
            while not isinstance(await one.recv(), bytes):
                pass
        crowd.served += 1
        await one.close()

    async def all_of_them() -> None:
        there = await asyncio.gather(*(come() for _ in range(viewers)))
        crowd.grown = memory(server) - before
        await asyncio.to_thread(trainer.send, 0)
        await asyncio.gather(*(hear(one) for one in there if one is not None))

    asyncio.run(all_of_them())
    trainer.close()
    return crowd
