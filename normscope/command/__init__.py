"""`normscope run`: an experiment without a page. Needs no torch; the server it uses has that."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from .. import catalogue
from ..errors import NormscopeError
from .arguments import arguments, experiment
from .report import ENDED, Progress, table
from .server import RefusedError, Server, UnreachableError, at_hand

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_LOOK_EVERY: Final = 0.5
_AWAY: Final = 60.0
"""Seconds for which a server may be away, as when it is started anew, while nets train."""
_INTERRUPTED: Final = 130


def main(argv: Sequence[str], folder: str) -> int:
    """Run an experiment to its end and print what it found.

    Args:
        argv: The flags.
        folder: The name of the server's module that knows who holds a data folder.

    Returns:
        0 if it ran to its end, whatever the verdict; 1 if runs failed or were stopped, or if there is no server to be
        had; 2 for wrong arguments; 130 if it was interrupted.
    """
    parser = arguments()
    given = parser.parse_args(argv)
    if given.list:
        for claim in catalogue.CLAIMS.values():
            sys.stdout.write(f"{claim.number:2}  {claim.title} ({', '.join(claim.sizes)})\n")
        return 0
    try:
        body = experiment(given)
    except ValueError as error:
        parser.error(str(error))
    for number in (signal.SIGINT, signal.SIGTERM):  # whatever a shell in the background has made of them
        signal.signal(number, signal.default_int_handler)
    try:
        with at_hand(given.url, folder, given.token) as server:
            return _run(server, body, as_json=given.json)
    except NormscopeError as error:
        _say(str(error))
        return 2 if isinstance(error, RefusedError) else 1
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(server: Server, body: dict[str, Any], *, as_json: bool) -> int:
    started = server.post("/api/experiments", body)["id"]
    path = f"/api/experiments/{started}"
    _say(f"watch it at {server.url}/e/{started}")
    try:
        runs = _wait(server, path)
    except KeyboardInterrupt:
        server.post(f"{path}/stop")
        runs = _wait(server, path)
        _say(f"stopped; {_count(runs, 'finished')} of {len(runs)} runs had finished")
        return _INTERRUPTED
    finding = server.get(f"{path}/finding")
    # A server of one's own is gone by then; the next one knows the experiment, too.
    page = f"/e/{started} (normscope serve)" if server.own else f"{server.url}/e/{started}"
    if as_json:
        sys.stdout.write(f"{json.dumps({'experiment': started, **finding}, ensure_ascii=False)}\n")
    else:
        sys.stdout.write(f"{table(finding)}\npage: {page}\nagain: {finding['command']}\n")
    return _conclude(server, runs)


def _wait(server: Server, path: str) -> list[dict[str, Any]]:
    """The runs, once all of them have ended."""
    progress = Progress(sys.stderr)
    answered = time.monotonic()
    try:
        while True:
            try:
                runs: list[dict[str, Any]] = server.get(f"{path}/runs")["runs"]
            except UnreachableError:
                if time.monotonic() - answered > _AWAY:
                    raise
            else:
                answered = time.monotonic()
                progress.show(runs)
                if all(run["status"] in ENDED for run in runs):
                    return runs
            time.sleep(_LOOK_EVERY)
    finally:
        progress.end()


def _conclude(server: Server, runs: list[dict[str, Any]]) -> int:
    """The exit status, and a word about what did not work out."""
    for status in ("failed", "stopped"):
        ended = [run for run in runs if run["status"] == status]
        if ended:
            first = server.get(f"/api/runs/{ended[0]['id']}")
            reason = f": {first['error']}" if first["error"] else ""
            _say(f"{len(ended)} of {len(runs)} runs {status}; {first['name']}{reason}")
    return int(_count(runs, "finished") < len(runs))


def _count(runs: list[dict[str, Any]], status: str) -> int:
    return sum(run["status"] == status for run in runs)


def _say(sentence: str) -> None:
    sys.stderr.write(f"normscope: {sentence}\n")
