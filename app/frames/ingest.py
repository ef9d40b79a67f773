"""Frames in: decode, validate, commit, acknowledge, publish, in that order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from normscope import wire
from normscope.background import step_back
from normscope.errors import NormscopeError, WireError

from ..access.rates import Rates, client_of
from ..access.tokens import new_id
from ..access.visits import is_open
from ..limits import WORDS
from ..logs import run_id
from ..metrics import metrics
from ..runs.experiments import RefusedError
from ..runs.wishes import Wishes
from ..store import Run
from .admission import Admission
from .history import Pyramid
from .presence import Presence
from .senders import HELLO_WITHIN, greet, run_of
from .sockets import SILENT

if TYPE_CHECKING:
    from ..access.rates import Gates
    from ..bus import Subscription
    from ..runs.experiments import Experiments
    from ..store import Block
    from .tails import Tails

router = APIRouter()
log = logging.getLogger("normscope.ingest")

MAX_PENDING: Final = 256
"""Frames that may wait for a commit before the connection is left unread."""
MAX_PENDING_BYTES: Final = 32 << 20
"""And bytes: a frame of many layers is large."""
_POOL: Final = ThreadPoolExecutor(2, "ingest", initializer=step_back)
"""For checking and merging. More threads would only take turns at the interpreter's lock."""
TAKEN: Final = (4409, "the run's training process has connected anew")
"""How a socket is closed whose run has another: a process that is there comes back, what is half-open does not. Of two
servers each may take the other's for the older one, so this refuses nobody."""
MEASURED_EVERY: Final = 5.0
"""Seconds between two looks into a run's frames for what the server counts."""


@router.websocket("/ws/ingest")
async def ingest(socket: WebSocket) -> None:
    """A training process for as long as it is connected."""
    await socket.accept()
    experiments: Experiments = socket.app.state.experiments
    gates: Gates = socket.app.state.gates
    try:
        with gates.training(client_of(socket)):
            hello = await greet(socket)
            run, token = await run_of(hello, socket.state.rights, experiments)
            run_id.set(run.id)
            with socket.app.state.visits.hold(token, socket), metrics.trainers.track_inprogress():
                await Connection(socket, experiments, socket.app.state.tails, run, hello).serve()
    except (WireError, RefusedError) as error:
        log.info("refused: %s", error)
        await _close(socket, 1008, str(error))
    except NormscopeError as error:
        await _close(socket, 1013, str(error))
    except TimeoutError:
        await _close(socket, 1008, f"no hello within {HELLO_WITHIN:g} s")
    except WebSocketDisconnect:
        pass


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    """Close with a reason, cut to the 123 bytes that a close frame holds."""
    metrics.refused.inc()
    if is_open(socket):
        await socket.close(code, reason.encode()[:123].decode(errors="ignore"))


