from __future__ import annotations

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from app.pages import figures
from normscope.catalogue import CHARTS

MEASURED = [chart for charts in CHARTS.values() for chart in charts]


def _experiment(*steps: int | None) -> dict[str, Any]:
    return {"runs": [{"steps": n} for n in steps]}


@pytest.fixture
def built() -> dict[str, Any]:
    return figures.build(_experiment(1200, 1200), {"evidence": MEASURED})


def test_every_trace_and_layout_is_one_that_plotly_knows(built: dict[str, Any]) -> None:
    for name, chart in built["charts"].items():
        figure = go.Figure(chart["roles"], chart["layout"])
        assert len(figure.data) == len(chart["roles"]), name
    for theme in built["themes"].values():
        go.Layout(theme["layout"])


def test_charts_explain_themselves(built: dict[str, Any]) -> None:
    for chart in built["charts"].values():
        assert chart["title"]
        assert chart["sentence"].endswith(".")
        assert all(chart["layout"][axis]["title"]["text"] for axis in ("xaxis", "yaxis"))


def test_the_planned_steps_are_the_longest_runs() -> None:
    charts = figures.build(_experiment(None, 300, 40))["charts"]
    assert charts["loss"]["layout"]["meta"]["planned"] == 300


@pytest.mark.parametrize("runs", [(), (None,)])
def test_a_run_without_an_end_can_be_drawn(runs: tuple[None, ...]) -> None:
    assert figures.build(_experiment(*runs))["charts"]["loss"]["layout"]["meta"]["planned"] == 0


def test_it_is_json_without_surprises(built: dict[str, Any]) -> None:
    assert json.loads(json.dumps(built, allow_nan=False)) == built


def test_both_themes_have_a_colour_for_each_of_seven_arms() -> None:
    assert {len(set(colours)) for colours in figures.ARMS.values()} == {7}


def test_what_a_claim_measures_has_a_chart_in_its_own_words(built: dict[str, Any]) -> None:
    assert [found["name"] for found in built["measured"]["evidence"]] == [chart.series for chart in MEASURED]
    for chart, found in zip(MEASURED, built["measured"]["evidence"], strict=True):
        drawn = built["charts"][chart.series]
        assert (drawn["title"], drawn["sentence"]) == (chart.title, chart.sentence)
        assert drawn["layout"]["yaxis"]["title"]["text"] == chart.axis
        assert found["logarithmic"] == chart.logarithmic
        # Over steps a band comes before the line; the axis is in steps, all of them.
        assert (len(drawn["roles"]) == 2) == (found["over"] == "steps")
        assert ("planned" in drawn["layout"].get("meta", {})) == (found["over"] == "steps")


def test_a_page_without_a_claim_has_no_evidence() -> None:
    assert figures.build(_experiment(10))["measured"] == {}
