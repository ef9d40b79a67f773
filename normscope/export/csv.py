"""A run as a folder of two CSV files (RFC 4180)."""

from __future__ import annotations

import csv
import math
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from .tables import Ragged, batches, series, summaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from .. import wire

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a text begins with that a spreadsheet would compute."""


def write(path: Path, layers: Sequence[wire.Layer], frames: Iterable[wire.Frame]) -> None:
    """Write `summaries.csv` and `series.csv` into a new folder.

    A list is a cell with blanks between its numbers; what is not finite is empty. A text that a spreadsheet would take
    for a formula gets an apostrophe before it.
    """
    path.mkdir()
    writers: dict[str, Any] = {}
    with ExitStack() as files:
        for some in batches(frames):
            for name, columns in (("summaries", summaries(some, layers)), ("series", series(some))):
                if name not in writers:
                    file = files.enter_context((path / f"{name}.csv").open("w", encoding="utf-8", newline=""))
                    writers[name] = csv.writer(file)
                    writers[name].writerow(columns)
                writers[name].writerows(zip(*map(_cells, columns.values()), strict=True))


def _cells(column: Any) -> Iterator[Any]:
    if isinstance(column, Ragged):
        ends = column.offsets.tolist()
        values = list(map(str, column.values.tolist()))
        return (" ".join(values[a:b]) for a, b in pairwise(ends))
    return map(_cell, column if isinstance(column, list) else column.tolist())


def _cell(value: str | float) -> str | float:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return value if math.isfinite(value) else ""