class Connection:
    """One training process's socket: a reader, a committer, and a teller of what people want."""

    _open: dict[str, Connection] = {}  # noqa: RUF012  which connection speaks for a run; the newest one does

    def __init__(
        self, socket: WebSocket, experiments: Experiments, tails: Tails, run: Run, hello: wire.Hello
    ) -> None:  # fmt: skip
        self._socket = socket
        self._experiments = experiments
        self._tails = tails
        self._run = run
        self._admission = Admission(len(hello.layers))
        self._hello = hello
        self._presence = Presence(experiments, hello)
        self._pyramid = Pyramid()
        self._words = Rates(WORDS)
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._read_all = self._silent = False
        self._thinned = 1
        self._end: wire.End | None = None
        self._name = new_id()
        self._measure_at = 0.0

    async def serve(self) -> None:
        """Until either side leaves."""
        older = self._open.pop(self._run.id, None)
        if older is not None:  # half-open: the process came back before its old socket was missed
            await _close(older._socket, *TAKEN)
        self._open[self._run.id] = self
        self._experiments.silence.enter(self._run.id)
        wrong: Exception | None = None
        try:
            bus, key = self._experiments.bus, [self._run.id]
            # Heard from before the run is said to be there, which is when those who look at it say so; and before what
            # is wanted of it is read, so that nothing that is asked for meanwhile is missed.
            with (
                bus.subscribe("viewed", key) as viewed, bus.subscribe("control", key) as wanted,
                bus.subscribe("taken", key) as taken,
            ):  # fmt: skip
                await bus.publish("taken", self._run.id, self._name)
                wishes = await self._welcome()
                async with asyncio.TaskGroup() as tasks:
                    committer = tasks.create_task(self._commit())
                    works = wishes.tell(wanted), wishes.tell_viewed(viewed), self._leave_when_taken(taken)
                    tellers = [tasks.create_task(work) for work in works]
                    await self._read()
                    self._read_all = True
                    self._work.set()
                    await committer
                    for teller in tellers:
                        teller.cancel()
        except* NormscopeError as group:
            wrong = group.exceptions[0]  # raised below: what is raised here comes as a group before Python 3.11.4
        except* WebSocketDisconnect:
            pass
        finally:
            if self._open.get(self._run.id) is self:
                del self._open[self._run.id]
                self._experiments.silence.leave(self._run.id, silent=self._silent)
        if wrong is not None:
            raise wrong

    async def _leave_when_taken(self, subscription: Subscription) -> None:
        """Leave a run to another server that its training process has come to, before this socket was missed."""
        while (await subscription.get())[self._run.id] == self._name:
            pass
        await _close(self._socket, *TAKEN)

    async def _welcome(self) -> Wishes:
        store = self._experiments.store
        run, self._run = await self._presence.begin(self._run.id)
        self._pyramid = await Pyramid.resume(store, run.id, run.last_seq)
        self._admission.know(self._pyramid.parts())
        due = run.singles if run.paused and run.started is None else 0
        await self._say(wire.Welcome(run.id, run.last_seq, run.paused, run.pace, run.stop))
        return Wishes(self._experiments, run, due, self._say)

    async def _read(self) -> None:
        while self._end is None:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                self._silent = message.get("code") == SILENT
                return
            self._run = await self._presence.heard(self._run)
            if message.get("bytes") is not None:
                frames = wire.split(message["bytes"])
                if not frames:
                    raise WireError("malformed message: there is no frame in it")
                self._pending.extend(frames)
                self._pending_bytes += len(message["bytes"])
                self._work.set()
                while len(self._pending) >= MAX_PENDING or self._pending_bytes >= MAX_PENDING_BYTES:
                    self._room.clear()
                    await self._room.wait()
            else:
                await self._words.turn("")  # unread is how a socket is told to be slower
                await self._hear(wire.parse(message.get("text") or ""))

    def _take(self, batch: list[bytes]) -> tuple[list[Block], int, WireError | None]:
        """The blocks that frames bring, the last step among them, and what was wrong with one, if any was.

        On a thread: a net of many layers takes a while, and pages should not wait for it.
        """
        blocks: list[Block] = []
        step = -1
        metrics.frame_bytes.inc(sum(map(len, batch)))
        try:
            for data in batch:
                head = wire.check(data)
                self._admission.check(head, data)
                if self._is_next(head):
                    blocks += self._pyramid.add([(head, data)])
                    step = head.last_step
        except WireError as error:
            return blocks, step, error
        return blocks, step, None

    def _is_next(self, frame: wire.Head) -> bool:
        """Whether a frame is the next one, not one that came before; WireError if it cannot be."""
        last = self._pyramid.last
        metrics.frames.inc()
        span = wire.MERGE**frame.level
        self._thinned = max(self._thinned, span)
        if frame.seq > last + 1:
            raise WireError(f"frame {frame.seq} came after frame {last}: the ones between are missing")
        if frame.seq <= last:
            metrics.repeated.inc()
            if frame.seq + span - 1 > last:
                raise WireError(f"frames {frame.seq} to {frame.seq + span - 1} are merged, but {last} is there already")
        return frame.seq == last + 1

    async def _hear(self, message: wire.Message) -> None:
        match message:
            case wire.State(paused=paused):
                run = await self._experiments.store.get(Run, self._run.id)
                if run is not None and run.status in ("running", "paused"):
                    await self._experiments.change(run.id, status="paused" if paused else "running")
            case wire.Graph(edges=edges):
                if any(max(edge) >= self._admission.layers for edge in edges):
                    raise WireError(f"a graph of layers that the hello did not name: it named {self._admission.layers}")
                await self._experiments.change(self._run.id, edges=[list(edge) for edge in edges])
            case wire.Alert():
                await self._experiments.alerts.take(self._run, message, self._hello)
            case wire.End():
                self._end = message
            case _:
                raise WireError(f"a training process does not say {type(message).__name__.lower()}")

    async def _commit(self) -> None:
        """Commit what has come in, as much at a time as there is, then acknowledge and publish."""
        run = self._run.id
        while self._pending or not self._read_all:
            await self._work.wait()
            if self._read_all:
                self._work.set()  # nobody will wake this loop again
            else:
                self._work.clear()
            batch = list(self._pending)
            self._pending.clear()
            self._pending_bytes = 0
            self._room.set()
            if batch:
                before = self._pyramid.last
                blocks, step, wrong = await asyncio.get_running_loop().run_in_executor(_POOL, self._take, batch)
                if self._thinned > self._run.thinned:  # before it is acknowledged: whoever hears that may look
                    self._run = await self._experiments.change(run, thinned=self._thinned) or self._run
                if blocks:
                    await self._keep(blocks, step, self._pyramid.last - before)
                if wrong is not None:
                    raise wrong
        if self._end is not None:
            end = self._end
            await self._experiments.change(
                run, status=end.status, error=end.error, outcome=end.outcome, ended=time.time(), seen=time.time()
            )
            await self._say(wire.Ack(self._pyramid.last, ended=True))

    async def _keep(self, blocks: list[Block], step: int, frames: int) -> None:
        run, seq = self._run.id, self._pyramid.last
        with metrics.commit.time():
            await self._experiments.store.append(run, blocks, last_seq=seq, last_step=step, seen=time.time())
        self._measure(blocks)
        metrics.committed.inc(frames)
        arrived = [block.data for block in blocks if block.level == 0]
        if len(arrived) == frames:  # else some were merged on their way
            self._tails.take(run, seq - frames + 1, arrived)
        await self._experiments.bus.publish("frames", run, str(seq))
        await self._say(wire.Ack(seq))

    async def _say(self, message: wire.Message) -> None:
        """Tell the training process, unless its socket has been closed meanwhile: by it, or since it may not send."""
        if is_open(self._socket):
            await self._socket.send_text(message.dump())

    def _measure(self, blocks: list[Block]) -> None:
        """Note once in a while what a frame tells of the way here and of what watching costs."""
        if time.monotonic() < self._measure_at:
            return
        self._measure_at = time.monotonic() + MEASURED_EVERY
        frame = wire.decode(next(block.data for block in reversed(blocks) if block.level == blocks[0].level))
        metrics.lag.observe(max(0.0, time.time() - frame.time))
        if "watch_cost" in frame.series:
            metrics.watch_cost.observe(float(frame.series["watch_cost"].mean[0]))
