"""Write the table of docs/limits.md from app/limits.py: `.venv/bin/python scripts/limits.py`."""

from __future__ import annotations

import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
PAGE = HOUSE / "docs" / "limits.md"
BEGIN, END = "<!-- made by scripts/limits.py -->\n", "<!-- until here -->\n"


def written(page: str) -> str:
    """The page with the table as it should be."""
    sys.path.insert(0, str(HOUSE))
    from app.limits import TABLE

    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    rows = [f"| {what} | {bound} | {answer} |\n" for what, bound, answer in TABLE]
    return "".join([head, BEGIN, "| what | at most | beyond it |\n| --- | --- | --- |\n", *rows, END, tail])


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
