"""Frames out: each viewer is a cursor over a shared, bounded tail of recent frames, never a queue."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from normscope.errors import NormscopeError

from ..access.rates import Rates, client_of
from ..limits import VIEWER_MESSAGE, WORDS
from ..metrics import metrics
from ..runs.wishes import VIEWED
from ..schemas import BriefOut, RunOut
from ..store import Brief, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from ..access.rates import Gates
    from ..access.rights import Rights
    from ..bus import Bus, Subscription
    from ..runs.lookout import Lookout
    from ..store import Store
    from .tails import Tails

router = APIRouter()

PERIOD: Final = 0.04
"""Seconds between two messages to a viewer: 25 a second is more than a page can draw."""


@router.websocket("/ws/live")
async def live(socket: WebSocket) -> None:
    """A viewer for as long as it is connected."""
    rights: Rights = socket.state.rights
    await socket.accept()
    state = socket.app.state
    gates: Gates = state.gates
    with gates.viewers.held(client_of(socket)) as free:
        if not free:
            metrics.limited.inc()
            await socket.close(1013, "too many viewers; try again later")
            return
        metrics.viewers.inc()
        why = state.experiments.reasons.of if rights.owner else None  # it may name a machine
        viewer = Viewer(socket, rights, state.store, state.bus, state.tails, state.lookout, why)
        try:
            with state.visits.hold(rights.by, socket):
                await viewer.serve()
        except WebSocketDisconnect:
            pass
        finally:
            metrics.viewers.dec()


class Viewer:
    """One browser's socket."""

    def __init__(
        self, socket: WebSocket, rights: Rights, store: Store, bus: Bus, tails: Tails, lookout: Lookout,
        why: Callable[[Run], str | None] | None,
    ) -> None:  # fmt: skip
        self._socket = socket
        self._rights = rights
        self._store = store
        self._bus = bus
        self._tails = tails
        self._lookout = lookout
        self._why = why
        self._told: dict[str, RunOut | BriefOut] = {}
        self._generation = 0
        self._words = Rates(WORDS)
        self._cursors: dict[str, int] = {}
        self._sending = asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Until the browser leaves, or what let it in has ended."""
        try:
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                text = message.get("text") or ""
                if len(text) > VIEWER_MESSAGE:
                    await self._socket.close(1009, f"a message has at most {VIEWER_MESSAGE} bytes")
                    return
                await self._words.turn("")  # unread is how a socket is told to be slower
                await self._obey(text)
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _obey(self, text: str) -> None:
        try:
            message = json.loads(text)
            kind = message["type"]
            if kind == "watch":
                await self._watch(_strings(message.get("runs", [])), dict(message.get("after") or {}))
            elif kind == "list" and self._rights.owner:
                self._begin("list", self._tell_runs(None))
            elif kind == "ping":
                await self._send({"type": "pong"})
            else:
                await self._error(f"cannot do {str(kind)[:40]!r} here; there are watch, list and ping")
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError):
            await self._error("not a message of this socket")
        except NormscopeError as error:
            await self._error(str(error))

    async def _watch(self, ids: list[str], after: dict[str, Any]) -> None:
        runs = {run.id: run for run in await self._store.find(Run, id=ids)}
        seen = [run for run in ids if run in runs and self._rights.sees(runs[run])]
        if len(seen) < len(ids):
            await self._error(f"unknown run {next(run for run in ids if run not in seen)[:40]!r}")
        async with self._sending:  # what is on its way still belongs to the old watch
            self._generation += 1
            newest = {run: runs[run].last_seq for run in seen}
            self._cursors = {run: max(-1, min(int(after.get(run, last)), last)) for run, last in newest.items()}
            self._begin("runs", self._tell_runs(seen))
            self._begin("frames", self._tell_frames(seen, self._generation, newest))

    def _begin(self, name: str, work: Any) -> None:
        old = self._tasks.get(name)
        if old is not None:
            old.cancel()
        self._tasks[name] = asyncio.create_task(_quietly(work))

    async def _tell_runs(self, ids: list[str] | None) -> None:
        """Send every run as it is now (the watched ones), then each that changes; say that those are looked at.

        Without ids it is all runs that change, in short.
        """
        with self._bus.subscribe("run", ids) as subscription:
            changed = list(ids or ())
            while True:
                if changed:
                    await self._or_say_why(self._show(changed, brief=ids is None))
                for viewed in ids or ():
                    await self._bus.publish("viewed", viewed)
                news = await _news(subscription, VIEWED / 2)
                changed = await self._missed(ids or ()) if news is None else list(news)

    async def _missed(self, ids: Sequence[str]) -> list[str]:
        """Which watched runs are not as they were told, if news of them can be lost."""
        if self._lookout.patience is None:
            return []
        with contextlib.suppress(NormscopeError):  # what could not be looked up is looked up again
            runs = await self._lookout.runs(ids)
            return [run.id for run in runs if self._shown(run) != self._told.get(run.id)]
        return []

    async def _or_say_why(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that the store may fail at: the next news is another chance."""
        try:
            await work
        except NormscopeError as error:
            await self._error(str(error))

    async def _show(self, ids: list[str], *, brief: bool) -> None:
        for shown in await self._look_up(ids, brief=brief):
            await self._send({"type": "run", "run": shown.model_dump()})
            self._told[shown.id] = shown

    async def _look_up(self, ids: list[str], *, brief: bool) -> Sequence[BriefOut | RunOut]:
        if brief:
            return [BriefOut.of(run) for run in await self._store.find(Brief, id=ids)]
        return [self._shown(run) for run in await self._store.find(Run, id=ids)]

    def _shown(self, run: Run) -> RunOut:
        return RunOut.of(self._rights.shown(run), self._why and self._why(run))

    async def _tell_frames(self, ids: list[str], generation: int, newest: dict[str, int]) -> None:
        with self._bus.subscribe("frames", ids) as subscription:
            while True:
                began = time.monotonic()
                for run, last in newest.items():
                    try:
                        await self._deliver(ids, run, last, generation)
                    except NormscopeError as error:  # as in `_or_say_why`, which is a call more for every viewer
                        await self._error(str(error))
                patience = self._lookout.patience
                news = await (subscription.get() if patience is None else _news(subscription, patience))
                early = began + PERIOD - time.monotonic()
                if news is not None and early > 0:
                    await asyncio.sleep(early)
                    news |= subscription.now()
                newest = {run: int(last) for run, last in news.items()} if news is not None else await self._newest(ids)

    async def _newest(self, ids: list[str]) -> dict[str, int]:
        """The last frame of each run, as the store has it."""
        with contextlib.suppress(NormscopeError):  # what could not be looked up is looked up again
            return {run.id: run.last_seq for run in await self._lookout.runs(ids)}
        return {}

    async def _deliver(self, ids: list[str], run: str, newest: int, generation: int) -> None:
        while newest > (cursor := self._cursors[run]):
            there = self._tails.known(run, cursor, newest)
            first, last, count, data = there or await self._tails.after(run, cursor, newest)
            if first > cursor + 1:
                metrics.skipped.inc(first - cursor - 1)
                await self._send({"type": "skipped", "run": run, "first": cursor + 1, "last": first - 1})
            self._cursors[run] = last
            if count:
                metrics.delivered.inc(count)
                async with self._sending:
                    if generation == self._generation:
                        await self._socket.send_bytes(bytes([ids.index(run), generation % 256]) + data)

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._sending:
            await self._socket.send_text(json.dumps(message))

    async def _error(self, sentence: str) -> None:
        await self._send({"type": "error", "message": sentence})


async def _news(subscription: Subscription, patience: float) -> dict[str, str] | None:
    """What is new; None if for so many seconds nothing was, and one should look whether that is so."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            return await subscription.get()
    return None


def _strings(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(v, str) and v.isalnum() for v in values) or len(values) > 255:
        raise TypeError("a list of at most 255 ids is needed")
    return list(dict.fromkeys(values))


async def _quietly(work: Any) -> None:
    """Let a teller end with its viewer: once the socket is closed there is nobody to tell."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await work
