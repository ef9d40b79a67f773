"""Frames to the server: each is kept until the server has committed it, however often the connection is lost."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import connect

from .. import wire
from ..background import MUTE, step_back
from ..errors import WireError
from .backlog import MEMORY, Backlog, packed
from .spool import DISK

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.client import ClientConnection

_BACK_OFF: Final = (0.1, 2.0)
"""Seconds before the first and at most before any attempt to connect again."""
_GATHER: Final = (0.05, 0.5)
"""Seconds between two bursts of frames, while someone looks at them and else. A fast net's frames travel together: what
a burst costs the server (a commit, an acknowledgement) it costs once. Frames that come more slowly go at once."""
_KEEPALIVE: Final = 5.0
"""Seconds between two pings, and within which a pong must come: a dead peer is noticed in twice that."""


@dataclass(slots=True)
class Listener:
    """Who hears what the server says, and what a person should be told."""

    welcome: Callable[[wire.Welcome], None]
    control: Callable[[wire.Control], None]
    warning: Callable[[str], None]


class Delivery:
    """Sends a run's frames on a thread of its own.

    Args:
        url: The server's address, http or https.
        hello: Introduces the run, at every connection anew.
        listener: Hears the server's wishes, on this thread or the one that listens.
        memory: Bytes of frames that may wait in memory.
        disk: Bytes of those that may wait on disk; beyond it the oldest are thinned. What cannot be written is dropped,
            counted and reported. With 0, memory is all there is, and nothing is left behind.
    """

    refusing: ClassVar[str] = "refused, training goes on unwatched"
    """What it means to a person that the server wants none of it,"""
    failing: ClassVar[str] = "training goes on, and it is tried again"
    """and that it cannot be reached, or cannot take anything."""

    def __init__(self, url: str, hello: wire.Hello, listener: Listener, memory: int = MEMORY, disk: int = DISK) -> None:
        self._url = url.rstrip("/").replace("http", "ws", 1) + "/ws/ingest"
        self._hello = hello
        self._listener = listener
        self._changed = threading.Condition()
        self._backlog = Backlog(hello, memory, disk, listener.warning)
        self._words: dict[object, wire.Message] = {wire.State: wire.State(False)}
        self._said: dict[object, wire.Message] = {}
        self._lost: Exception | None = None
        self._tried = False
        self._warned: set[str] = set()
        self._end: wire.End | None = None
        self._viewed_until = 0.0
        self._ended = threading.Event()
        self._give_up = threading.Event()
        self.dropped = 0
        """Frames that found no room."""
        self.run: str | None = None
        """What the server calls this run, once it has answered."""
        threading.Thread(target=self._connect_all, name="normscope-delivery", daemon=True).start()

    @property
    def seq(self) -> int:
        """The number that the next frame will have."""
        return self._backlog.seq

    @property
    def committed(self) -> int:
        """The number of the newest frame that the server has, as far as it has said."""
        return self._backlog.committed

    def go_on_from(self, seq: int) -> None:
        """Begin with the frame of this number, before any was put: the server has the others."""
        self._backlog.seq = seq

    def has_room(self) -> bool:
        """Whether one more frame may wait; if not, it counts as dropped, before it has a number."""
        with self._changed:
            if not self._give_up.is_set() and self._backlog.has_room():
                return True
            self.dropped += 1
            return False

    def wait(self, what: Callable[[], bool], patience: float) -> bool:
        """Until something is so that depends on what the server says, or for so many seconds; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: what() or self._give_up.is_set(), patience) and what()

    @property
    def waiting(self) -> int:
        """Bytes of frames that wait in memory for their acknowledgement."""
        return self._backlog.bytes

    def put(self, data: bytes, frames: int = 1) -> None:
        """Take the encoded frame with the number `seq`, of so many steps. Returns at once."""
        with self._changed:
            known = self._backlog.ready
            self._backlog.add(data, frames)
            if not known:  # else it goes with those that wait already
                self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether the server has the run's End."""
        return self._ended.is_set()

    @property
    def refused(self) -> bool:
        """Whether the server wants none of it."""
        return self._give_up.is_set()

    @property
    def reached(self) -> bool:
        """Whether the server has answered, or could not."""
        return self.run is not None or self._tried

    @property
    def viewed(self) -> bool:
        """Whether someone looks at what is sent."""
        return time.monotonic() < self._viewed_until

    def say(self, word: wire.State | wire.Graph | wire.Alert) -> None:
        """Tell the server, now and whenever it is reached anew, unless another word of its kind comes after it."""
        with self._changed:
            self._words[word.topic] = word
            self._changed.notify_all()

    def close(self, end: wire.End | None, patience: float) -> bool:
        """Send what is left, then the End if there is one; whether all was committed within `patience` seconds.

        What was not is left on disk, unless the server refused it.
        """
        with self._changed:
            self._end = end
            self._changed.notify_all()
            self._changed.wait_for(self._settled, patience)
            done = self._ended.is_set() or (end is None and not self._backlog)
            if not (done or self._give_up.is_set()):
                told = [word for word in self._words.values() if not isinstance(word, wire.State)]
                self._backlog.leave([*told, *([end] if end else [])])
            self._give_up.set()
            self._changed.notify_all()
        return done

    def _settled(self) -> bool:
        """Whether waiting longer is of no use: all is committed, or there never was a server."""
        over = self._ended.is_set() or self._give_up.is_set() or (self._tried and self.run is None)
        return over or (self._end is None and not self._backlog)

    def _set(self, event: threading.Event) -> None:
        event.set()
        with self._changed:
            self._changed.notify_all()

    def _connect_all(self) -> None:
        """Connect, and again whenever the connection is lost, until the End is acknowledged."""
        wait = _BACK_OFF[0]
        while not self._ended.is_set() and not self._give_up.is_set():
            began = time.monotonic()
            try:
                with connect(
                    self._url, ping_interval=_KEEPALIVE, ping_timeout=_KEEPALIVE, open_timeout=_KEEPALIVE,
                    close_timeout=1, max_size=1 << 20, compression=None, proxy=None, logger=MUTE,
                ) as socket:  # fmt: skip
                    self._serve(socket)
            except ConnectionClosed as error:
                code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (0, "")
                if code in (1008, 1009):
                    self._listener.warning(f"{self.refusing}: {reason}")
                    self._set(self._give_up)
                elif code == 1013:  # a full disk, say
                    self._warn("cannot send frames to", reason)
            except (OSError, InvalidHandshake, InvalidURI, TimeoutError, WireError) as error:
                self._warn("cannot reach", error)
            self._tried = True
            with self._changed:
                self._changed.notify_all()
            lasted = time.monotonic() - began
            wait = _BACK_OFF[0] if lasted > _BACK_OFF[1] else min(wait * 2, _BACK_OFF[1])
            if not self._ended.is_set():  # by a chance of its own, so that many runs do not come back all at once
                self._give_up.wait(wait * (0.5 + secrets.randbelow(500) / 1000))

    def _warn(self, what: str, reason: object) -> None:
        """Say why frames wait, once of each kind."""
        if what not in self._warned:
            self._listener.warning(f"{what} {self._url} ({reason}); {self.failing}")
        self._warned.add(what)

    def _serve(self, socket: ClientConnection) -> None:
        socket.send(self._hello.dump())
        welcome = wire.parse(_text(socket.recv(timeout=_KEEPALIVE)))
        if not isinstance(welcome, wire.Welcome):
            raise WireError(f"expected a welcome, not {type(welcome).__name__.lower()}")
        self.run = welcome.run
        self._acknowledge(welcome.last)
        with self._changed:
            self._backlog.again()
            self._said, self._lost = {wire.State: wire.State(False)}, None
        self._listener.welcome(welcome)
        step_back()
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
        said_end, sent_at = False, 0.0
        while self._lost is None and not self._ended.is_set():
            with self._changed:
                self._wait_to_send(said_end, sent_at)
                if self._give_up.is_set():
                    return
                frames = self._backlog.take()
                words = self._unsaid()
                end = self._end if not (said_end or self._backlog.untaken) else None
            if frames:
                sent_at = time.monotonic()
            for message in packed(frames):
                socket.send(message)
            for word in words:
                socket.send(word.dump())
                self._said[word.topic] = word
            if end is not None:
                said_end = True
                socket.send(end.dump())

    def _wait_to_send(self, said_end: bool, sent_at: float) -> None:
        """Until there is something urgent to do for the one who sends, or frames have been gathered."""
        while not self._urgent(said_end):
            if not self._backlog.ready:
                self._changed.wait()
            elif not self._backlog.spooled and (left := sent_at + _GATHER[not self.viewed] - time.monotonic()) > 0:
                self._changed.wait(left)
            else:
                return

    def _unsaid(self) -> list[wire.Message]:
        return [word for kind, word in self._words.items() if self._said.get(kind) != word]

    def _urgent(self, said_end: bool) -> bool:
        over = self._give_up.is_set() or self._ended.is_set() or self._lost is not None
        ending = self._end is not None and not said_end and (self._backlog.ready or not self._backlog.untaken)
        return bool(self._unsaid()) or ending or over

    def _hear(self, socket: ClientConnection) -> None:
        try:
            while not self._ended.is_set():
                match wire.parse(_text(socket.recv())):
                    case wire.Ack(last=last, ended=ended):
                        self._acknowledge(last)
                        if ended:
                            self._set(self._ended)
                    case wire.Viewed(seconds=seconds):
                        with self._changed:
                            self._viewed_until = time.monotonic() + seconds
                            self._changed.notify_all()
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
            self._backlog.acknowledge(last)
            self._changed.notify_all()


def _text(message: Any) -> str:
    if not isinstance(message, str):
        raise WireError("a server sends no bytes")
    return message
