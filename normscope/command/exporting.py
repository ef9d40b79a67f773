"""`normscope export`: a run in another program's format."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .. import recording
from ..api import Client
from ..errors import NormscopeError
from .report import Bar, say, warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .. import wire

FORMATS: Final = {"parquet": "", "csv": "", "json": ".jsonl", "tensorboard": "", "html": ".html"}
"""What there is to choose from, and how the names of files end; what has no ending is a folder."""
_MODULES: Final = {"json": "jsonlines"}


def main(argv: Sequence[str], room: str) -> int:
    """Export a run.

    Args:
        argv: The flags.
        room: The name of the server's package, which is loaded if a data folder is to be read.

    Returns:
        0 if it was written; 1 if it could not be; 130 if it was interrupted, and then nothing is left behind.
    """
    given = arguments().parse_args(argv)
    try:
        with opened(given, room) as run:
            path = given.output or Path(f"{run.slug}-{given.format}{FORMATS[given.format]}")
            if path.exists():
                raise NormscopeError(f"{path} exists, and is not written over; choose another with -o")
            _write(run, given.format, path)
    except (NormscopeError, ValueError) as error:
        return warn(str(error))
    except OSError as error:
        return warn(f"{error.filename or given.run} cannot be read or written: {error.strerror}")
    except KeyboardInterrupt:
        return 130
    say(str(path))
    return 0


def arguments() -> argparse.ArgumentParser:
    """The flags of `normscope export`."""
    parser = argparse.ArgumentParser("normscope export", description="Write a run in another program's format.")
    parser.add_argument("run", metavar="RUN", help="its id, its name if no other has it, or a file with a recording")
    parser.add_argument("--format", choices=FORMATS, required=True, help="json is a line for each step")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PATH",
        help="what to write: a file for json and html, else a folder (default: the run's name and the format)",
    )  # fmt: skip
    parser.add_argument("--url", help="the server (default: NORMSCOPE_URL, or else the usual data folder)")
    parser.add_argument("--token", help="what the server asks for, if it does (default: NORMSCOPE_TOKEN)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="a data folder, whether a server is there or not")
    return parser


class Exported(ABC):
    """A run to be exported: one that was recorded, or one that a server has."""

    def __init__(self, name: str, layers: Sequence[wire.Layer], last_step: int) -> None:
        self.slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80] or "run"
        self.layers = layers
        self.last_step = last_step

    @abstractmethod
    def frames(self) -> Iterator[wire.Frame]:
        """All its steps."""

    def page(self) -> bytes:
        """Its page as one file."""
        raise NormscopeError("a page is made by a server: import the recording, then export the run from there")


class _Recorded(Exported):
    def __init__(self, path: str) -> None:
        self._recording = recording.open(path)
        steps = self._recording.steps
        super().__init__(self._recording.hello.name, self._recording.layers, int(steps[-1]) if len(steps) else 0)

    def frames(self) -> Iterator[wire.Frame]:
        return self._recording.frames()


class _Served(Exported):
    def __init__(self, client: Client, name: str) -> None:
        self._client, self._run = client, client.find(name)
        super().__init__(self._run["name"], client.layers(self._run), self._run["last_step"])

    def frames(self) -> Iterator[wire.Frame]:
        return self._client.frames(self._run)

    def page(self) -> bytes:
        return self._client.ask(f"/e/{self._run['experiment']}/saved.html?runs={self._run['id']}")


@contextlib.contextmanager
def opened(given: argparse.Namespace, room: str) -> Iterator[Exported]:
    """The run that is meant."""
    if Path(given.run).is_file():
        yield _Recorded(given.run)
        return
    url = given.url or os.environ.get("NORMSCOPE_URL")
    if url and given.data is None:
        yield _Served(Client(url, given.token), given.run)
        return
    with import_module(f"{room}.offline").reading(given.data) as found:
        yield _Served(Client(found, given.token), given.run)


def _write(run: Exported, format: str, path: Path) -> None:
    """Write it beside, then move it where it belongs: what is cut off leaves nothing that looks whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    bar = Bar(sys.stderr)
    try:
        if format == "html":
            part.write_bytes(run.page())
        else:
            module: Any = import_module(f"..export.{_MODULES.get(format, format)}", __package__)
            module.write(part, run.layers, _shown(bar, run))
        part.rename(path)
    finally:
        bar.clear()
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def _shown(bar: Bar, run: Exported) -> Iterator[wire.Frame]:
    """Its frames, while a bar says how far they are."""
    said = -1.0
    for frame in run.frames():
        share = frame.last_step / max(run.last_step, 1)
        if share - said > 0.01:
            said = share
            bar.move(min(share, 1.0), f"{share:.0%}, step {frame.last_step:,} of {run.last_step:,}")
        yield frame
