"""A recorded run as arrays: `normscope.open("run.normscope")`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from . import wire
from .errors import WireError
from .reading import History, Reading
from .wire.file import SUFFIX, messages

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["History", "Recording", "open"]


class MixedError(WireError):
    """A folder holds files of different runs, where one run was asked for."""


class Place(NamedTuple):
    """Where a frame is, and which captured steps it holds: one, or several that were merged."""

    path: Path
    start: int
    size: int
    seq: int
    frames: int


class Recording(Reading):
    """A run in a file, or in a folder of files, read as it is asked for; made by `normscope.open`.

    Attributes:
        path: Of the file or the folder.
        hello: What introduces the run: its `name`, `layers` (`name`, `type` and `kinds` of each) and `versions`.
        edges: Pairs of layers, by index: the second takes what the first gives. Empty if that is not known.
        alerts: What people were told of, in order, each as it was told last.
        end: How it ended: `status`, `error` and `outcome`; None if it did not, or has not yet.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._places: list[Place] = []
        self._largest = -1
        found: dict[type[wire.Message], wire.Message] = {}
        alerts: dict[int, wire.Alert] = {}
        try:
            for file in files(self.path) if self.path.is_dir() else [self.path]:
                for word in self._read(file):
                    before = found.get(type(word))
                    if isinstance(word, wire.Hello) and isinstance(before, wire.Hello) and word.key != before.key:
                        raise MixedError(f"it holds different runs, and {file.name} is not of the first")
                    found[type(word)] = word
                    if isinstance(word, wire.Alert):
                        alerts[word.number] = word
        except WireError as error:
            raise type(error)(f"{self.path} cannot be read: {error}") from None
        hello, graph, end = (found.get(kind) for kind in (wire.Hello, wire.Graph, wire.End))
        if not isinstance(hello, wire.Hello):
            raise WireError(f"{self.path} cannot be read: it does not say of which run it is")
        if self._largest >= len(hello.layers):
            raise WireError(f"{self.path} cannot be read: a frame is of layer {self._largest} of {len(hello.layers)}")
        self.hello, self.layers = hello, hello.layers
        self.edges = graph.edges if isinstance(graph, wire.Graph) else ()
        self.alerts = tuple(alerts.values())
        self.end = end if isinstance(end, wire.End) else None

    def _read(self, path: Path) -> Iterator[wire.Message]:
        """Find the places of a file's frames; what else it says."""
        if path.exists() and not path.is_file():  # a pipe, say, which would be waited for
            raise WireError("it is no file")
        with path.open("rb") as file:
            for at, message in messages(file):
                if isinstance(message, str):
                    yield wire.parse(message)
                    continue
                head = wire.check(message)
                self._largest = max(self._largest, head.largest)
                if head.seq >= self.seqs[1]:  # else a file before this one has it
                    self._places.append(Place(path, at - len(message), len(message), head.seq, head.frames))

    def __len__(self) -> int:
        return len(self._places)

    @property
    def seqs(self) -> tuple[int, int]:
        """The number of the first captured step in it, and of the one that would come next."""
        if not self._places:
            return 0, 0
        return self._places[0].seq, self._places[-1].seq + self._places[-1].frames

    def encoded(self, first: int = 0) -> Iterator[bytes]:
        """The frames as they would have been sent, from the one with this number on."""
        wanted = (place for place in self._places if place.seq >= first)
        for path, places in groupby(wanted, lambda place: place.path):
            with path.open("rb") as file:
                for place in places:
                    file.seek(place.start)
                    yield file.read(place.size)

    def frames(self) -> Iterator[wire.Frame]:
        """The frames, in order: each is everything that was seen at a step."""
        return map(wire.decode, self.encoded())


def files(folder: Path) -> list[Path]:
    """The recordings in a folder, in the order of their names."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def open(path: str | os.PathLike[str]) -> Recording:  # noqa: A001  people call it as normscope.open
    """Read a run that `watch(model, file=path)` has recorded, also while it still does; or a folder that holds one run.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        WireError: If it is none of Normscope's, or the folder holds different runs.
    """
    return Recording(path)
