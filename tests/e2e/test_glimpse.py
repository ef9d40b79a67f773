"""The picture that a page begins with: what Plotly will draw, where it will draw it, and nobody waits for the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from playwright.sync_api import expect

from tests.app.test_glimpse import pictured
from tests.conftest import wait_for

from .test_page import wait_painted

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Route

    from tests.conftest import Server

    Visit = Callable[..., Page]

STEPS: Final = 60
GEOMETRY: Final = """
(charts) => {
  const plots = charts.flatMap((name) => [...document.querySelectorAll(`[data-testid=chart-${name}]`)].slice(0, 2));
  return plots.map((plot) => {
    const at = plot.getBoundingClientRect();
    const place = ({ x, y }) => [x - at.x, y - at.y];
    const drawn = (path) => path.matches(".js-fill") || parseFloat(getComputedStyle(path).strokeWidth) > 0;
    const paths = [...plot.querySelectorAll("path.js-line, path.js-fill")].filter(drawn);
    const lines = paths.map((path) => {
      const matrix = path.getScreenCTM();
      const style = getComputedStyle(path);
      const given = [...path.getAttribute("d").matchAll(/(-?[\\d.]+),(-?[\\d.]+)/g)];
      const points = given.map(([, x, y]) => place(new DOMPoint(Number(x), Number(y)).matrixTransform(matrix)));
      const color = path.matches(".js-fill") ? style.fill : style.stroke;
      return { points, color: color.match(/[\\d.]+/g).slice(0, 3).join() };
    });
    const words = [...plot.querySelectorAll("text, .glimpse span, .glimpse i")].filter((word) => word.textContent);
    const labels = words.map((word) => {
      const box = word.getBoundingClientRect();
      return { text: word.textContent, at: place({ x: box.x + box.width / 2, y: box.y + box.height / 2 }) };
    });
    labels.sort((a, b) => a.text.localeCompare(b.text) || a.at[0] - b.at[0]);
    return { lines, labels, size: [at.width, at.height, at.x, at.y] };
  });
}
"""
"""Of charts: the points of each line on the screen, its colour, and each word with its middle."""
SHIFTS: Final = """
() => {
  window.shifted = [];
  new PerformanceObserver((list) => {
    for (const { sources } of list.getEntries()) {
      for (const { node, previousRect, currentRect } of sources) {
        const moved = Math.abs(currentRect.y - previousRect.y);
        if (moved > 1 && node?.parentElement?.closest("main")) window.shifted.push([node.className, moved]);
      }
    }
  }).observe({ type: "layout-shift", buffered: true });
}
"""
"""What of the main part of a page has moved up or down by more than a pixel."""


@pytest.fixture(scope="module")
def experiment(shared_server: Server) -> str:
    """An experiment that has ended, whose picture is drawn."""
    runs = shared_server.begin(steps=STEPS, pace=0)["runs"]
    for run in runs:
        shared_server.wait_status(run["id"], "finished")
    found: str = runs[0]["experiment"]
    pictured(shared_server, found)
    return found


class Held:
    """A page whose modules do not come until they are let in."""

    def __init__(self, visit: Visit, url: str, scheme: Literal["light", "dark"] = "light", **how: int) -> None:
        self.page = visit("about:blank", **how)
        self.page.emulate_media(color_scheme=scheme)
        self._waiting: list[Route] = []
        self._held = True
        self.page.route("**/experiment.js", self._ask)
        self.page.add_init_script(f"({SHIFTS})()")
        self.page.goto(url)
        self.page.locator(".glimpse").first.wait_for()

    def _ask(self, route: Route) -> None:
        if self._held:
            self._waiting.append(route)
        else:
            route.continue_()

    def let_in(self) -> None:
        def asked() -> bool:
            self.page.wait_for_timeout(10)  # what Playwright has to tell, it tells meanwhile
            return bool(self._waiting)

        wait_for(asked, "the page to ask for its modules")
        self._held = False
        for route in self._waiting:
            route.continue_()


def close(a: list[float], b: list[float], bound: float) -> bool:
    return all(abs(x - y) <= bound for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 360)])
def test_the_picture_is_what_plotly_draws(
    shared_server: Server, visit: Visit, experiment: str, theme: Literal["light", "dark"], width: int
) -> None:
    url = f"{shared_server.url}/e/{experiment}"
    held = Held(visit, url, width=width, height=1800, scheme=theme)
    page = held.page
    charts = ["loss", "accuracy", "bands"]
    before = page.evaluate(GEOMETRY, charts)
    assert [len(chart["lines"]) for chart in before] == [2, 4, 3, 3]
    held.let_in()
    wait_painted(page, STEPS - 1)
    for name in charts:
        page.locator(f"[data-testid=chart-{name}] .main-svg").first.wait_for()
    expect(page.locator(".glimpse")).to_have_count(0)
    for was, now in zip(before, page.evaluate(GEOMETRY, charts), strict=True):
        assert close(was["size"], now["size"], 1)
        assert [label["text"] for label in was["labels"]] == [label["text"] for label in now["labels"]]
        assert all(close(a["at"], b["at"], 1.6) for a, b in zip(was["labels"], now["labels"], strict=True))
        assert [line["color"] for line in was["lines"]] == [line["color"] for line in now["lines"]]
        for line, true in zip(was["lines"], now["lines"], strict=True):
            assert len(line["points"]) == len(true["points"])
            assert all(close(a, b, 0.6) for a, b in zip(line["points"], true["points"], strict=True))
    assert page.evaluate("window.shifted") == []


def test_the_picture_ends_where_the_data_do(shared_server: Server, visit: Visit, experiment: str) -> None:
    page = Held(visit, f"{shared_server.url}/e/{experiment}").page
    (drawn, *_) = page.evaluate(GEOMETRY, ["loss"])
    axes = [[label for label in drawn["labels"] if abs(label["at"][i] - edge) < 8] for i, edge in ((1, 174), (0, 48))]
    to_step, to_loss = (scale(labels, i) for i, labels in enumerate(axes))
    for run, line in zip(shared_server.get(f"/api/experiments/{experiment}")["runs"], drawn["lines"], strict=True):
        frames = shared_server.get(f"/api/runs/{run['id']}/history", format="json", points=600)["frames"]
        assert len(line["points"]) == len(frames) == STEPS
        for frame, (x, y) in zip(frames, line["points"], strict=True):
            assert to_step(x) == pytest.approx(frame["first_step"], abs=0.2)
            assert to_loss(y) == pytest.approx(frame["series"]["loss"]["mean"][0], abs=0.05)


def scale(labels: list[dict[str, Any]], i: int) -> Callable[[float], float]:
    """From places on the screen to values, by the numbers beside an axis."""
    (low, at_low), *_, (high, at_high) = sorted((float(label["text"]), label["at"][i]) for label in labels)
    return lambda at: low + (at - at_low) / (at_high - at_low) * (high - low)


def test_what_is_done_before_the_page_listens_is_done_then(
    shared_server: Server, visit: Visit, experiment: str
) -> None:
    held = Held(visit, f"{shared_server.url}/e/{experiment}")
    page = held.page
    page.get_by_test_id("filter").fill("act")
    page.get_by_test_id("sort").select_option("drift")
    page.get_by_role("button", name="Finding", exact=True).click()
    page.get_by_role("button", name="Evidence", exact=True).click()
    page.get_by_test_id("edit").click()
    expect(page.get_by_test_id("edit-dialog")).to_have_count(0)
    held.let_in()
    expect(page.get_by_test_id("edit-dialog")).to_be_visible()
    wait_for(lambda: "tab=evidence" in page.url and "sort=drift" in page.url, "the address to hold what was asked for")
    layers = page.locator(".layer:not([hidden])")
    expect(layers).to_have_count(3)
    page.get_by_test_id("name").fill("called otherwise")
    page.get_by_test_id("keep").click()
    expect(page.get_by_test_id("title")).to_have_text("called otherwise")


def test_a_view_that_is_left_before_its_charts_are_there_shows_what_was_asked_for(
    shared_server: Server, visit: Visit, experiment: str
) -> None:
    runs = shared_server.get(f"/api/experiments/{experiment}")["runs"]
    held = Held(visit, f"{shared_server.url}/e/{experiment}")
    page = held.page
    page.route("**/plotly*", lambda route: None)  # it never comes, so what is shown is not Plotly's
    held.let_in()
    wait_painted(page, STEPS - 1)
    expect(page.locator("[data-testid=chart-loss] .glimpse")).to_have_count(1)
    page.locator(".arm").first.click()
    expect(page.locator("[data-testid=chart-loss] .glimpse")).to_have_count(0)
    expect(page.locator("[data-testid=chart-loss] path.js-line")).to_have_count(len(runs) - 1)


def test_a_page_opens_in_place_with_its_picture(shared_server: Server, visit: Visit, experiment: str) -> None:
    page = visit(shared_server.url)
    page.wait_for_function("() => window.Plotly")
    page.get_by_test_id("experiment-row").first.click()
    page.wait_for_url(re.compile(experiment))
    wait_painted(page, STEPS - 1)
    expect(page.locator("[data-testid=chart-loss] .glimpse")).to_have_count(0)
    assert page.locator("[data-testid=chart-loss] .main-svg").count()
