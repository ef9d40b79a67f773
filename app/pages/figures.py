"""Figures: layouts and empty traces, built once per page, which fills them with live data and the arms' colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .traces import NAME, STEP, area, axes, figure, line, points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from normscope.catalogue import Chart

    from .traces import Json

FONT: Final = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
CONFIG: Final[Json] = {"displayModeBar": False, "responsive": False, "doubleClick": False, "scrollZoom": False}

# Okabe and Ito's palette, which people with any colour vision can tell apart; lighter of each for dark pages.
ARMS: Final = {
    "light": ["#0072B2", "#D55E00", "#009E73", "#B4538B", "#8A6D00", "#3F8FC4", "#5B5B5B"],
    "dark": ["#56B4E9", "#FF8A3D", "#2BC79A", "#E08FBF", "#F0E442", "#9CCBF0", "#B0B0B0"],
}
RIDGES: Final = 12
"""Densities over steps that show a run, as in `static/lines/shares.js`."""
_FIRST: Final = {
    "layer": ("the first at the bottom", "layer, from the input"),
    "tenth": ("the sparsest at the bottom", "tenth, from the sparsest"),
}
"""What each number of a vector belongs to: where the first is, and what the axis says."""
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
    over_steps |= {f"{chart.series} by layer": _by_layer(chart) for chart in charts if chart.over == "steps"}
    return {
        "themes": themes,
        "config": CONFIG,
        "charts": _over_steps(planned, over_steps) | _at_the_cursor() | over_layers,
        "measured": {
            name: [{"name": c.series, "logarithmic": c.logarithmic, "over": c.over, "of": c.of} for c in tab]
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


def _over_steps(planned: int, measured: Json) -> Json:
    charts = _progress() | _series() | _distributions() | _landscape() | measured
    for chart in charts.values():
        chart["layout"]["xaxis"] |= {"range": [0, min(planned, 20) or 20], "tickformat": "~s"}
        chart["layout"]["meta"] = {"planned": planned}
    return charts


def _progress() -> Json:
    """How well the nets do."""
    return {
        "loss": figure(
            "Loss", "How wrong each net is on its own mini-batch. Lower is better; sooner is what the claim is about.",
            axes("step", "loss"),
            line(1.6, f"{STEP}<br>loss %{{y:.4~g}}{NAME}"),
        ),
        "accuracy": figure(
            "Accuracy", "Share of samples classified right: thin on the mini-batch, bold on data it never trained on.",
            axes("step", "samples right, %"),
            line(0.9, None, opacity=0.5),
            line(2.2, f"{STEP}<br>test %{{y:.1f}} %{NAME}"),
        ),
    }  # fmt: skip


def _series() -> Json:
    """Whatever else a run tells at a step; the page names each."""
    chart = figure(
        "Series", "A number that each net, or the loop around it, has told over its steps.", axes("step", "value"),
        line(1.6, f"{STEP}<br>%{{y:.4~g}}{NAME}"),
    )  # fmt: skip
    return {"series": chart}


def _distributions() -> Json:
    """A layer's outputs; the traces of the bands are the outer one, the inner one, the median."""
    band = "<br>".join(f"{p} % %{{customdata[{i}]:.4~g}}" for i, p in reversed([*enumerate((5, 25, 50, 75, 95))]))
    return {
        "bands": figure(
            "Distribution over steps",
            "Half of the layer's outputs lie in the dark band, nine in ten in the light one; the line is the median.",
            axes("step", "value"),
            area(0.16),
            area(0.30),
            line(1.6, f"{STEP}<br>{band}{NAME}"),
        ),
        "heat": figure(
            "Histogram over steps",
            "Each column is the layer's histogram at a step: the stronger the colour, the more outputs.",
            axes("step", "value"),
            {
                "type": "heatmap", "showscale": False, "zsmooth": False, "x": [], "y": [], "z": [],
                "hovertemplate": f"{STEP}<br>%{{customdata:.4~g}}: %{{z:.2%}} of outputs{NAME}",
            },
        ),
        "difference": figure(
            "Difference over steps",
            "Each column compares two histograms at a step: where one arm has more of its outputs than the other, "
            "that arm’s colour shows how many more.",
            axes("step", "value"),
            {
                "type": "heatmap", "showscale": False, "zsmooth": False, "x": [], "y": [], "z": [],
                "hovertemplate": f"{STEP}<br>%{{customdata:.4~g}}: %{{z:.2%}} more{NAME}",
            },
        ),
    }  # fmt: skip


