"""A picture of effects: a dot for each seed, the mean with its interval, the threshold. SVG, light and dark."""

from __future__ import annotations

import math
from html import escape
from typing import Any, Final

ROW: Final = 30
LEFT: Final = 430
WIDE: Final = 300
COLORS: Final = {"supported": "#009E73", "contradicted": "#D55E00", "undecided": "#8a8f98"}


def forest(evidence: list[dict[str, Any]]) -> str:
    """One row for each criterion, on a scale of its own with the threshold in the middle."""
    rows = [_row(i, e) for i, e in enumerate(evidence)]
    height = ROW * len(evidence) + 14
    dark = "@media(prefers-color-scheme:dark){text{fill:#e6ebf0}}"
    style = "text{font:12px system-ui,sans-serif;fill:#24292f}.t{stroke:#9aa1ab}" + dark
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDE + 90} {height}" role="img">'
    return "\n".join([head, f"<style>{style}</style>", *rows, "</svg>"]) + "\n"


def _row(index: int, e: dict[str, Any]) -> str:
    y = ROW * index + 22
    label = escape(e["name"] if len(e["name"]) <= 66 else e["name"][:65] + "…")
    weight = "600" if e["decisive"] else "400"
    parts = [f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end" font-weight="{weight}">{label}</text>']
    middle = LEFT + WIDE / 2
    parts.append(f'<line class="t" x1="{middle}" x2="{middle}" y1="{y - 11}" y2="{y + 11}"/>')
    values = [v for v in e["seeds"].values() if v is not None]
    if not values or e["estimate"] is None:
        return "\n".join(parts)
    logarithmic = e["how"] == "ratio" and e["threshold"] > 0
    low, high = (e["estimate"] if e[k] is None else e[k] for k in ("low", "high"))

    def off(value: float) -> float:
        return math.log(value / e["threshold"]) if logarithmic else value - e["threshold"]

    reach = max(abs(off(v)) for v in [*values, low, high]) or 1.0

    def x(value: float) -> float:
        return round(middle + off(value) / reach * (WIDE / 2 - 8), 1)

    color = COLORS[e["verdict"]]
    parts += [f'<circle cx="{x(v)}" cy="{y}" r="3" fill="{color}" fill-opacity=".35"/>' for v in values]
    parts.append(f'<line x1="{x(low)}" x2="{x(high)}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="3"/>')
    parts.append(f'<circle cx="{x(e["estimate"])}" cy="{y}" r="5" fill="{color}"/>')
    parts.append(f'<text x="{LEFT + WIDE + 10}" y="{y + 4}">{e["estimate"]:.3g}</text>')
    return "\n".join(parts)
