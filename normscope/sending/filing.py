"""Frames into a file, where there is no server to send them to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .. import wire
from ..wire.file import MAGIC, filed

if TYPE_CHECKING:
    from .delivery import Listener

_FLUSH: Final = 0.5
"""Seconds that frames may wait before they are handed to the system."""


def fresh(path: str | os.PathLike[str] | None) -> Path | None:
    """Make the file of a recording, empty; None for none.

    Raises:
        OSError: If there is one already, or it cannot be made.
    """
    if path is None:
        return None
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError as error:
        raise FileExistsError(f"file: {os.fspath(path)} exists, and recordings are not written over") from error
    except OSError as error:
        raise type(error)(f"file: {os.fspath(path)} cannot be made: {error.strerror}") from error
    return Path(path).resolve()


class Filing:
    """Takes frames as a `Delivery` does, and appends them to a file.

    Args:
        path: A file that is there and empty.
        hello: Introduces the run.
        listener: Hears if the file cannot be written; then frames are dropped, and it is tried again with each.
    """

    viewed = False
    """Nobody looks at a file while it is written."""
    reached = True
    """There is nothing to wait for."""

    def __init__(self, path: Path, hello: wire.Hello, listener: Listener) -> None:
        self._path = path
        self._listener = listener
        self._waiting: list[bytes] = [MAGIC, filed(hello.dump())]
        self._whole = 0
        """How long the file is, without what a full disk has cut off."""
        self._flushed_at = 0.0
        self.seq = 0
        """The number that the next frame will have."""
        self.dropped = 0
        """Frames that could not be written."""
        self._failing = False
        self._flush()

    def has_room(self) -> bool:
        """Whether one more frame may come; if not, it counts as dropped, before it has a number."""
        if self._failing and not self._flush():
            self.dropped += 1
            return False
        return True

    def put(self, data: bytes) -> None:
        """Take the encoded frame with the number `seq`."""
        self._waiting.append(filed(data))
        self.seq += 1
        if time.monotonic() - self._flushed_at > _FLUSH:
            self._flush()

    def say(self, word: wire.State | wire.Graph | wire.Alert) -> None:
        """Write down how layers hang together, and alerts; whether training pauses is of no interest later."""
        if not isinstance(word, wire.State):
            self._waiting.append(filed(word.dump()))

    def close(self, end: wire.End | None, patience: float) -> bool:
        """Write what is left, then the End if there is one; whether that could be done within `patience` seconds."""
        if end is not None:
            self._waiting.append(filed(end.dump()))
        deadline = time.monotonic() + patience
        while not self._flush():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def _flush(self) -> bool:
        """Write what waits, all of it or, as far as anyone who reads it can tell, nothing."""
        self._flushed_at = time.monotonic()
        if not self._waiting:
            return True
        data = b"".join(self._waiting)
        try:
            with self._path.open("r+b") as file:
                file.seek(self._whole)
                file.truncate()
                file.write(data)
        except OSError as error:
            if not self._failing:
                self._listener.warning(f"cannot write to {self._path} ({error.strerror}); new frames are dropped")
            self._failing = True
            return False
        self._failing = False
        self._whole += len(data)
        self._waiting.clear()
        return True
