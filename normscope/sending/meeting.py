"""Where the couriers of a job meet: the first rank's listens, those of the others connect to it and stay."""

from __future__ import annotations

import json
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from .. import wire
from ..background import MUTE
from ..errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.server import ServerConnection

    from .company import Company

ALIVE: Final = 5.0
"""Seconds between two pings, within which an answer must come, and which a newcomer has to prove itself."""
LARGEST: Final = 64 << 20
"""Bytes that a message between couriers may have."""
_AGREE: Final = 3.0
"""Seconds that the others may take to say that they have heard where to stop."""


@dataclass(slots=True)
class Members:
    """Who hears of what the other ranks do, on threads of the meeting's."""

    part: Callable[[int, bytes], None]
    """A rank has sent the frame of a step."""
    reached: Callable[[int, int], None]
    """A rank has nothing more to send of the steps before this one."""
    left: Callable[[int], None]
    """A rank's courier has gone."""
    stop: Callable[[], None]
    """Someone has pressed stop where that rank is shown."""


class Meeting:
    """The first rank's side.

    Args:
        company: The ranks.
        host: Where to listen.
        members: Hears what the other ranks say.

    Raises:
        OSError: If it cannot listen there.
    """

    def __init__(self, company: Company, host: str, members: Members) -> None:
        self.host = host
        self._company = company
        self._members = members
        self._changed = threading.Condition()
        self._there: dict[int, ServerConnection] = {}
        self._agreed: set[int] = set()
        self._server = serve(
            self._talk, host, 0, open_timeout=ALIVE, ping_interval=ALIVE, ping_timeout=ALIVE, close_timeout=1,
            compression=None, max_size=LARGEST, logger=MUTE,
        )  # fmt: skip
        self.port: int = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, name="normscope-meeting", daemon=True).start()

    def tell(self, kind: str, **fields: Any) -> None:
        """Say something to all who are there."""
        with self._changed:
            connections = list(self._there.values())
        for connection in connections:
            with suppress(ConnectionClosed, OSError):
                connection.send(json.dumps({"type": kind, **fields}))

    def agree(self, after: int) -> None:
        """Have all stop behind a step. Returns when all who are there know, or are not expected to answer any more."""
        with self._changed:
            self._agreed.clear()
        self.tell("stop", after=after)
        with self._changed:
            self._changed.wait_for(lambda: self._agreed >= set(self._there), _AGREE)

    def close(self) -> None:
        """Let everyone go."""
        with self._changed:
            connections = list(self._there.values())
        for connection in connections:
            connection.close()
        self._server.shutdown()

    def _talk(self, connection: ServerConnection) -> None:
        rank = -1
        try:
            rank = self._greet(connection)
            with self._changed:
                self._there[rank] = connection
                self._changed.notify_all()
            for message in connection:
                self._hear(rank, message, connection)
        except (ConnectionClosed, OSError):
            pass
        except (WireError, ValueError, KeyError, TypeError, RecursionError) as error:
            connection.close(1008, str(error)[:100])
        finally:
            with self._changed:
                if self._there.get(rank) is connection:
                    del self._there[rank]
                self._changed.notify_all()
            if rank >= 0:
                self._members.left(rank)

    def _greet(self, connection: ServerConnection) -> int:
        """The rank that has connected, once it and we have proven to belong together."""
        word = secrets.token_urlsafe(16)
        connection.send(json.dumps({"word": word}))
        said = json.loads(connection.recv(timeout=ALIVE))
        rank = said["rank"]
        if not self._company.proves(rank, word, said["proof"]):
            raise WireError("no rank of this job")
        connection.send(json.dumps({"proof": self._company.proof(0, str(said["word"]))}))
        return int(rank)

    def _hear(self, rank: int, message: str | bytes, connection: ServerConnection) -> None:
        if isinstance(message, bytes):
            for data in wire.split(message):
                self._members.part(rank, data)
            return
        said = json.loads(message)
        match said["type"]:
            case "at":
                self._members.reached(rank, int(said["step"]))
            case "stop":
                self._members.stop()
            case "stops":
                with self._changed:
                    self._agreed.add(rank)
                    self._changed.notify_all()
            case "end":
                self._members.left(rank)
                connection.send(json.dumps({"type": "ended"}))
            case other:
                raise WireError(f"a courier does not say {other!r}")


class Viewing:
    """Passes on, once in a while, that someone looks at the run."""

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting
        self._told = 0.0

    def note(self, viewed: bool) -> None:
        """Take note of whether someone does."""
        now = time.monotonic()
        if viewed and now - self._told > 1:
            self._told = now
            self._meeting.tell("viewed")
