"""A server that is killed with everyone connected to it: how soon all are back at the other, and what was lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from normscope import wire
from normscope.sending.delivery import Delivery, Listener
from tests.conftest import HOUSE, free_port, wait_for

from .audience import numbers_in, open_files
from .bare import Bare
from .streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server

    from .table import Table

    _Process = Server | Bare

_VIEWERS: Final = 500
_RUNS: Final = 20
_RATE: Final = 5.0
"""Frames of each run in a second."""
_BEFORE: Final = 4.0
"""Seconds for which all goes well; in them the proxy finds the second server."""
_AFTER: Final = 3.0
"""And for which it goes on when all are back."""
_PATIENCE: Final = 60.0
_APART: Final = 0.005
"""Seconds between two viewers that come for the first time."""
_DELAYS: Final = (0.5, 8.0)
"""Seconds after which a page connects anew, doubled each time up to the longest; as in `static/server/socket.js`."""


def measure(table: Table, one: Server, two: Server) -> None:
    """Have all come to the first of two servers that share a store, and kill it.

    Args:
        table: Gets the row.
        one: Has to be started; it is dead afterwards.
        two: Not started yet, so that nobody is there.
    """
    open_files(_VIEWERS)
    one.come_as_owner()
    two.http.headers["authorization"] = owner = one.http.headers["authorization"]
    with _proxy(one.port, two.port) as url:
        runs = _Runs(url, owner.removeprefix("Bearer "))
        try:
            known = runs.known()
            viewers = [_Viewer(_socket(url, "/ws/live"), known[i % _RUNS], owner) for i in range(_VIEWERS)]
            told = asyncio.run(_survive(viewers, one, two, runs))
        finally:
            whole = runs.end()
    lost, doubled = _compare(two, known, runs.sent)
    last = max(told.viewers)
    table.add(
        f"a server killed with {_VIEWERS} viewers and {_RUNS} runs: all back on the other after",
        f"{max(last, *told.runs):.1f} s", "≤ 5 s, nothing lost or doubled",
        f"the last viewer after {last:.1f} s, the last run after {max(told.runs):.1f} s; of {sum(runs.sent):,} frames "
        f"{lost} lost and {doubled} doubled{'' if whole else ', some not taken'}; viewers were sent {told.doubled} "
        f"twice and {told.missing} not; as many listeners of a bare starlette broadcaster after {_bare():.1f} s",
    )  # fmt: skip


@dataclass
class _Viewer:
    """A page, as far as its socket is concerned: it comes back by itself, and says what it has."""

    url: str
    run: str | None
    owner: str = ""
    last: int | None = None
    doubled: int = 0
    missing: int = 0
    back: float | None = None
    """When the newest connection was there; of one that watches, the first frame from it."""

    async def look(self, wait: float) -> None:
        """Until cancelled."""
        await asyncio.sleep(wait)
        delay = _DELAYS[0]
        while True:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                headers = {"Authorization": self.owner}
                async with connect(
                    self.url, additional_headers=headers, compression=None, max_queue=None, proxy=None
                ) as socket:
                    delay = _DELAYS[0]
                    self.back = time.perf_counter() if self.run is None else None
                    await self._listen(socket)
            await asyncio.sleep(delay * random.uniform(0.75, 1.25))
            delay = min(2 * delay, _DELAYS[1])

    async def _listen(self, socket: Any) -> None:
        if self.run is not None:
            after = {} if self.last is None else {self.run: self.last}
            await socket.send(json.dumps({"type": "watch", "runs": [self.run], "after": after}))
        async for message in socket:
            if isinstance(message, bytes) and self.run is not None:
                self._take(numbers_in(message))
            elif isinstance(message, str) and '"skipped"' in message:  # a page asks for these
                self.last = json.loads(message)["last"]

    def _take(self, numbers: list[int]) -> None:
        self.back = self.back or time.perf_counter()
        for number in numbers:
            last = number - 1 if self.last is None else self.last
            self.doubled += number <= last
            self.missing += max(0, number - last - 1)
            self.last = max(last, number)


@dataclass
class _Told:
    """Seconds until each was back, and what viewers were sent wrongly."""

    viewers: list[float]
    runs: list[float] = field(default_factory=list)
    doubled: int = 0
    missing: int = 0


class _Runs:
    """Training processes, as far as their delivery is concerned."""

    def __init__(self, url: str, token: str) -> None:
        self._stream = Stream(2, 100, size=4096)
        layers = self._stream.layers
        hellos = [wire.Hello(f"failover {i} 1234567890", f"run {i}", layers, token) for i in range(_RUNS)]
        self.all = [Delivery(url, hello, Listener(*[lambda _: None] * 3), disk=0) for hello in hellos]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._make, daemon=True)
        self._thread.start()

    @property
    def sent(self) -> list[int]:
        """How many frames each has made."""
        return [one.seq for one in self.all]

    def known(self) -> list[str]:
        """What the server calls them, once it has answered all."""
        wait_for(lambda: all(one.run for one in self.all), "all runs to be known", _PATIENCE)
        return [one.run for one in self.all if one.run]

    def _make(self) -> None:
        while not self._over.wait(1 / _RATE):
            for one in self.all:
                one.put(self._stream.frame(one.seq))

    def back(self) -> list[float]:
        """When each had a frame committed that is still to be made."""
        with ThreadPoolExecutor(_RUNS) as threads:
            return list(threads.map(self._committed, self.all, self.sent))

    @staticmethod
    def _committed(one: Delivery, seq: int) -> float:
        assert one.wait(lambda: one.committed >= seq, _PATIENCE), f"run {one.run} has not come back"
        return time.perf_counter()

    def end(self) -> bool:
        """Finish all; whether every frame was taken."""
        self._over.set()
        self._thread.join()
        taken = [one.close(wire.End("finished"), _PATIENCE) and not one.dropped for one in self.all]
        return all(taken)


async def _survive(viewers: list[_Viewer], one: _Process, two: _Process, runs: _Runs | None) -> _Told:
    """Have all of them there, kill what they are connected to, and wait until they are back."""
    tasks = [asyncio.create_task(viewer.look(place * _APART)) for place, viewer in enumerate(viewers)]
    try:
        await _back(viewers, 0.0)
        await asyncio.to_thread(two.start)
        await asyncio.sleep(_BEFORE)
        for viewer in viewers:
            viewer.back = None
        one.kill()
        killed = time.perf_counter()
        committed = await asyncio.to_thread(runs.back) if runs else []
        told = _Told(await _back(viewers, killed), [at - killed for at in committed])
        await asyncio.sleep(_AFTER)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    told.doubled, told.missing = sum(v.doubled for v in viewers), sum(v.missing for v in viewers)
    return told


async def _back(viewers: list[_Viewer], since: float) -> list[float]:
    """Seconds from a moment until each was there."""
    async with asyncio.timeout(_PATIENCE):
        while any(viewer.back is None for viewer in viewers):  # noqa: ASYNC110  five hundred events would be no simpler
            await asyncio.sleep(0.05)
    return [viewer.back - since for viewer in viewers if viewer.back is not None]


def _bare() -> float:
    """Seconds until as many listeners of a bare broadcaster were connected to another one."""
    with contextlib.closing(Bare()) as one, contextlib.closing(Bare()) as two:
        one.start()
        with _proxy(one.port, two.port) as url:
            viewers = [_Viewer(_socket(url, "/out"), None) for _ in range(_VIEWERS)]
            return max(asyncio.run(_survive(viewers, one, two, None)).viewers)


def _socket(url: str, path: str) -> str:
    return url.replace("http", "ws", 1) + path


@contextlib.contextmanager
def _proxy(*ports: int) -> Iterator[str]:
    """The proxy of `docker-compose.yml` before servers on these ports; its address."""
    port = free_port()
    place = {"PORT": str(port), "SERVERS": " ".join(f"127.0.0.1:{one}" for one in ports)}
    caddy, config = Path(sys.executable).parent / "caddy", HOUSE / "deploy" / "Caddyfile"
    command = [str(caddy), "run", "--config", str(config), "--adapter", "caddyfile"]
    with subprocess.Popen(command, env=os.environ | place, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: _answers(f"http://127.0.0.1:{port}"), "the proxy to answer")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url).status_code > 0
    return False


def _compare(server: Server, runs: list[str], sent: list[int]) -> tuple[int, int]:
    """How many frames the store has not, and how many twice."""
    lost = doubled = 0
    for run, count in zip(runs, sent, strict=True):
        answer = server.http.get(f"{server.url}/api/runs/{run}/history", params={"points": 10_000})
        kept = [wire.check(data).seq for data in wire.split(answer.content)]
        lost += len(set(range(count)) - set(kept))
        doubled += len(kept) - len(set(kept))
    return lost, doubled
