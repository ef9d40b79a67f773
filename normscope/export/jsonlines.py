"""A run as lines of JSON: what it is, then each step."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from .tables import Ragged, summaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .. import wire


def write(path: Path, layers: Sequence[wire.Layer], frames: Iterable[wire.Frame]) -> None:
    """Write a line with `layers`, then one for each step; what is not finite is null."""
    with path.open("w", encoding="utf-8") as file:
        known = [{"name": one.name, "type": one.type, "kinds": list(one.kinds)} for one in layers]
        file.write(_line({"layers": known}))
        for frame in frames:
            file.write(_line(_step(frame, layers)))


def _step(frame: wire.Frame, layers: Sequence[wire.Layer]) -> dict[str, Any]:
    columns = {name: _listed(column) for name, column in summaries([frame], layers).items()}
    del columns["step"], columns["time"]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    values = {name: _listed(one.mean) for name, one in frame.series.items()}
    return {
        "step": frame.first_step,
        "time": frame.time,
        "series": {name: value[0] if len(value) == 1 else value for name, value in values.items()},
        "summaries": rows,
    }


def _listed(column: Any) -> list[Any]:
    if isinstance(column, Ragged):
        return [column.values[a:b].tolist() for a, b in zip(column.offsets, column.offsets[1:], strict=False)]
    values = column if isinstance(column, list) else column.tolist()
    return [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
