"""Figures: layouts and empty traces, built once per page, which fills them with live data and the arms' colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

MARGIN: Final = {"l": 54, "r": 12, "t": 8, "b": 36, "pad": 0}
"""The same in every chart: `static/style.css` places the cursor by it."""
FONT: Final = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
CONFIG: Final[Json] = {"displayModeBar": False, "responsive": False, "doubleClick": False, "scrollZoom": False}

# Okabe and Ito's palette, which people with any colour vision can tell apart; lighter of each for dark pages.
ARMS: Final = {
    "light": ["#0072B2", "#D55E00", "#009E73", "#B4538B", "#8A6D00", "#3F8FC4", "#5B5B5B"],
    "dark": ["#56B4E9", "#FF8A3D", "#2BC79A", "#E08FBF", "#F0E442", "#9CCBF0", "#B0B0B0"],
}
_INK: Final = {
    "light": {"text": "#4a5460", "grid": "#e9edf1", "line": "#c9d1d9", "hover": "#ffffff", "edge": "#c9d1d9"},
    "dark": {"text": "#9fabb8", "grid": "#232c36", "line": "#3a4653", "hover": "#1b232c", "edge": "#3a4653"},
}


def build(experiment: Mapping[str, Any]) -> Json:
    """All that the experiment page needs to draw.

    Args:
        experiment: As `GET /api/experiments/{id}` answers; a planned number of steps fixes the step axis.

    Returns:
        `themes` (by name: a layout to lay under every chart's own, and the arms' colours in order), `config`
        (Plotly's) and `charts` (by name: title, sentence, layout, and by role the empty traces that each run brings).
    """
    planned = max((run["steps"] or 0 for run in experiment["runs"]), default=0)
    themes = {name: {"layout": _theme(ink), "arms": ARMS[name]} for name, ink in _INK.items()}
    return {"themes": themes, "config": CONFIG, "charts": _over_steps(planned) | _at_the_cursor()}


def _theme(ink: Mapping[str, str]) -> Json:
    axis: Json = {
        "gridcolor": ink["grid"], "linecolor": ink["line"], "zerolinecolor": ink["line"], "tickcolor": ink["line"],
        "tickfont": {"color": ink["text"], "size": 11}, "title": {"font": {"color": ink["text"], "size": 11}},
    }  # fmt: skip
    return {
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 11, "color": ink["text"]},
        "hoverlabel": {"bgcolor": ink["hover"], "bordercolor": ink["edge"], "font": {"family": FONT, "size": 12}},
        "xaxis": axis, "yaxis": axis,
    }  # fmt: skip


def _layout(x: str, y: str, **more: Any) -> Json:
    """A layout with titled axes that the pointer cannot zoom: dragging is for the step cursor."""
    shared: Json = {"fixedrange": True, "showline": False, "ticks": "", "automargin": False, "zeroline": False}
    return {
        "margin": MARGIN, "showlegend": False, "hovermode": "closest", "dragmode": False, "uirevision": "page",
        "xaxis": {**shared, "title": {"text": x, "standoff": 4}, "nticks": 7, "showgrid": False, "ticks": "outside",
                  "ticklen": 4, "showline": True},
        "yaxis": {**shared, "title": {"text": y, "standoff": 4}, "nticks": 5},
        **more,
    }  # fmt: skip


def _line(width: float, hover: str | None, **more: Any) -> Json:
    quiet: Json = {"hoverinfo": "skip"} if hover is None else {"hovertemplate": hover}
    return {"type": "scatter", "mode": "lines", "line": {"width": width, "simplify": False}, "x": [], "y": [],
            **quiet, **more}  # fmt: skip


def _area(alpha: float) -> Json:
    """A closed outline, filled with the arm's colour at this opacity (which the page reads from `meta`)."""
    return _line(0, None, fill="toself", meta={"alpha": alpha})


def _chart(title: str, sentence: str, layout: Json, roles: Json) -> Json:
    return {"title": title, "sentence": sentence, "layout": layout, "roles": roles}


def _over_steps(planned: int) -> Json:
    step = "step %{x:,.0f}"
    band = "<br>".join(f"{p} % %{{customdata[{i}]:.4~g}}" for i, p in reversed([*enumerate((5, 25, 50, 75, 95))]))
    charts = {
        "loss": _chart(
            "Loss", "How wrong each net is on its own mini-batch. Lower is better; sooner is what the claim is about.",
            _layout("step", "loss"),
            {"train": _line(1.6, f"{step}<br>loss %{{y:.4~g}}<extra>%{{meta.name}}</extra>")},
        ),
        "accuracy": _chart(
            "Accuracy", "Share of samples classified right: thin on the mini-batch, bold on data it never trained on.",
            _layout("step", "samples right, %"),
            {
                "train": _line(0.8, None, opacity=0.45),
                "test": _line(2.2, f"{step}<br>test %{{y:.1f}} %<extra>%{{meta.name}}</extra>"),
            },
        ),
        "bands": _chart(
            "Distribution over steps",
            "Half of the layer's outputs lie in the dark band, nine in ten in the light one; the line is the median.",
            _layout("step", "output value"),
            {"outer": _area(0.16), "inner": _area(0.30),
             "median": _line(1.6, f"{step}<br>{band}<extra>%{{meta.name}}</extra>")},
        ),
        "heat": _chart(
            "Histogram over steps",
            "Each column is the layer's histogram at a step: the stronger the colour, the more outputs.",
            _layout("step", "output value"),
            {"cells": {"type": "heatmap", "showscale": False, "zsmooth": False, "x": [], "y": [], "z": [],
                       "hovertemplate": f"{step}<br>%{{y:.3~g}}: %{{z:.2%}} of outputs<extra>%{{meta.name}}</extra>"}},
        ),
        "landscape": _chart(
            "Loss along the gradient",
            "At some steps the loss is tried at eight distances along the gradient: the band is smallest to largest. "
            "A narrow band means that steps of any length are safe.",
            _layout("step", "loss"),
            {"range": _area(0.26), "high": _line(1.2, f"{step}<br>highest %{{y:.4~g}}<extra>%{{meta.name}}</extra>"),
             "low": _line(1.2, f"{step}<br>lowest %{{y:.4~g}}<extra>%{{meta.name}}</extra>")},
        ),
        "predictiveness": _chart(
            "Gradient predictiveness",
            "How much the gradient changes while moving along it, at worst. Lower: a step can be trusted.",
            _layout("step", "‖Δgradient‖₂"),
            {"largest": _line(1.6, f"{step}<br>%{{y:.4~g}}<extra>%{{meta.name}}</extra>")},
        ),
        "beta": _chart(
            "Effective β-smoothness",
            "How fast the gradient changes per distance moved, at worst. Lower: a smoother landscape.",
            _layout("step", "‖Δgradient‖₂ / ‖Δweights‖₂"),
            {"largest": _line(1.6, f"{step}<br>%{{y:.4~g}}<extra>%{{meta.name}}</extra>")},
        ),
    }  # fmt: skip
    for chart in charts.values():
        chart["layout"]["xaxis"] |= {"range": [0, min(planned, 20) or 20], "tickformat": "~s"}
        chart["layout"]["meta"] = {"planned": planned}
    return charts


def _at_the_cursor() -> Json:
    value = "%{x:.4~g}<br>density %{y:.3~g}<extra>%{meta.name}</extra>"
    return {
        "histogram": _chart(
            "At the cursor",
            "Which values the layer puts out at the step of the cursor, as a density: each arm has area 1.",
            _layout("output value", "density"), {"area": _area(0.22), "outline": _line(1.5, value)},
        ),
        "curve": _chart(
            "Loss while moving along the gradient, at the cursor",
            "The loss after moving the weights by η against the gradient, at the last probed step up to the cursor.",
            _layout("step length η", "loss"),
            {"curve": _line(1.8, "η %{x:.4~g}<br>loss %{y:.4~g}<extra>%{meta.name}</extra>", mode="lines+markers",
                            marker={"size": 6})},
        ),
    }  # fmt: skip
