"""Tabs that sleep while frames come, and wake up again."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final

from websockets.sync.client import connect

from normscope import wire

from ..conftest import serving
from ..frames import Trainer
from .found import Found
from .vitals import examine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..conftest import Server

AWAKE: Final = 10
"""Frames that a tab has seen before it sleeps."""
HOUR: Final = 3600
"""Those that come in its sleep: an hour's, one a second."""
POINTS: Final = 600
"""Points of history that a page asks for."""


class Tab:
    """A page's socket, and what it has heard by it.

    Attributes:
        seen: Numbers of the frames that came.
        skipped: The first and last number of those that it was told it would not get.
    """

    def __init__(self, server: Server, run: str) -> None:
        self.seen: list[int] = []
        self.skipped: list[tuple[int, int]] = []
        self._server, self._run = server, run
        self._line = contextlib.ExitStack()
        self.open()

    def open(self) -> None:
        """Look at the run from behind the last frame on that it has."""
        url = f"ws://127.0.0.1:{self._server.port}/ws/live"
        self._socket = self._line.enter_context(connect(url, compression=None, max_queue=None, close_timeout=0.1))
        after = {self._run: max(self.seen, default=-1)}
        self._socket.send(json.dumps({"type": "watch", "runs": [self._run], "after": after}))

    def read(self, until: int) -> None:
        """Hear what there is, up to a frame."""
        while until not in self.seen[-1:]:
            message = self._socket.recv(timeout=30)
            if isinstance(message, bytes):
                self.seen += [wire.check(data).seq for data in wire.split(message[2:])]
            elif (said := json.loads(message))["type"] == "skipped":
                self.skipped.append((said["first"], said["last"]))

    def complete(self) -> set[int]:
        """Ask once for all that it has skipped; the numbers that the answer covers."""
        if not self.skipped:
            return set()
        span = {"first_step": self.skipped[0][0], "last_step": self.skipped[-1][1], "points": POINTS}
        answer = self._server.http.get(f"{self._server.url}/api/runs/{self._run}/history", params=span)
        assert answer.status_code == 200, answer.text
        heads = [wire.check(data) for data in wire.split(answer.content)]
        return {number for head in heads for number in range(head.seq, head.last_seq + 1)}

    def close(self) -> None:
        """Lose the socket."""
        self._line.close()


def sleepers(folder: Path, times: float, tell: Callable[[str], None]) -> Found:
    """Tabs that sleep; every other one on a machine that does, too, and so without its socket."""
    found = Found(int(times), 0, 0, 0, 0)
    with serving(folder / "data") as server, contextlib.ExitStack() as sockets:
        trainer = sockets.enter_context(contextlib.closing(Trainer(server, "a key of the soak's own")))
        run = trainer.hear()["run"]
        send(trainer, 0, AWAKE)
        found.before = examine(server)
        tabs = [sockets.enter_context(contextlib.closing(Tab(server, run))) for _ in range(found.times)]
        for tab in tabs:
            tab.read(AWAKE - 1)
        for tab in tabs[::2]:
            tab.close()
        for first in range(AWAKE, AWAKE + HOUR, 50):
            send(trainer, first, min(first + 50, AWAKE + HOUR))
        for i, tab in enumerate(tabs):
            if i % 2 == 0:
                tab.open()
            wake(tab, found, AWAKE + HOUR)
        found.after = examine(server)
    tell(f"{found.times} have woken up")
    found.judge()
    found.checked = (
        f"{found.times} tabs sleep while {HOUR:,} frames come, an hour of one a second, every other without its "
        f"socket: each is told what it has skipped, asks for that once (`points={POINTS}`), and has every step then. "
        "Frames are counted for each tab"
    )
    return found


def send(trainer: Trainer, first: int, end: int) -> None:
    """Send some frames, and wait until they are acknowledged."""
    trainer.send(*range(first, end))
    trainer.acknowledged(end - 1)


def wake(tab: Tab, found: Found, frames: int) -> None:
    """Have a tab hear what has come to it, and ask for the rest; note what is missing then, or came twice."""
    tab.read(frames - 1)
    there = set(tab.seen) | tab.complete()
    found.sent = (found.sent or 0) + frames
    found.acknowledged = found.sent
    found.lost = (found.lost or 0) + len(set(range(frames)) - there)
    found.doubled = (found.doubled or 0) + len(tab.seen) - len(set(tab.seen))
