"""Figures: layouts and empty traces, built once per page, which fills them with live data and the arms' colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from normscope.catalogue import Chart

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
RIDGES: Final = 12
"""Densities over steps that show a run, as in `static/lines/shares.js`."""
_STEP: Final = "step %{x:,.0f}"
_NAME: Final = "<extra>%{meta.name}</extra>"
_INK: Final = {
    "light": {
        "ink": "#161d25",
        "text": "#4a5460",
        "grid": "#e9edf1",
        "line": "#c9d1d9",
        "hover": "#ffffff",
        "edge": "#c9d1d9",
    },
    "dark": {
        "ink": "#e6ebf0",
        "text": "#9fabb8",
        "grid": "#232c36",
        "line": "#3a4653",
        "hover": "#1b232c",
        "edge": "#3a4653",
    },
}


def build(experiment: Mapping[str, Any], measured: Mapping[str, Sequence[Chart]] | None = None) -> Json:
    """All that the experiment page needs to draw.

    Args:
        experiment: As `GET /api/experiments/{id}` answers; a planned number of steps fixes the step axis.
        measured: The charts of what is measured, by the tab that they are on.

    Returns:
        `themes` (by name: a layout to lay under every chart's own, and the arms' colours in order), `config`
        (Plotly's), `charts` (by name: title, sentence, layout, and in order the empty traces that each run brings) and
        `measured` (by tab, of those charts that show what was measured: name, whether logarithmic, over steps or
        layers).
    """
    planned = max((run["steps"] or 0 for run in experiment["runs"]), default=0)
    themes = {name: {"layout": _theme(ink), "arms": ARMS[name]} for name, ink in _INK.items()}
    tabs = measured or {}
    charts = [chart for tab in tabs.values() for chart in tab]
    over_layers = {chart.series: _profile(chart) for chart in charts if chart.over == "layers"}
    over_steps = {chart.series: _measured(chart) for chart in charts if chart.over == "steps"}
    return {
        "themes": themes,
        "config": CONFIG,
        "charts": _over_steps(planned, over_steps) | _at_the_cursor() | over_layers,
        "measured": {
            name: [{"name": c.series, "logarithmic": c.logarithmic, "over": c.over} for c in tab]
            for name, tab in tabs.items()
        },
    }


def _theme(ink: Mapping[str, str]) -> Json:
    axis: Json = {
        "gridcolor": ink["grid"], "linecolor": ink["line"], "zerolinecolor": ink["line"], "tickcolor": ink["line"],
        "tickfont": {"color": ink["text"], "size": 11}, "title": {"font": {"color": ink["text"], "size": 11}},
    }  # fmt: skip
    return {
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 11, "color": ink["text"]},
        "hoverlabel": {"bgcolor": ink["hover"], "bordercolor": ink["edge"], "align": "left",
                       "font": {"family": FONT, "size": 12, "color": ink["ink"]}},
        "xaxis": axis, "yaxis": axis,
    }  # fmt: skip


def _layout(x: str, y: str, **more: Any) -> Json:
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


def _line(width: float, hover: str | None, **more: Any) -> Json:
    quiet: Json = {"hoverinfo": "skip"} if hover is None else {"hovertemplate": hover}
    return {"type": "scatter", "mode": "lines", "line": {"width": width, "simplify": False}, "x": [], "y": [],
            **quiet, **more}  # fmt: skip


def _area(alpha: float, width: float = 0, opaque: bool = False) -> Json:
    """A closed outline, filled with the arm's colour at this strength, which the page reads from `meta`."""
    return _line(width, None, fill="toself", meta={"alpha": alpha, "opaque": opaque})


def _chart(title: str, sentence: str, layout: Json, *roles: Json) -> Json:
    return {"title": title, "sentence": sentence, "layout": layout, "roles": list(roles)}


def _over_steps(planned: int, measured: Json) -> Json:
    charts = _progress() | _series() | _distributions() | _landscape() | measured
    for chart in charts.values():
        chart["layout"]["xaxis"] |= {"range": [0, min(planned, 20) or 20], "tickformat": "~s"}
        chart["layout"]["meta"] = {"planned": planned}
    return charts


def _progress() -> Json:
    """How well the nets do."""
    return {
        "loss": _chart(
            "Loss", "How wrong each net is on its own mini-batch. Lower is better; sooner is what the claim is about.",
            _layout("step", "loss"),
            _line(1.6, f"{_STEP}<br>loss %{{y:.4~g}}{_NAME}"),
        ),
        "accuracy": _chart(
            "Accuracy", "Share of samples classified right: thin on the mini-batch, bold on data it never trained on.",
            _layout("step", "samples right, %"),
            _line(0.9, None, opacity=0.5),
            _line(2.2, f"{_STEP}<br>test %{{y:.1f}} %{_NAME}"),
        ),
    }  # fmt: skip


def _series() -> Json:
    """Whatever else a run tells at a step; the page names each."""
    chart = _chart(
        "Series", "A number that each net, or the loop around it, has told over its steps.", _layout("step", "value"),
        _line(1.6, f"{_STEP}<br>%{{y:.4~g}}{_NAME}"),
    )  # fmt: skip
    return {"series": chart}


def _distributions() -> Json:
    """A layer's outputs; the traces of the bands are the outer one, the inner one, the median."""
    band = "<br>".join(f"{p} % %{{customdata[{i}]:.4~g}}" for i, p in reversed([*enumerate((5, 25, 50, 75, 95))]))
    return {
        "bands": _chart(
            "Distribution over steps",
            "Half of the layer's outputs lie in the dark band, nine in ten in the light one; the line is the median.",
            _layout("step", "value"),
            _area(0.16),
            _area(0.30),
            _line(1.6, f"{_STEP}<br>{band}{_NAME}"),
        ),
        "heat": _chart(
            "Histogram over steps",
            "Each column is the layer's histogram at a step: the stronger the colour, the more outputs.",
            _layout("step", "value"),
            {
                "type": "heatmap", "showscale": False, "zsmooth": False, "x": [], "y": [], "z": [],
                "hovertemplate": f"{_STEP}<br>%{{y:.3~g}}: %{{z:.2%}} of outputs{_NAME}",
            },
        ),
        "difference": _chart(
            "Difference over steps",
            "Each column compares two histograms at a step: where one arm has more of its outputs than the other, "
            "that arm’s colour shows how many more.",
            _layout("step", "value"),
            {
                "type": "heatmap", "showscale": False, "zsmooth": False, "x": [], "y": [], "z": [],
                "hovertemplate": f"{_STEP}<br>%{{y:.3~g}}: %{{z:.2%}} more{_NAME}",
            },
        ),
    }  # fmt: skip


def _landscape() -> Json:
    """What lies along the gradient, and between runs; traces of a band are the area, its upper and its lower end."""
    return {
        "landscape": _chart(
            "Loss along the gradient",
            "At some steps the loss is tried at eight distances along the gradient: the band is smallest to largest. "
            "A narrow band means that steps of any length are safe.",
            _layout("step", "loss"),
            _area(0.26),
            _line(1.2, f"{_STEP}<br>highest %{{y:.4~g}}{_NAME}"),
            _line(1.2, f"{_STEP}<br>lowest %{{y:.4~g}}{_NAME}"),
        ),
        "spread": _chart(
            "Spread of losses over runs",
            "From the smallest to the largest loss of those runs of an arm that are shown: how much the outcome "
            "depends on what differs between them. These nets are at different places; the band along the gradient is "
            "of one net at one place.",
            _layout("step", "loss"),
            _area(0.26),
            _line(1.2, f"{_STEP}<br>largest of these runs %{{y:.4~g}}<extra></extra>"),
            _line(1.2, f"{_STEP}<br>smallest of these runs %{{y:.4~g}}<extra></extra>"),
        ),
        "predictiveness": _chart(
            "Gradient predictiveness",
            "How much the gradient changes while moving along it, at worst. Lower: a step can be trusted.",
            _layout("step", "‖Δgradient‖₂"),
            _line(1.6, f"{_STEP}<br>%{{y:.4~g}}{_NAME}"),
        ),
        "beta": _chart(
            "Effective β-smoothness",
            "How fast the gradient changes per distance moved, at worst. Lower: a smoother landscape.",
            _layout("step", "‖Δgradient‖₂ / ‖Δweights‖₂"),
            _line(1.6, f"{_STEP}<br>%{{y:.4~g}}{_NAME}"),
        ),
    }  # fmt: skip


def _surface() -> Json:
    """The plane of a run's path; the traces are the losses and the path."""
    where = "%{x:.3~g}, %{y:.3~g}"
    return _chart(
        "Loss over the plane of the path",
        "Each net’s loss around its last weights, on the plane in which it has moved most, with the path it took. "
        "Each line away from a valley’s floor is the same factor; directions differ from net to net. Losses are of the "
        "first 256 training samples, in training mode: batch normalization uses these samples’ own statistics.",
        _layout("along the first direction", "along the second"),
        {
            "type": "contour", "showscale": False, "ncontours": 16, "contours": {"coloring": "fill"},
            "meta": {"alpha": 0.6}, "x": [], "y": [], "z": [], "hovertemplate": f"{where}<br>loss 10^%{{z:.2f}}{_NAME}",
        },
        _line(1.5, None, mode="lines+markers", marker={"size": 3}, meta={"ink": True}),
    )  # fmt: skip


def _measured(chart: Chart) -> Json:
    """What a claim measures: of a vector the mean over layers, and the band from the least to the most."""
    return _chart(
        chart.title, chart.sentence, _layout("step", chart.axis),
        _area(0.16), _points(f"{_STEP}<br>%{{customdata[0]:.4~g}}{_NAME}"),
    )  # fmt: skip


def _profile(chart: Chart) -> Json:
    layout = _layout("layer, from the input", chart.axis)
    return _chart(chart.title, chart.sentence, layout, _points(f"layer %{{x}}<br>%{{customdata[0]:.4~g}}{_NAME}"))


def _points(hover: str) -> Json:
    """A line that is seen even if there is only one point."""
    return _line(1.6, hover, mode="lines+markers", marker={"size": 4})


def _at_the_cursor() -> Json:
    return {
        "histogram": _chart(
            "At the cursor",
            "How the layer’s outputs are spread at the step of the cursor, as a density: each arm has area 1.",
            _layout("value", "density"),
            _area(0.22),
            _line(1.5, f"%{{customdata[0]:.4~g}}<br>density %{{y:.3~g}}{_NAME}"),
        ),
        "ridges": _chart(
            "Ridges over steps",
            "Each ridge is how the layer’s outputs are spread at a step; later steps lie further up.",
            _layout("value", "step"),
            *(_area(0.22, 1.1, opaque=True) for _ in range(RIDGES)),
        ),
        "curve": _chart(
            "Loss while moving along the gradient, at the cursor",
            "The loss after moving the weights by η against the gradient, at the last probed step up to the cursor.",
            _layout("step length η", "loss"),
            _line(1.8, f"η %{{x:.4~g}}<br>loss %{{y:.4~g}}{_NAME}", mode="lines+markers", marker={"size": 6}),
        ),
        "surface": _surface(),
    }  # fmt: skip
