"""A folder of event files as one run."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from .. import sketch, wire
from ..errors import NormscopeError
from .index import Entry, Index
from .records import LARGEST, DamagedError, records
from .spreading import Spread, spread
from .values import Values, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_LAST: Final = 2**32 - 1
"""The last step that a frame has room for."""
_MOST_TAGS: Final = 65_535
_MOST_LETTERS: Final = 255
"""Bytes of a name in a frame."""
_SAY_EVERY: Final = 1 << 20
"""Bytes after which it is said how far reading is."""


def logs(root: Path, told: Callable[[str], object] = lambda _: None) -> list[Log]:
    """The runs under a folder, as TensorBoard has them: each folder with event files is one.

    Also a single event file is a run. Links within the folder are followed, each folder once; those that lead out of it
    are not, since the folder may be someone else's.

    Args:
        root: The folder, or the file.
        told: Hears of links that lead out of it.
    """
    if root.is_file():
        return [Log(root.parent.resolve().name, [root])]
    found: list[Log] = []
    seen: set[Path] = set()
    home = root.resolve()

    def is_inside(path: Path) -> bool:
        """Whether it is in the folder, wherever its name is."""
        place = path.resolve()
        if not place.is_relative_to(home):
            told(f"{path} leads to {place}, out of {root}, and is left out; name it too if it is to be imported")
        return place.is_relative_to(home)

    for folder, below, names in os.walk(root, followlinks=True):
        place = Path(folder).resolve()
        if place in seen or not is_inside(Path(folder)):
            below.clear()
            continue
        seen.add(place)
        below.sort()
        some = [Path(folder) / name for name in sorted(names) if is_event_file(name)]
        if files := [path for path in some if path.is_file() and is_inside(path)]:
            inside = Path(folder).relative_to(root).as_posix()
            found.append(Log(home.name if inside == "." else inside, files))
    return found


def is_event_file(name: str) -> bool:
    """Whether TensorBoard takes a file of this name for one with events."""
    return "tfevents" in name


class Log:
    """A run as TensorBoard keeps it.

    Attributes:
        name: Its folder, as seen from where one began to look.
        files: Its event files, in the order in which TensorBoard reads them.
        index: Its values, once it was read.
        damage: What is wrong with its files, a sentence for each that is damaged.
        odd: How many values could not be taken, by why.
    """

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name = name
        self.files = list(files)
        self.damage: list[str] = []
        self.index = Index()
        self._values = Values()
        self.odd = self._values.odd
        self._tags: dict[tuple[str, bool], int] = {}

    def close(self) -> None:
        """Let go of the index."""
        self.index.close()

    @property
    def key(self) -> str:
        """By what a server knows the run again, wherever its files are.

        It is made of the first file's name and first record, which tell when and where the log was begun, and which
        stay as they are while it grows.
        """
        digest = hashlib.sha256()
        for path in self.files:
            for data in (data for _, data in records(path) if data is not None):
                digest.update(path.name.encode() + b"\0" + data)
                return f"tensorboard-{digest.hexdigest()[:40]}"
        return ""

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many values are neither scalars nor histograms, by what they are."""
        return self._values.skipped

    @property
    def histograms(self) -> list[str]:
        """Tags of histograms, in the order in which they came."""
        return [name for name, is_histogram in self._tags if is_histogram]

    @property
    def scalars(self) -> list[str]:
        """Tags of scalars."""
        return [name for name, is_histogram in self._tags if not is_histogram]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(path.stat().st_size for path in self.files)

    @property
    def newest(self) -> float:
        """When a file of it was last written to, unix seconds."""
        return max(path.stat().st_mtime for path in self.files)

    def read(self, told: Callable[[int], None]) -> None:
        """Read all files as far as they are whole, into the index.

        Args:
            told: Hears now and then how many bytes were read.

        Raises:
            OSError: If a file cannot be read.
        """
        before, said = 0, 0
        for number, path in enumerate(self.files):
            try:
                for at, data in records(path):
                    self._take(number, at, data)
                    if before + at > said:
                        told(before + at)
                        said = before + at + _SAY_EVERY
            except DamagedError as error:
                self.damage.append(str(error))
            before += path.stat().st_size

    def _take(self, file: int, at: int, data: bytes | None) -> None:
        if data is None:
            self._leave(f"those of a record beyond {LARGEST >> 20} MB")
            return
        try:
            event = parse(data)
        except ValueError:
            raise DamagedError(f"{self.files[file]} is damaged: there is no event at byte {at - 12:,}") from None
        for place, tag, is_histogram, number in self._values.of(event):
            step, time = event.step, event.wall_time
            if not (0 <= step <= _LAST and abs(time) < np.inf):
                self._leave("at steps or times that make no sense")
                continue
            name = wire.made_text(tag, _MOST_LETTERS).encode()[:_MOST_LETTERS].decode(errors="ignore")
            known = self._tags.setdefault((name, is_histogram), len(self._tags))
            if known >= _MOST_TAGS:
                raise NormscopeError(f"{self.name} has more than {_MOST_TAGS:,} tags")
            if is_histogram:
                self.index.put(Entry(step, known, time, number, file, at, len(data), place))
            else:
                self.index.put(Entry(step, known, time, number))

    def _leave(self, why: str) -> None:
        self.odd[why] += 1

    def until(self, step: int) -> dict[tuple[str, bool], tuple[int, float]]:
        """By tag and whether it is of histograms, how many values there are up to a step, and their numbers' sum."""
        found = self.index.until(step)
        return {name: found[number] for name, number in self._tags.items() if number in found}

    def frames(
        self, seq: int, after: int, last: int, layers: Sequence[str], called: Mapping[str, str]
    ) -> Iterator[bytes]:
        """The frames of the steps after one and up to another, encoded.

        Args:
            seq: The number of the first.
            after: The step after which to begin.
            last: The step with which to end.
            layers: Tags of histograms, in the order in which the run's Hello names them as layers.
            called: Names for tags of scalars that are to have another.
        """
        names = {number: called.get(name, name) for (name, is_histogram), number in self._tags.items()}
        place = {number: layers.index(name) for (name, is_histogram), number in self._tags.items() if is_histogram}
        with ExitStack() as open_files:
            files = [open_files.enter_context(path.open("rb", 1 << 16)) for path in self.files]
            for step, entries in self.index.steps(after, last):
                series = {names[e.tag]: np.nan if e.number is None else e.number for e in entries if e.file is None}
                rows = [(place[e.tag], one) for e in entries if (one := self._histogram(files, e)) is not None]
                time = min(entry.time for entry in entries)
                yield _frame(seq, step, time, series, sorted(rows, key=lambda row: row[0]))
                seq += 1

    def _histogram(self, files: Sequence[BinaryIO], entry: Entry) -> Spread | None:
        """A histogram in the fixed bins; None for a scalar, or if it makes no sense."""
        if entry.file is None:
            return None
        file = files[entry.file]
        file.seek(entry.at)
        try:
            return spread(parse(file.read(entry.size)).summary.value[entry.place])
        except ValueError as error:
            self._leave(f"{error}")
            return None


def _frame(
    seq: int, step: int, time: float, series: dict[str, float], rows: Sequence[tuple[int, Spread]]
) -> bytes:  # fmt: skip
    if not rows:
        return wire.encode_step(seq, step, time, series, 0, b"")
    spreads = [one for _, one in rows]
    bins: Iterable[Any] = (one.bins + row * sketch.BINS for row, one in enumerate(spreads))
    return wire.encode(
        wire.Frame(
            seq, step, step, time, series={name: wire.Series.of(value) for name, value in series.items()},
            layers=np.array([layer for layer, _ in rows]), kinds=np.zeros(len(rows), np.int64),
            moments=np.array([one.moments for one in spreads]),
            counters=np.array([[one.values, 0, 0, 0] for one in spreads]),
            bins=np.concatenate(list(bins)), counts=np.concatenate([one.counts for one in spreads]),
        )
    )  # fmt: skip
