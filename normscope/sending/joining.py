"""A rank's courier on its way to the first rank's: what the rank sees goes there, and what is agreed comes back."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import connect

from .. import wire
from ..background import MUTE
from ..errors import WireError
from .meeting import ALIVE, LARGEST
from .pipe import Nonfinite

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.client import ClientConnection

    from .company import Address, Company

_ROOM: Final = 64 << 20
"""Bytes of frames that may wait."""
_BACK_OFF: Final = 0.3
"""Seconds before the next attempt to connect."""
_FAILURES: Final = 3
"""Attempts after which it is said that they fail: the first may go to where a run before this one was gathered."""
_JOIN: Final = 5.0
"""Seconds that the end of a run waits for the first rank to be found, and to have taken everything."""
_VIEWED: Final = 3.0
"""Seconds for which word that someone looks is good."""
_TELL: Final = 0.1
"""Seconds after which it is told again how far training is."""


class Joining:
    """Takes frames as a `Delivery` does, and gives them to the first rank's courier.

    Args:
        company: The ranks.
        stop: Hears behind which step all are to stop; what it does is done before that is acknowledged.
        lost: Hears that nobody is at the address any more: that of a run that was over, perhaps.
        warning: Hears what a person should be told.
        news: Hears what the first rank's loop is told of all ranks' values.
    """

    reached = True
    """Nobody waits for the first point from here."""

    def __init__(
        self, company: Company, stop: Callable[[int], None], lost: Callable[[], None], warning: Callable[[str], None],
        news: Callable[[wire.Message | Nonfinite], None],
    ) -> None:  # fmt: skip
        self._company = company
        self._stop = stop
        self._lost_it = lost
        self._warning = warning
        self._news = news
        self._changed = threading.Condition()
        self._waiting: deque[bytes | str] = deque()
        self._bytes = 0
        self._told: tuple[int, float] = (0, 0.0)
        self._viewed_until = 0.0
        self._joined = self._lost = self._ended = self._over = False
        self._failures = 0
        self._late = 0.0
        self.seq = 0
        self.dropped = 0
        """Frames that found no room."""

    @property
    def viewed(self) -> bool:
        """Whether someone looks at the run."""
        return time.monotonic() < self._viewed_until

    @property
    def found(self) -> bool:
        """Whether the first rank was found, or this has been asked in vain for long enough."""
        self._late = self._late or time.monotonic() + _JOIN
        return self._joined or time.monotonic() > self._late

    def meet(self, address: Address) -> None:
        """Where the first rank's courier is."""
        company = replace(self._company, secret=address.secret)
        threading.Thread(target=self._connect, args=(address, company), name="normscope-joining", daemon=True).start()

    def has_room(self) -> bool:
        """Whether one more frame may wait; if not, it counts as dropped."""
        if self._bytes <= _ROOM:
            return True
        self.dropped += 1
        return False

    def put(self, data: bytes) -> None:
        """Take an encoded frame. Returns at once."""
        message = wire.pack([data])
        with self._changed:
            self._bytes += len(message)
            self._say(message)

    def say(self, word: wire.State | wire.Graph) -> None:
        """Keep to ourselves what the first rank tells of itself too."""

    def tell(self, step: int) -> None:
        """All frames of the steps before this one have been put."""
        now = time.monotonic()
        if step > self._told[0] and now - self._told[1] > _TELL:
            self._told = step, now
            self._tell("at", step=step)

    def stop(self, _: int) -> None:
        """Someone has pressed stop where this rank is shown; the first one says when."""
        self._tell("stop")

    def close(self, end: wire.End | None, patience: float) -> bool:
        """Hand over what is left; whether the first rank has it all within `patience` seconds."""
        if end is not None:
            self._tell("end")
        with self._changed:
            if self._joined:
                self._changed.wait_for(lambda: self._over or not (end or self._waiting), min(patience, _JOIN))
            self._over = True
            self._changed.notify_all()
            return self._ended or not self._bytes

    def _tell(self, kind: str, **fields: Any) -> None:
        with self._changed:
            self._say(json.dumps({"type": kind, **fields}))

    def _say(self, message: bytes | str) -> None:
        self._waiting.append(message)
        self._changed.notify_all()

    def _connect(self, address: Address, company: Company) -> None:
        url = f"ws://{address.host}:{address.port}"
        try:
            with connect(
                url, open_timeout=ALIVE, ping_interval=ALIVE, ping_timeout=ALIVE, close_timeout=1, compression=None,
                max_size=LARGEST, proxy=None, logger=MUTE,
            ) as socket:  # fmt: skip
                self._serve(socket, company)
        except (OSError, InvalidHandshake, InvalidURI, TimeoutError, ConnectionClosed, WireError) as error:
            self._failures += 1
            if self._failures == _FAILURES and not self._over:
                self._warning(f"rank {company.rank} is not with rank 0 ({error}); training goes on without")
        with self._changed:
            self._changed.notify_all()
            if self._changed.wait_for(lambda: self._over, _BACK_OFF):
                return
        self._lost_it()

    def _serve(self, socket: ClientConnection, company: Company) -> None:
        _greet(socket, company)
        with self._changed:
            self._joined, self._lost = True, False
            self._changed.notify_all()
        hearing = threading.Thread(target=self._hear, args=(socket,), name="normscope-hear", daemon=True)
        hearing.start()
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._over or self._lost)
                    if self._lost or not self._waiting:
                        return
                    message = self._waiting.popleft()
                    self._bytes -= len(message) if isinstance(message, bytes) else 0
                socket.send(message)
        finally:
            socket.close()
            hearing.join()

    def _hear(self, socket: ClientConnection) -> None:
        try:
            for message in socket:
                said = json.loads(message)
                match said["type"]:
                    case "stop":
                        self._stop(int(said["after"]))
                        self._tell("stops")
                    case "viewed":
                        self._viewed_until = time.monotonic() + _VIEWED
                    case "news":
                        news = said["news"]
                        self._news(wire.parse(news) if isinstance(news, str) else Nonfinite(*news))
                    case "ended":
                        with self._changed:
                            self._ended = self._over = True
                            self._changed.notify_all()
        except (ConnectionClosed, OSError):
            pass
        with self._changed:
            self._lost = True
            self._changed.notify_all()


def _greet(socket: ClientConnection, company: Company) -> None:
    """Prove to the first rank that we belong to it, and have it prove the same."""
    word = secrets.token_urlsafe(16)
    try:
        asked = json.loads(socket.recv(timeout=ALIVE))
        proof = company.proof(company.rank, str(asked["word"]))
        socket.send(json.dumps({"rank": company.rank, "word": word, "proof": proof}))
        proven = company.proves(0, word, json.loads(socket.recv(timeout=ALIVE))["proof"])
    except (ValueError, KeyError, TypeError, RecursionError):  # someone else listens there by now
        proven = False
    if not proven:
        raise WireError("what answers there is not the first rank of this job")
