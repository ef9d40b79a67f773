"""The server that a command uses: one that is there, or one of its own for as long as it needs it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..api import Client, RefusedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RefusedError", "Server", "UnreachableError", "at_hand"]


class Server(Client):
    """A server that a command uses.

    Attributes:
        own: Whether it ends with this command.
    """

    def __init__(self, url: str, token: str | None = None, *, own: bool = False) -> None:
        super().__init__(url, token)
        self.own = own


@contextlib.contextmanager
def at_hand(url: str | None, folder: str, token: str | None = None) -> Iterator[Server]:
    """The server at a URL, else the one that holds the usual data folder, else one that is started for now.

    Args:
        url: Of a server; `NORMSCOPE_URL` unless given.
        folder: The name of the server's module that knows who holds a data folder.
        token: What the server asks for, if it does; `NORMSCOPE_TOKEN` unless given.

    Raises:
        UnreachableError: If none can be started.
    """
    url = url or os.environ.get("NORMSCOPE_URL") or import_module(folder).usual_holder()
    if url:
        yield Server(url, token)
        return
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "normscope", "serve", "--port", "0", "--no-browser"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True,
            start_new_session=True,  # Ctrl-C is this command's, which needs the server to stop the runs
        )  # fmt: skip
        try:
            yield Server(_address(process, said), own=True)
        finally:
            process.terminate()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _address(process: subprocess.Popen[str], said: Any) -> str:
    """Where a server that was started says it is, once it is there."""
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    if found is None:
        process.wait()
        said.seek(0)
        *_, last = said.read().splitlines() or ["normscope: it ended without a word"]
        raise UnreachableError(f"no server could be started: {last.removeprefix('normscope: ')}")
    return found[0]
