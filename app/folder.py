"""The data folder: one server at a time holds it, and says in it where it is to be reached."""

from __future__ import annotations

import contextlib
import fcntl
from typing import TYPE_CHECKING, Final

from normscope.errors import NormscopeError

from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = "server"


@contextlib.contextmanager
def held(data: Path, url: str) -> Iterator[None]:
    """Hold a data folder for the server at `url`; the system lets go when the process ends, however it does.

    Raises:
        NormscopeError: If another server holds it: two would each launch what waits in the one database.
    """
    with (data / _NAME).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise NormscopeError(f"the data folder {data} is in use by the server at {file.read()}") from None
        file.truncate(0)
        file.write(url)
        file.flush()
        yield


def holder(data: Path) -> str | None:
    """The address of the server that holds a data folder; None if none does."""
    with contextlib.suppress(OSError), (data / _NAME).open() as file:  # there may be no such folder
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read()
    return None


def usual_holder() -> str | None:
    """The address of the server that holds the usual data folder."""
    return holder(Settings().data)
