"""docs/reliability.md: a row for each part, kept until the part is run again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..conftest import HOUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .found import Found
    from .vitals import Vitals

PAGE: Final = HOUSE / "docs" / "reliability.md"
COLUMNS: Final = (
    "part", "fault", "times", "frames sent", "acknowledged", "lost", "doubled", "memory, MB", "file handles",
    "delay p50, ms", "delay p95, ms", "outcome",
)  # fmt: skip
INTRODUCTION: Final = """# Reliability

Written by `make soak`, which injects faults into real processes, again and again, and loads a server for long;
`make soak ARGS="kills --times 20"` does one part anew and keeps the others' rows. `make test` has a short version of
each. Memory, file handles and delays are the server's, before → after. A delay is that of an answer to a request for
all experiments, unless a part says otherwise. What is thrown at whatever reads bytes from outside is in
[fuzzing.md](fuzzing.md).
"""

Row = tuple[str, str]
"""A row of the table, and what there is to say of it."""


def written(page: str, rows: Mapping[str, Row], order: Sequence[str]) -> str:
    """The page with these rows in place of the older ones of the same parts."""
    there = {**kept(page), **rows}
    shown = [there[part] for part in order if part in there]
    held = sum(row.endswith(" held |") for row, _ in shown)
    head = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    count = f"**{held} of {len(order)}** held."
    table = [*head, *(row for row, _ in shown)]
    said = [remark for _, remark in shown]
    return "\n".join([INTRODUCTION, count, "", *table, "", "## What was looked at", "", *said, ""])


def kept(page: str) -> dict[str, Row]:
    """The rows that a page has, by part."""
    rows = {part: row for row, part in re.findall(r"^(\| `(\w+)` \|.*)$", page, re.MULTILINE)}
    said = {part: remark for remark, part in re.findall(r"^(- `(\w+)`: .*)$", page, re.MULTILINE)}
    return {part: (row, said[part]) for part, row in rows.items() if part in said}


def row(part: str, fault: str, found: Found, measured: str) -> Row:
    """The row of a part, and what was looked at when and where."""
    cells = [
        f"`{part}`", fault, f"{found.times:,}",
        *map(_count, (found.sent, found.acknowledged, found.lost, found.doubled)),
        _change(found, lambda vitals: vitals.memory), _change(found, lambda vitals: vitals.files),
        _change(found, lambda vitals: vitals.milliseconds(0.5), 1),
        _change(found, lambda vitals: vitals.milliseconds(0.95), 1),
        found.outcome,
    ]  # fmt: skip
    faults = [f"**{fault}**" for fault in found.faults]
    said = "; ".join(filter(None, [*faults, found.missing, found.checked]))
    return f"| {' | '.join(cells)} |", f"- `{part}`: {said}. {measured}".replace("\n", " ")


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _change(found: Found, of: Callable[[Vitals], float], digits: int = 0) -> str:
    if found.before is None or found.after is None:
        return "–"
    return f"{of(found.before):.{digits}f} → {of(found.after):.{digits}f}"
