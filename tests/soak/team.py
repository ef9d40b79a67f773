"""A team's ordinary use of a server, hour after hour, as fast as the server takes it."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from normscope import wire

from ..conftest import ENDED, wait_for
from ..frames import drain, frame
from .trainers import TINY

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.client import ClientConnection

    from ..conftest import Server

TRAININGS: Final = 4
"""Nets that the team trains at a time, day and night,"""
RUNS: Final = 8
"""so many in an hour, each for half of it,"""
FRAMES: Final = 1800
"""with a frame a second: as many as a run leaves."""
LAYERS: Final = 8
VISITS: Final = 24
"""How often someone looks at a run: three times each."""
LINKS: Final = 4
"""Links that are made, followed and revoked."""
CLAIMS: Final = 1
"""Experiments that are started from the page."""
KEPT: Final = 8
"""Hours after which an experiment is deleted."""
STEPS: Final = 20
"""Of each of the two runs of the experiment that is started from the page, once an hour."""
MESSAGE: Final = 50
"""Frames in a message."""
EYES: Final = 3
"""People who look at something at the same time."""
FLAGS: Final = ("--rates", "0", "--keep-deleted", "0", "--keep-steps", "0.0003")
"""Days are short: every step is kept for half a minute, and what is deleted is removed when the server next looks."""
IN_WORDS: Final = (
    f"{TRAININGS} nets at a time, {RUNS} runs of {FRAMES:,} frames of {LAYERS} layers an hour; {VISITS} visits, each "
    f"of which opens the page, follows the run live and asks for its history twice; {LINKS} links made, followed and "
    "revoked; an experiment of a claim started; experiments thinned when they have ended, and deleted after "
    f"{KEPT} hours"
)


class Team:
    """Who uses a server, and what they have seen of it.

    Attributes:
        hours: How many are over.
        sent: Frames that runs have sent, and that were acknowledged,
        lost: those of them that were missing when a run was over,
        doubled: and those that came more than once.
        delays: Seconds that people waited for answers in the last hour.
    """

    def __init__(self, server: Server, frames: int = FRAMES) -> None:
        self.server = server
        self.hours = self.sent = self.lost = self.doubled = 0
        self.delays: list[float] = []
        self._encoded = [wire.encode(frame(seq, layers=LAYERS)) for seq in range(frames)]
        self._layers = tuple(wire.Layer(f"fc{i}", "Linear") for i in range(LAYERS))
        self._experiments: deque[list[str]] = deque([[]])
        self._runs: deque[tuple[str, str]] = deque(maxlen=2 * RUNS)
        self._chance = random.Random(0)
        self._http = server.http

    def hour(self, share: float = 1.0) -> None:
        """All of an hour, or a share of it; whatever is not as it must be is raised."""
        self.delays = []
        with (
            httpx.Client(timeout=30) as self._http, ThreadPoolExecutor(TRAININGS) as trainings,
            ThreadPoolExecutor(EYES) as eyes,
        ):  # fmt: skip
            works = [trainings.submit(self._train, i) for i in range(round(share * RUNS))]
            wait_for(lambda: self._runs or any(work.done() for work in works), "a run to be there")
            looks = [self._visit] * round(share * VISITS) + [self._share] * round(share * LINKS)
            self._chance.shuffle(looks)
            looks = [self._try_a_claim] * round(share * CLAIMS) + looks  # which takes longest
            for work in (*works, *(eyes.submit(look) for look in looks)):
                work.result()
            self._tidy()
        self._http = self.server.http
        self.hours += 1

    def ask(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        """An answer that must be a good one; how long it took is noted."""
        began = time.perf_counter()
        answer = self._http.request(method, f"{self.server.url}{path}", json=body, params=params)
        self.delays.append(time.perf_counter() - began)
        assert answer.is_success, (method, path, answer.status_code, answer.text[:200])
        return answer

    def _socket(self, path: str) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.server.port}{path}", compression=None, max_queue=None, close_timeout=5)

    def _train(self, number: int) -> None:
        """Stream a run, end it, and see whether all of it is there."""
        name = f"net {self.hours}.{number}"
        with self._socket("/ws/ingest") as socket:
            socket.send(wire.Hello(f"the key of {name}", name, self._layers).dump())
            run = json.loads(socket.recv())["run"]
            self._know(run)
            for at in range(0, len(self._encoded), MESSAGE):
                socket.send(wire.pack(self._encoded[at : at + MESSAGE]))
                last = min(at + MESSAGE, len(self._encoded)) - 1
                _hear(socket, lambda said, last=last: said.get("last") == last)  # type: ignore[misc]
            socket.send(wire.End("finished").dump())
            _hear(socket, lambda said: said.get("ended"))
        there = list(wire.split(self.ask("GET", f"/api/runs/{run}/history", points=10_000).content))
        self.sent += len(self._encoded)
        self.lost += len(set(self._encoded) - set(there))
        self.doubled += len(there) - len(set(there))

    def _know(self, run: str) -> None:
        experiment = self.ask("GET", f"/api/runs/{run}").json()["experiment"]
        self._experiments[-1].append(experiment)
        self._runs.append((run, experiment))

    def _visit(self) -> None:
        """Come to a run's page, follow it for a moment, look at its past, leave."""
        run, experiment = self._chance.choice(list(self._runs))
        self.ask("GET", "/")
        self.ask("GET", f"/e/{experiment}")
        self.ask("GET", f"/api/runs/{run}/history", points=600)
        with self._socket("/ws/live") as socket:
            _watch(socket, run)
            while not isinstance(socket.recv(timeout=30), bytes):
                pass
        self.ask("GET", f"/api/runs/{run}/history", points=600, first_step=100, last_step=400)

    def _share(self) -> None:
        """Make a link to an experiment, follow it as a guest would, and revoke it, which ends the guest's visit."""
        run, experiment = self._chance.choice(list(self._runs))
        link = self.ask("POST", "/api/links", {"experiment": experiment, "runs": "now"}).json()
        self.ask("GET", link["url"])
        with self._socket(f"/ws/live?link={link['url'].removeprefix('/s/')}") as socket:
            _watch(socket, run)
            socket.recv(timeout=30)
            self.ask("DELETE", f"/api/links/{link['id']}")
            with contextlib.suppress(ConnectionClosed):
                drain(socket, 10)

    def _try_a_claim(self) -> None:
        """Start an experiment from the page, and wait for its finding."""
        settings = TINY | {"pace": 0, "steps": STEPS}
        experiment = self.ask("POST", "/api/experiments", {"claim": 1, "settings": settings}).json()
        self._experiments[-1].append(experiment["id"])
        left = {run["id"] for run in experiment["runs"]}
        with self._socket("/ws/live") as socket:
            _watch(socket, *left)
            while left:
                message = socket.recv(timeout=60)
                if isinstance(message, str) and (run := json.loads(message).get("run", {}))["status"] in ENDED:
                    assert run["status"] == "finished", run["error"]
                    left.discard(run["id"])
        self.ask("GET", f"/api/experiments/{experiment['id']}/finding")

    def _tidy(self) -> None:
        """Delete what is old, and see whether what is thinned by now still answers for all of its steps."""
        if len(self._experiments) > KEPT:
            for experiment in self._experiments.popleft():
                self.ask("DELETE", f"/api/experiments/{experiment}")
        oldest = self.ask("GET", f"/api/experiments/{self._experiments[0][0]}").json()["runs"][0]
        there = wire.split(self.ask("GET", f"/api/runs/{oldest['id']}/history", points=600).content)
        assert sum(wire.check(data).frames for data in there) == oldest["last_seq"] + 1
        self._experiments.append([])


def _watch(socket: ClientConnection, *runs: str) -> None:
    """Look at runs from their first frames on."""
    socket.send(json.dumps({"type": "watch", "runs": runs, "after": dict.fromkeys(runs, -1)}))


def _hear(socket: ClientConnection, enough: Callable[[dict[str, Any]], Any]) -> None:
    """Hear what a server says to a training process, until that is enough."""
    while not enough(json.loads(socket.recv(timeout=60))):
        pass
