"""The server that a command uses: one that is there, or one of its own for as long as it needs it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from http.client import HTTPException
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from ..errors import NormscopeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPENER: Final = build_opener(ProxyHandler({}))
_PATIENCE: Final = 30.0
"""Seconds that an answer may take."""


class UnreachableError(NormscopeError):
    """There is no server to be had, or it cannot do now what it should; the message says why in one sentence."""


class RefusedError(NormscopeError):
    """The server refuses what it is asked for; the message is its sentence."""


@dataclass(frozen=True, slots=True)
class Server:
    """Asked over HTTP.

    Attributes:
        url: Where it is.
        own: Whether it ends with this command.
    """

    url: str
    own: bool = False

    def get(self, path: str) -> Any:
        """What is at a path."""
        return self._ask(Request(f"{self.url}{path}"))  # noqa: S310  the user's own server

    def post(self, path: str, body: Any = None) -> Any:
        """The answer to a body, as JSON."""
        headers = {"Content-Type": "application/json"}
        return self._ask(Request(f"{self.url}{path}", json.dumps(body).encode(), headers))  # noqa: S310

    def _ask(self, request: Request) -> Any:
        try:
            with _OPENER.open(request, timeout=_PATIENCE) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                kind = RefusedError if error.code == 422 else UnreachableError
                raise kind(_sentence(error)) from None
        except (OSError, HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            words = getattr(reason, "strerror", None) or reason
            raise UnreachableError(f"there is no server to be had at {self.url}: {words}") from None


def _sentence(error: HTTPError) -> str:
    """What the server says is wrong."""
    try:
        return str(json.load(error)["detail"])
    except (ValueError, TypeError, KeyError):
        return f"{error.url} answers {error.code} {error.reason}"


@contextlib.contextmanager
def at_hand(url: str | None, folder: str) -> Iterator[Server]:
    """The server at a URL, else the one that holds the usual data folder, else one that is started for now.

    Args:
        url: Of a server; `NORMSCOPE_URL` unless given.
        folder: The name of the server's module that knows who holds a data folder.

    Raises:
        UnreachableError: If none can be started.
    """
    url = url or os.environ.get("NORMSCOPE_URL") or import_module(folder).usual_holder()
    if url:
        yield Server(url.rstrip("/"))
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
