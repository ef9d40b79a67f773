"""`normscope import`: what was recorded to files, given to a server."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .. import recording, wire
from ..errors import NormscopeError
from ..sending.delivery import Delivery, Listener
from ..sending.spool import unsent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..recording import Recording

DEFAULT_URL: Final = "http://127.0.0.1:8000"
AHEAD: Final = 4 << 20
"""Bytes that are read ahead of what the server has."""
_ANSWER: Final = 5.0
"""Seconds that a server has to answer."""
_PATIENCE: Final = 60.0
"""Seconds without anything being committed, after which a server is given up."""


class UnfinishedError(NormscopeError):
    """The server could not be given everything; what it has taken, it keeps."""


def main(argv: Sequence[str]) -> int:
    """Import files, one after the other.

    Returns:
        0 if the server has all of them; 1 if something is wrong with a file or the server; 130 if it was interrupted.
        What was imported before stays, and the same command goes on from there.
    """
    parser = argparse.ArgumentParser("normscope import", description="Give a server runs that were recorded to files.")
    parser.add_argument(
        "file", nargs="*", metavar="FILE", help="made by watch(model, file=FILE), or a folder of one run"
    )
    parser.add_argument(
        "--unsent", action="store_true",
        help=f"also what could not be sent, which is in {unsent()}; what the server has is removed there",
    )  # fmt: skip
    parser.add_argument("--url", help=f"the server (default: NORMSCOPE_URL, or {DEFAULT_URL})")
    parser.add_argument("--token", help="what the server asks for, if it does (default: NORMSCOPE_TOKEN)")
    given = parser.parse_args(argv)
    url = given.url or os.environ.get("NORMSCOPE_URL") or DEFAULT_URL
    token = given.token or os.environ.get("NORMSCOPE_TOKEN") or None
    left = sorted(unsent().glob("*")) if given.unsent else []
    if not (given.file or given.unsent):
        parser.error("name a file, or --unsent")
    for path in [*given.file, *left]:
        try:
            recorded = recording.open(path)
            new = give(recorded, url, token)
            if path in left:
                shutil.rmtree(path)
        except OSError as error:
            return _fail(f"{path} cannot be read: {error.strerror}")
        except NormscopeError as error:
            return _fail(str(error))
        except KeyboardInterrupt:
            return 130
        first, after = recorded.seqs
        sys.stdout.write(f"{path}: {recorded.hello.name}, {new:,} of {after - first:,} steps were new\n")
    return 0


def give(recorded: Recording, url: str, token: str | None = None) -> int:
    """Give a server a recorded run; how many of its captured steps it did not have.

    The run is known by the key that it was recorded with: a server that has some of it gets the rest.

    Raises:
        UnfinishedError: If the server cannot be reached, refuses it, lacks what comes before, or stops answering.
    """
    said: list[str] = []

    def wait(what: Callable[[], bool], patience: float) -> None:
        if not delivery.wait(what, patience):
            raise UnfinishedError(
                said[-1] if said else f"{url} does not answer; the same command goes on where this ends"
            )

    hello = replace(recorded.hello, token=token)
    delivery = Delivery(url, hello, Listener(lambda _: None, lambda _: None, said.append), AHEAD, disk=0)
    start, after = recorded.seqs
    try:
        wait(lambda: delivery.run is not None, _ANSWER)
        first = max(delivery.committed + 1, start)
        if start > delivery.committed + 1:
            raise UnfinishedError(
                f"{recorded.path} begins with frame {start}: it is the rest of a run, and {url} has none"
            )
        delivery.go_on_from(first)
        if recorded.edges:
            delivery.say(wire.Graph(recorded.edges))
        for data in recorded.encoded(first):
            wait(lambda: delivery.waiting < AHEAD, _PATIENCE)
            delivery.put(data, wire.check(data).frames)
        while delivery.committed + 1 < delivery.seq:
            before = delivery.committed
            wait(lambda before=before: delivery.committed > before, _PATIENCE)  # type: ignore[misc]
        delivery.close(recorded.end or wire.End("stopped", "the recording was not ended"), _PATIENCE)
        wait(lambda: delivery.ended, 0)
    finally:
        delivery.close(None, 0)
    return max(after - first, 0)


def _fail(sentence: str) -> int:
    sys.stderr.write(f"normscope: {sentence}\n")
    return 1
