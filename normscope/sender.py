"""Frames out: a thread with a bounded queue, which never blocks training and never breaks it."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import connect

from . import wire
from .errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.client import ClientConnection

log = logging.getLogger("normscope")

MEMORY: Final = 64 << 20
"""Bytes that may wait: activations to be summarized, and frames to be acknowledged."""
_BACK_OFF: Final = (0.1, 5.0)
"""Seconds before the first and at most before any attempt to connect again."""
_KEEPALIVE: Final = 5.0
"""Seconds between two pings, and within which a pong must come: a dead peer is noticed in twice that."""


class Pending(Protocol):
    """A frame that still has to be made; made on the sender's thread, unless that one lags behind."""

    @property
    def nbytes(self) -> int:
        """Bytes it holds until then."""

    def make(self, seq: int) -> wire.Frame:
        """The frame, with this sequence number."""


@dataclass(slots=True)
class Listener:
    """Who hears what the server says."""

    welcome: Callable[[wire.Welcome], None]
    control: Callable[[wire.Control], None]


class Sender:
    """Sends a run's frames to the server and keeps each until the server has committed it.

    Args:
        url: The server's address, http or https.
        hello: Introduces the run, at every connection anew.
        listener: Hears the server's wishes, on the sender's threads.
        memory: Bytes of frames that may wait; beyond it new frames are dropped, counted and reported.
    """

    def __init__(self, url: str, hello: wire.Hello, listener: Listener, memory: int = MEMORY) -> None:
        self._url = url.rstrip("/").replace("http", "ws", 1) + "/ws/ingest"
        self._hello = hello
        self._listener = listener
        self._memory = memory
        self._changed = threading.Condition()
        self._raw: deque[Pending] = deque()
        self._raw_bytes = 0
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._seq = 0
        self._sent = -1
        self._state = self._state_said = False
        self._lost: Exception | None = None
        self._tried = False
        self._end: wire.End | None = None
        self._ended = threading.Event()
        self._give_up = threading.Event()
        self._warned = False
        self.dropped = 0
        """Frames that found no room."""
        self.failures = 0
        """Errors of ours that ended sending."""
        self.run: str | None = None
        """What the server calls this run, once it has answered."""
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=f"normscope-{work.__name__}", daemon=True)
            for work in (self._make_all, self._connect_all)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, pending: Pending) -> None:
        """Take a frame to be made and sent. Returns at once."""
        with self._changed:
            if self._raw_bytes + self._kept_bytes > self._memory or self._give_up.is_set():
                self.dropped += 1
                if self.dropped == 1 and not self._give_up.is_set():
                    log.warning("normscope: %d MB wait for %s; new frames are dropped", self._memory >> 20, self._url)
                return
            self._raw.append(pending)
            self._raw_bytes += pending.nbytes
            self._changed.notify_all()

    def state(self, paused: bool) -> None:
        """Tell the server that training is held at a step, or goes on."""
        with self._changed:
            self._state = paused
            self._changed.notify_all()

    def close(self, end: wire.End, patience: float) -> bool:
        """Send what is left and the End; whether the server has committed it all within `patience` seconds."""
        with self._changed:
            self._end = end
            self._changed.notify_all()
            self._changed.wait_for(self._settled, patience)
        self._set(self._give_up)
        return self._ended.is_set()

    def _settled(self) -> bool:
        """Whether waiting longer is of no use: all is committed, or there never was a server."""
        return self._ended.is_set() or self._give_up.is_set() or (self._tried and self.run is None)

    def _set(self, event: threading.Event) -> None:
        event.set()
        with self._changed:
            self._changed.notify_all()

    def _guarded(self, work: Callable[[], None]) -> None:
        """The border of a thread: whatever goes wrong here must not reach training."""
        try:
            work()
        except Exception:
            log.exception("normscope: watching has ended; training goes on")
            self.failures += 1
            self._set(self._give_up)

    def _make_all(self) -> None:
        """Summaries and bytes, off the training thread."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._raw or self._end or self._give_up.is_set())
                if not self._raw:
                    return
                pending = self._raw[0]
            data = wire.encode(pending.make(self._seq))
            with self._changed:
                self._raw.popleft()
                self._raw_bytes -= pending.nbytes
                self._kept.append((self._seq, data))
                self._kept_bytes += len(data)
                self._seq += 1
                self._changed.notify_all()

    def _connect_all(self) -> None:
        """Connect, and again whenever the connection is lost, until the End is acknowledged."""
        wait = _BACK_OFF[0]
        while not self._ended.is_set() and not self._give_up.is_set():
            began = time.monotonic()
            try:
                with connect(
                    self._url, ping_interval=_KEEPALIVE, ping_timeout=_KEEPALIVE, open_timeout=_KEEPALIVE,
                    close_timeout=1, max_size=1 << 20, compression=None, proxy=None,
                ) as socket:  # fmt: skip
                    self._serve(socket)
            except ConnectionClosed as error:
                if error.rcvd is not None and error.rcvd.code == 1008:
                    log.warning("normscope: refused, training goes on unwatched: %s", error.rcvd.reason)
                    self._set(self._give_up)
            except (OSError, InvalidHandshake, InvalidURI, TimeoutError, WireError) as error:
                self._warn(error)
            self._tried = True
            with self._changed:
                self._changed.notify_all()
            wait = _BACK_OFF[0] if time.monotonic() - began > _BACK_OFF[1] else min(wait * 2, _BACK_OFF[1])
            # Not `random`, whose state is the training loop's.
            if not self._ended.is_set():
                self._give_up.wait(wait * (0.5 + secrets.randbelow(500) / 1000))

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            log.warning("normscope: cannot reach %s (%s); training goes on, and it is tried again", self._url, error)

    def _serve(self, socket: ClientConnection) -> None:
        socket.send(self._hello.dump())
        welcome = wire.parse(_text(socket.recv(timeout=_KEEPALIVE)))
        if not isinstance(welcome, wire.Welcome):
            raise WireError(f"expected a welcome, not {type(welcome).__name__.lower()}")
        self.run = welcome.run
        self._acknowledge(welcome.last)
        with self._changed:
            self._sent, self._state_said, self._lost = welcome.last, False, None
        self._listener.welcome(welcome)
        hearing = threading.Thread(target=self._hear, args=(socket,), name="normscope-hear", daemon=True)
        hearing.start()
        try:
            self._send_all(socket)
        finally:
            socket.close()
            hearing.join()
        if self._lost is not None:
            raise self._lost

    def _send_all(self, socket: ClientConnection) -> None:
        said_end = False
        while self._lost is None and not self._ended.is_set():
            with self._changed:
                self._changed.wait_for(partial(self._news, said_end))
                if self._give_up.is_set():
                    return
                frames = [data for seq, data in self._kept if seq > self._sent]
                if self._kept:
                    self._sent = max(self._sent, self._kept[-1][0])
                state = self._state
                end = self._end if not said_end and not self._raw and not frames else None
            for data in frames:
                socket.send(data)
            if state != self._state_said:
                socket.send(wire.State(state).dump())
                self._state_said = state
            if end is not None:
                said_end = True
                socket.send(end.dump())

    def _news(self, said_end: bool) -> bool:
        """Whether there is something to do for the one who sends."""
        ready_to_end = self._end is not None and not self._raw and not said_end
        unsent = bool(self._kept) and self._kept[-1][0] > self._sent
        over = self._give_up.is_set() or self._ended.is_set() or self._lost is not None
        return unsent or self._state != self._state_said or ready_to_end or over

    def _hear(self, socket: ClientConnection) -> None:
        try:
            while not self._ended.is_set():
                match wire.parse(_text(socket.recv())):
                    case wire.Ack(last=last, ended=ended):
                        self._acknowledge(last)
                        if ended:
                            self._set(self._ended)
                    case wire.Control() as control:
                        self._listener.control(control)
                    case other:
                        raise WireError(f"a server does not say {type(other).__name__.lower()}")
        except (ConnectionClosed, OSError, WireError) as error:
            with self._changed:
                self._lost = error
                self._changed.notify_all()

    def _acknowledge(self, last: int) -> None:
        with self._changed:
            while self._kept and self._kept[0][0] <= last:
                self._kept_bytes -= len(self._kept.popleft()[1])
            self._changed.notify_all()


def _text(message: Any) -> str:
    if not isinstance(message, str):
        raise WireError("a server sends no bytes")
    return message
