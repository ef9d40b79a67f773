"""What figures are made of: layouts, and traces without data."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]

MARGIN: Final = {"l": 54, "r": 12, "t": 8, "b": 36, "pad": 0}
"""The same in every chart: `static/style.css` places the cursor by it."""
STEP: Final = "step %{x:,.0f}"
"""Where the pointer is; the page replaces it where runs are laid along something else."""
NAME: Final = "<extra>%{meta.name}</extra>"
"""Whose it is."""


def axes(x: str, y: str, **more: Any) -> Json:
    """A layout with titled axes that the pointer cannot zoom: dragging is for the step cursor."""
    shared: Json = {
        "fixedrange": True,
        "showline": False,
        "ticks": "",
        "automargin": False,
        "zeroline": False,
        "exponentformat": "power",
    }
    return {
        "margin": MARGIN, "showlegend": False, "hovermode": "closest", "dragmode": False, "uirevision": "page",
        "xaxis": {**shared, "title": {"text": x, "standoff": 4}, "nticks": 7, "showgrid": False, "ticks": "outside",
                  "ticklen": 4, "showline": True, "tickangle": 0},
        "yaxis": {**shared, "title": {"text": y, "standoff": 4}, "nticks": 5},
        **more,
    }  # fmt: skip


def line(width: float, hover: str | None, **more: Any) -> Json:
    """A line, and what it says where the pointer is; None: nothing."""
    quiet: Json = {"hoverinfo": "skip"} if hover is None else {"hovertemplate": hover}
    return {"type": "scatter", "mode": "lines", "line": {"width": width, "simplify": False}, "x": [], "y": [],
            **quiet, **more}  # fmt: skip


def area(alpha: float, width: float = 0, opaque: bool = False) -> Json:
    """A closed outline, filled with the arm's colour at this strength, which the page reads from `meta`."""
    return line(width, None, fill="toself", meta={"alpha": alpha, "opaque": opaque})


def figure(title: str, sentence: str, layout: Json, *roles: Json) -> Json:
    """A figure: in words, and in order the empty traces that each run brings."""
    return {"title": title, "sentence": sentence, "layout": layout, "roles": list(roles)}


def points(hover: str) -> Json:
    """A line that is seen even if there is only one point."""
    return line(1.6, hover, mode="lines+markers", marker={"size": 4})
