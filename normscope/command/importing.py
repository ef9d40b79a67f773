"""`normscope import`: what was recorded to files, and logs of TensorBoard, given to a server."""

from __future__ import annotations

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import recording, wire
from ..api import DEFAULT_URL, UnreachableError
from ..errors import NormscopeError
from ..sending.spool import unsent
from ..wire.file import SUFFIX
from .giving import UnansweredError, give
from .report import say, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..recording import Recording


def main(argv: Sequence[str]) -> int:
    """Import files and folders, one after the other.

    Returns:
        0 if the server has all of them; 1 if something is wrong with one or with the server; 130 if it was interrupted.
        What was imported before stays, and the same command goes on from there.
    """
    parser = arguments()
    given = parser.parse_args(argv)
    url = given.url or os.environ.get("NORMSCOPE_URL") or DEFAULT_URL
    token = given.token or os.environ.get("NORMSCOPE_TOKEN") or None
    if not (given.path or given.unsent):
        parser.error("name a file or a folder, or --unsent")
    wrong = 0
    try:
        for path in map(Path, given.path):
            wrong |= _import(path, given, url, token)
        for path in _left() if given.unsent else ():
            wrong |= _import(path, given, url, token, unsent=True)
    except (UnreachableError, UnansweredError) as error:
        return warn(str(error))
    except KeyboardInterrupt:
        return 130
    return wrong


def _left() -> list[Path]:
    """The folders of what could not be sent, each of one run."""
    return sorted(path for path in unsent().glob("*") if path.is_dir() and not path.is_symlink())


def _import(path: Path, given: argparse.Namespace, url: str, token: str | None, *, unsent: bool = False) -> int:
    """Import one of them; 1 if something is wrong with it, which is said.

    Raises:
        UnreachableError, UnansweredError: If there is no server, so that others need not be tried.
    """
    try:
        if _is_log(path) and not unsent:
            from .logs import import_logs

            return import_logs(path, url, token, given.rename, finished=given.finished)
        try:
            recorded = recording.open(path)
        except recording.MixedError:
            return max(_import(file, given, url, token) for file in recording.files(path))
        new = give_recorded(recorded, url, token)
        if unsent:
            shutil.rmtree(path)
    except OSError as error:
        return warn(f"{error.filename or path} cannot be read: {error.strerror}")
    except (UnreachableError, UnansweredError):
        raise
    except NormscopeError as error:
        return warn(str(error))
    first, after = recorded.seqs
    say(f"{path}: {recorded.hello.name}, {new:,} of {after - first:,} steps were new")
    return 0


def _is_log(path: Path) -> bool:
    """Whether it is one of TensorBoard's, and not a recording: these are files or, of what was not sent, folders."""
    return "tfevents" in path.name or (path.is_dir() and not any(path.glob(f"*{SUFFIX}")))


def arguments() -> argparse.ArgumentParser:
    """The flags of `normscope import`."""
    parser = argparse.ArgumentParser(
        "normscope import", description="Give a server runs that were recorded to files, or logged for TensorBoard."
    )
    parser.add_argument(
        "path", nargs="*", metavar="PATH",
        help="made by watch(model, file=FILE), or a folder of such files; or a folder in which there are event files "
        "of TensorBoard, at any depth",
    )  # fmt: skip
    parser.add_argument(
        "--unsent", action="store_true",
        help=f"also what could not be sent, which is in {unsent()}; what the server has is removed there",
    )  # fmt: skip
    parser.add_argument("--url", help=f"the server (default: NORMSCOPE_URL, or {DEFAULT_URL})")
    parser.add_argument("--token", help="what the server asks for, if it does (default: NORMSCOPE_TOKEN)")
    parser.add_argument(
        "--rename", action="append", default=[], metavar="TAG=NAME", type=_renaming,
        help="call a scalar of TensorBoard's otherwise: the page has charts of loss, accuracy and test_accuracy",
    )  # fmt: skip
    parser.add_argument(
        "--finished",
        action="store_true",
        help="logs of TensorBoard are whole; else the newest step of one that was written to a moment ago is left",
    )
    return parser


def _renaming(text: str) -> tuple[str, str]:
    tag, equals, name = text.rpartition("=")
    if not (equals and tag and name):
        raise argparse.ArgumentTypeError(f"{text!r}: write a tag and its new name as TAG=NAME")
    return tag, name


def give_recorded(recorded: Recording, url: str, token: str | None = None) -> int:
    """Give a server a recorded run; how many of its captured steps it did not have.

    The run is known by the key that it was recorded with: a server that has some of it gets the rest.

    Raises:
        UnfinishedError: If the server cannot be reached, refuses it, lacks what comes before, or stops answering.
    """
    words = [*([wire.Graph(recorded.edges)] if recorded.edges else ()), *recorded.alerts]
    return give(replace(recorded.hello, token=token), recorded.encoded, recorded.end, url, recorded.seqs, words=words)
