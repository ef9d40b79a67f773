"""One span of steps for all charts: brushed, zoomed, kept in the address, and shown in full detail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.conftest import wait_for

from .test_page import drawn_points, press, wait_painted
from .test_take_along import table, take

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.conftest import Server

    Visit = Callable[..., Page]

STEPS = 900
"""More than a page keeps of a run one by one."""


@pytest.fixture(scope="module")
def address(shared_server: Server) -> str:
    """An experiment that has ended, longer than a page shows in full."""
    runs = shared_server.begin(steps=STEPS, pace=0, landscape_every=STEPS, measure_every=100)["runs"]
    for run in runs:
        shared_server.wait_status(run["id"], "finished")
    return f"{shared_server.url}/e/{runs[0]['experiment']}"


def axis(page: Page, chart: str) -> list[float]:
    """The step axis of the first chart of a kind; empty until it is drawn."""
    found: list[float] = page.evaluate(
        "(name) => document.querySelector(`[data-testid=${name}] .host`)?.layout?.xaxis.range ?? []", chart
    )
    return found


def wait_axes(page: Page, first: int, last: int) -> None:
    wanted = [[first, last]] * 2
    wait_for(lambda: [axis(page, "chart-loss"), axis(page, "chart-bands")] == wanted, f"steps {first} to {last}")


def span(page: Page) -> tuple[int, int] | None:
    found = re.search(r"span=(\d+)-(\d+)", page.url)
    return None if found is None else (int(found[1]), int(found[2]))


def place(page: Page, step: float) -> tuple[float, float]:
    """Where a step of the loss chart lies in the window."""
    box = page.get_by_test_id("chart-loss").bounding_box()
    area = page.get_by_test_id("chart-loss").locator(".nsewdrag").bounding_box()
    assert box is not None
    assert area is not None
    first, last = axis(page, "chart-loss")
    return area["x"] + area["width"] * (step - first) / (last - first), box["y"] + box["height"] / 2


def brush(page: Page, first: float, last: float) -> None:
    """Hold Shift and draw over some steps of the loss chart."""
    page.keyboard.down("Shift")
    page.mouse.move(*place(page, first))
    page.mouse.down()
    page.mouse.move(*place(page, (first + last) / 2))
    page.mouse.move(*place(page, last))
    page.mouse.up()
    page.keyboard.up("Shift")


def test_brushing_shows_the_same_steps_everywhere_and_all_of_them(
    shared_server: Server, visit: Visit, address: str
) -> None:
    page = visit(address)
    wait_painted(page, STEPS - 1)
    coarse = [int(row["last_step"]) - int(row["step"]) for row in table(take(page, "chart-loss", "csv"))]
    assert max(coarse) > 0
    brush(page, 400, 700)
    page.wait_for_url(re.compile("span="))
    first, last = span(page) or (0, 0)
    assert abs(first - 400) <= 5
    assert abs(last - 700) <= 5
    wait_axes(page, first, last)
    points = last - first + 1  # each has a letter and a comma
    wait_for(lambda: drawn_points(page, "chart-loss")[:2] == [2 * points] * 2, "every step to be drawn")
    rows = table(take(page, "chart-loss", "csv"))
    assert {row["arm"] for row in rows} == {"none", "batch"}
    assert [int(row["step"]) for row in rows if row["arm"] == "batch"] == list(range(first, last + 1))
    assert all(row["step"] == row["last_step"] for row in rows)
    expect(page.get_by_test_id("zoom-whole")).to_contain_text(f"Steps {first:,} to {last:,}")
    # The cursor's range is the span, and arrow keys go on past its end.
    expect(page.get_by_test_id("cursor")).to_have_attribute("min", str(first))
    page.goto(f"{address}?span={first}-{last}&step={last}")
    wait_painted(page, STEPS - 1)
    wait_axes(page, first, last)
    wait_for(lambda: drawn_points(page, "chart-loss")[:2] == [2 * points] * 2, "every step to be drawn again")
    press(page, "ArrowRight", f"step={last + 1}&span={first + 1}-{last + 1}")
    page.mouse.dblclick(*place(page, 500))
    page.wait_for_function("() => !location.search.includes('span')")


def test_wheel_keys_and_buttons_zoom_around_the_cursor(shared_server: Server, visit: Visit, address: str) -> None:
    page = visit(f"{address}?step=600")
    wait_painted(page, STEPS - 1)
    expect(page.get_by_test_id("zoom-out")).to_be_disabled()
    page.get_by_test_id("zoom-in").click()
    page.wait_for_url(re.compile("span="))
    first, last = span(page) or (0, 0)
    assert last - first == STEPS // 2
    assert first < 600 < last
    page.get_by_test_id("zoom-out").click()
    page.wait_for_function("() => !location.search.includes('span')")
    page.locator("h1").click()
    press(page, "+", "span=")
    assert span(page) == (first, last)
    press(page, "+", f"span={600 - (600 - first) // 2}-")
    at = place(page, 600)
    page.mouse.move(*at)
    before = span(page)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function("(before) => !location.search.includes(before)", arg="span={}-{}".format(*(before or ())))
    narrow = span(page) or (0, 0)
    assert narrow[1] - narrow[0] < 0.8 * (last - first) / 2
    assert abs((narrow[0] + narrow[1]) / 2 - 600) < 250
    press(page, "0", "step=600")
    page.wait_for_function("() => !location.search.includes('span')")


def test_runs_are_laid_along_time_or_epochs(visit: Visit, address: str) -> None:
    page = visit(address)
    wait_painted(page, STEPS - 1)
    page.get_by_test_id("by").select_option("time")
    expect(page.get_by_test_id("chart-loss").locator(".xtitle")).to_have_text("seconds since the first step began")
    expect(page.get_by_test_id("cursor-step")).to_have_text(re.compile(r"^[\d.:]+ (s|min)$"))
    assert page.url.endswith("?by=time")
    page.get_by_test_id("zoom-in").click()
    expect(page.get_by_test_id("zoom-whole")).to_have_text(re.compile("^Time "))
    first, last = span(page) or (0, 0)
    # The steps that were made in that time, one by one, from the store.
    wait_for(lambda: page.evaluate("() => window.normscope.sharp"), "full detail")
    assert last > first > 0
    page.get_by_test_id("by").select_option("epoch")
    expect(page.get_by_test_id("chart-loss").locator(".xtitle")).to_have_text("epoch")
    assert page.url.endswith("?by=epoch")
    # A fifth of the digits is for testing: 900 steps of 60 digits are 37.55 epochs of the others.
    expect(page.get_by_test_id("cursor-step")).to_have_text(f"{STEPS * 60 / 1438:.2f}")
