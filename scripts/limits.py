"""Write the tables of docs/limits.md: `.venv/bin/python scripts/limits.py`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUSE = Path(__file__).resolve().parent.parent
PAGE = HOUSE / "docs" / "limits.md"
BEGIN, END = "<!-- made by scripts/limits.py -->\n", "<!-- until here -->\n"


def written(page: str) -> str:
    """The page with the tables as they should be."""
    sys.path.insert(0, str(HOUSE))
    from app.limits import TABLE

    tables = iter((TABLE, waiting()))
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}{table(next(tables))}{END}", page, flags=re.DOTALL)


def table(rows: Iterable[tuple[str, str, str]]) -> str:
    """Rows as a page has them."""
    return "".join(f"| {' | '.join(row)} |\n" for row in [("what", "at most", "beyond it"), ("---",) * 3, *rows])


def waiting() -> list[tuple[str, str, str]]:
    """What a training process keeps for a server that is away."""
    from normscope.sending import backlog, spool
    from normscope.wire import MERGE

    return [
        ("frames of a run in memory", f"{backlog.MEMORY >> 20} MB", "they wait on disk"),
        ("frames of a run on disk", f"{spool.DISK >> 30} GB", f"the oldest steps are merged, {MERGE} into one"),
        ("frames of all runs on disk", f"{spool.ALL >> 30} GB", "of another run, new frames are dropped and counted"),
    ]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
