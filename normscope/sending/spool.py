"""Frames on disk, until there is a server to send them to."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from .. import wire
from ..errors import WireError
from ..wire.file import MAGIC, SUFFIX, filed, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DISK: Final = 1 << 30
"""Bytes of one run's frames that wait on disk."""
ALL: Final = 8 << 30
"""Bytes of all runs' frames, beyond which no further run puts its own there."""
_PART: Final = 4 << 20
"""Bytes of one file: what is read at once, and at least what is thinned at once."""
_AGAIN: Final = 1.0
"""Seconds after which a disk that refused is asked again."""
_LAST: Final = 1 << 32
"""By this number, words without frames stand behind everything."""


def unsent() -> Path:
    """Where what could not be sent is put: NORMSCOPE_UNSENT, or a folder for such things in the user's home."""
    given = os.environ.get("NORMSCOPE_UNSENT")
    if given:
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(state) if state else Path.home() / ".local" / "state") / "normscope" / "unsent"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir()) / "normscope-unsent"


class Part(NamedTuple):
    """A file of a spool."""

    path: Path
    size: int
    level: int
    """How often it was thinned."""


class Spool:
    """Files in a folder of the run's own, each a recording that begins where the one before ends.

    The folder is made when there is something to put there. It can be imported as it is, should this process die.

    Args:
        hello: Introduces the run.
        most: Bytes that the files may have together; 0 for none at all.
        tell: Hears what a person should know.
    """

    def __init__(self, hello: wire.Hello, most: int, tell: Callable[[str], None]) -> None:
        self._hello = hello
        self._most = most
        self._tell = tell
        self._path: Path | None = None
        self._parts: list[Part] = []
        self._newest: list[bytes] = []
        self._newest_size = 0
        self._refused: float | None = None
        self._told = False

    def __bool__(self) -> bool:
        return bool(self._parts or self._newest)

    def has_room(self) -> bool:
        """Whether one more frame may wait: not while the disk refuses what waits for it."""
        if self._refused is None:
            return self._most > 0
        return time.monotonic() - self._refused > _AGAIN and self._seal()

    def add(self, data: bytes) -> None:
        """Take an encoded frame."""
        self._newest.append(data)
        self._newest_size += len(data)
        if self._newest_size >= _PART:
            self._seal()

    def take(self) -> list[bytes]:
        """The oldest frames, as many as one file has; they are here no longer."""
        if not self._parts:
            found, self._newest, self._newest_size = self._newest, [], 0
            return found
        part = self._parts.pop(0)
        found = _frames(part)
        part.path.unlink(missing_ok=True)
        if not self._parts and self._path is not None:
            with contextlib.suppress(OSError):  # someone has put something else there
                self._path.rmdir()
            self._path = None
        return found

    def leave(self, older: Sequence[bytes], words: Sequence[wire.Message]) -> None:
        """Put what is in memory there too, behind some older frames and with some words at the end, and say where."""
        if not self._most or not (older or self):
            return
        try:
            if older:
                self._write(older)
            path, _ = self._write(self._newest, words)
        except OSError as error:
            self._tell(f"what could not be sent cannot be kept either: {error.strerror}")
            return
        self._tell(f"what could not be sent is in {path.parent}; `normscope import --unsent` gives it to a server")

    def _seal(self) -> bool:
        """Put the newest frames into a file, and make room if there are too many; whether that could be done."""
        if not self._newest:  # they were taken meanwhile
            self._refused = None
            return True
        try:
            part = Part(*self._write(self._newest), 0)
        except OSError as error:
            if self._refused is None:
                self._tell(f"frames that wait cannot be put on disk ({error.strerror}); new ones are dropped")
            self._refused = time.monotonic()
            return False
        self._refused = None
        self._parts.append(part)
        self._newest, self._newest_size = [], 0
        while sum(part.size for part in self._parts) > self._most and self._thin():
            pass
        return True

    def _write(self, frames: Sequence[bytes], words: Sequence[wire.Message] = ()) -> tuple[Path, int]:
        """A new file, whole or not there at all; its path and size."""
        if self._path is None:
            self._path = _new_folder(self._hello.name)
        data = [MAGIC, filed(self._hello.dump()), *map(filed, frames), *(filed(word.dump()) for word in words)]
        number = wire.check(frames[0]).seq if frames else _LAST  # by name, they stand in the order of what is in them
        path = self._path / f"{number:010d}{SUFFIX}"
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                size = file.write(b"".join(data))
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        return path, size

    def _thin(self) -> bool:
        """Merge frames of some files, four into one: of the oldest that were thinned least; whether that gave room."""
        levels = sorted({part.level for part in self._parts})
        groups = [[part for part in self._parts if part.level == level][: wire.MERGE] for level in levels]
        groups.sort(key=lambda group: len(group) < wire.MERGE)  # files that would stay small come last
        return any(map(self._merge, groups))

    def _merge(self, old: list[Part]) -> bool:
        """Make one file of some that follow each other; whether that gave room."""
        frames = _thinned([data for part in old for data in _frames(part)])
        room = sum(part.size for part in old)
        if sum(map(len, frames)) >= room:
            return False
        try:
            new = Part(*self._write(frames), old[0].level + 1)
        except OSError:
            return False
        for part in old:
            if part.path != new.path:
                part.path.unlink(missing_ok=True)
        at = self._parts.index(old[0])
        self._parts[at : at + len(old)] = [new]
        if not self._told:
            self._told = True
            self._tell(f"{self._most >> 20} MB wait on disk: the oldest steps are merged, {wire.MERGE} into one")
        return new.size < room


def _new_folder(name: str) -> Path:
    """A folder that nobody else reads: what is in it can speak for the run.

    Raises:
        OSError: If it cannot be made, or other runs have taken all the room there is.
    """
    every = unsent()
    if _size(every) > ALL:
        raise OSError(errno.EDQUOT, f"{ALL >> 30} GB of other runs wait in {every}")
    told = re.sub(r"[^\w.-]+", "-", name)[:60].strip("-.") or "run"
    path = every / f"{told}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    path.mkdir(mode=0o700, parents=True)
    return path


def _size(every: Path) -> int:
    """Bytes of the files in a folder's folders; what another run takes away meanwhile counts nothing."""
    size = 0
    for path in (path for folder in _inside(every) for path in _inside(folder)):
        with contextlib.suppress(FileNotFoundError):
            size += path.lstat().st_size
    return size


def _inside(folder: Path) -> list[Path]:
    """What is in a folder, unless it is gone, is none, or is not for us to read."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        return list(folder.iterdir())
    return []


def _frames(part: Part) -> list[bytes]:
    """The frames in a file; as many as can be read."""
    found: list[bytes] = []
    with contextlib.suppress(OSError, WireError), part.path.open("rb") as file:
        found.extend(message for _, message in messages(file) if isinstance(message, bytes))
    return found


def _thinned(frames: Sequence[bytes]) -> list[bytes]:
    """Frames in order, with four of one level that make one of the next merged, where such a one may begin."""
    found: list[bytes] = []
    waiting: list[tuple[wire.Head, bytes]] = []
    for data in frames:
        head = wire.check(data)
        place = head.seq // wire.MERGE**head.level % wire.MERGE
        if place != len(waiting) or (waiting and waiting[0][0].level != head.level):
            found += [old for _, old in waiting]
            waiting = []
            if place:
                found.append(data)
                continue
        waiting.append((head, data))
        if len(waiting) == wire.MERGE:
            found.append(wire.merge_encoded([old for _, old in waiting]))
            waiting = []
    return found + [old for _, old in waiting]