def _landscape() -> Json:
    """What lies along the gradient, and between runs; traces of a band are the area, its upper and its lower end."""
    return {
        "landscape": figure(
            "Loss along the gradient",
            "At some steps the loss is tried at eight distances along the gradient: the band is smallest to largest. "
            "A narrow band means that steps of any length are safe.",
            axes("step", "loss"),
            area(0.26),
            line(1.2, f"{STEP}<br>highest %{{y:.4~g}}{NAME}"),
            line(1.2, f"{STEP}<br>lowest %{{y:.4~g}}{NAME}"),
        ),
        "spread": figure(
            "Spread of losses over runs",
            "From the smallest to the largest loss of those runs of an arm that are shown: how much the outcome "
            "depends on what differs between them. These nets are at different places; the band along the gradient is "
            "of one net at one place.",
            axes("step", "loss"),
            area(0.26),
            line(1.2, f"{STEP}<br>largest of these runs %{{y:.4~g}}<extra></extra>"),
            line(1.2, f"{STEP}<br>smallest of these runs %{{y:.4~g}}<extra></extra>"),
        ),
        "predictiveness": figure(
            "Gradient predictiveness",
            "How much the gradient changes while moving along it, over the eight distances: the bold line is the "
            "worst. Lower: a step can be trusted.",
            axes("step", "‖Δgradient‖₂"),
            *_from_worst_to_best(),
        ),
        "beta": figure(
            "Effective β-smoothness",
            "How fast the gradient changes per distance moved, over the eight distances: the bold line, the worst, is "
            "the effective smoothness. Lower: a smoother landscape.",
            axes("step", "‖Δgradient‖₂ / ‖Δweights‖₂"),
            *_from_worst_to_best(),
        ),
    }  # fmt: skip


def _from_worst_to_best() -> tuple[Json, Json, Json]:
    """The traces of what is the better the lower, over the distances along the gradient."""
    return (
        area(0.2),
        line(1.6, f"{STEP}<br>at worst %{{y:.4~g}}{NAME}"),
        line(0.7, f"{STEP}<br>at best %{{y:.4~g}}{NAME}"),
    )


def _surface() -> Json:
    """The plane through a run's last weights; the traces are the losses and the path."""
    where = "%{x:.3~g}, %{y:.3~g}"
    return figure(
        "Loss around the last weights",
        "Each net’s loss on the plane in which it has moved most, with the path it took, or, if the settings say so, "
        "on one of two random directions in which each filter is as long as the net’s own. "
        "Each line away from a valley’s floor is the same factor; directions differ from net to net. Losses are of the "
        "first 256 training samples, in training mode: batch normalization uses these samples’ own statistics.",
        axes("along the first direction", "along the second"),
        {
            "type": "contour", "showscale": False, "ncontours": 16, "contours": {"coloring": "fill"},
            "meta": {"alpha": 0.6}, "x": [], "y": [], "z": [], "hovertemplate": f"{where}<br>loss 10^%{{z:.2f}}{NAME}",
        },
        line(1.5, None, mode="lines+markers", marker={"size": 3}, meta={"ink": True}),
    )  # fmt: skip


def _measured(chart: Chart) -> Json:
    """What a claim measures: of a vector the mean over layers, and the band from the least to the most."""
    return figure(
        chart.title, chart.sentence, axes("step", chart.axis),
        area(0.16), points(f"{STEP}<br>%{{customdata[0]:.4~g}}{NAME}"),
    )  # fmt: skip


def _by_layer(chart: Chart) -> Json:
    """The same, of a vector each layer by itself; the page says how strong a cell's colour is, beside its number."""
    return figure(
        chart.title,
        f"Each row is a {chart.of}, {_FIRST[chart.of][0]}; the stronger the colour, the larger ({chart.axis}). "
        "Colours mean the same in all runs; they are logarithmic where numbers differ by orders of magnitude.",
        axes("step", _FIRST[chart.of][1]),
        {
            "type": "heatmap", "showscale": False, "zsmooth": False, "x": [], "y": [], "z": [],
            "hovertemplate": f"{STEP}<br>{chart.of} %{{y}}: %{{customdata:.4~g}}{NAME}",
        },
    )  # fmt: skip


def _profile(chart: Chart) -> Json:
    layout = axes("layer, from the input", chart.axis)
    return figure(chart.title, chart.sentence, layout, points(f"layer %{{x}}<br>%{{customdata[0]:.4~g}}{NAME}"))


def _at_the_cursor() -> Json:
    return {
        "histogram": figure(
            "At the cursor",
            "How the layer’s outputs are spread at the step of the cursor, as a density: each arm has area 1.",
            axes("value", "density"),
            area(0.22),
            line(1.5, f"%{{customdata[0]:.4~g}}<br>density %{{y:.3~g}}{NAME}"),
        ),
        "ridges": figure(
            "Ridges over steps",
            "Each ridge is how the layer’s outputs are spread at a step; later steps lie further up.",
            axes("value", "step"),
            *(area(0.22, 1.1, opaque=True) for _ in range(RIDGES)),
        ),
        "curve": figure(
            "Loss while moving along the gradient, at the cursor",
            "The loss after moving the weights by η against the gradient, at the last probed step up to the cursor.",
            axes("step length η", "loss"),
            line(1.8, f"η %{{x:.4~g}}<br>loss %{{y:.4~g}}{NAME}", mode="lines+markers", marker={"size": 6}),
        ),
        "surface": _surface(),
    }  # fmt: skip
