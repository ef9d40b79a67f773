"""The tab of everything that is told as one number a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from normscope import wire
from tests.conftest import wait_for
from tests.frames import Trainer, frame

from .test_page import wait_painted

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.conftest import Server

    Visit = Callable[..., Page]

STEPS: Final = 40


def stream(server: Server, name: str, **series: Callable[[int], float | list[float]]) -> str:
    """A finished run that has told these, of each step; its id."""
    trainer = Trainer(server, key=f"a key for series {name}", name=name)
    run: str = trainer.hear()["run"]
    for seq in range(STEPS):
        made = frame(seq)
        made.series = {key.replace("__", "/"): wire.Series.of(of(seq)) for key, of in series.items()}
        trainer.say(wire.encode(made))
    trainer.acknowledged(STEPS - 1)
    trainer.socket.send(wire.End("finished").dump())
    server.wait_status(run, "finished")
    return run


@pytest.fixture(scope="module")
def run(shared_server: Server) -> str:
    return stream(
        shared_server, "tells much",
        loss=lambda seq: 1 / (1 + seq), lr=lambda seq: 0.1 if seq < 20 else 0.01, grad__fc1=float, grad__fc2=float,
        norms=lambda seq: [1.0, 2.0 + seq],
    )  # fmt: skip


def shown(page: Page) -> list[str]:
    """The series that have a chart, in order."""
    found: list[str] = page.get_by_test_id("chart-series").evaluate_all("all => all.map(one => one.dataset.series)")
    return found


def test_each_number_that_is_told_has_a_chart(shared_server: Server, visit: Visit, run: str) -> None:
    page = visit(f"{shared_server.url}/r/{run}")
    wait_painted(page, STEPS - 1)
    page.get_by_role("button", name="Series", exact=True).click()
    wait_for(lambda: shown(page) == ["grad/fc1", "grad/fc2", "loss", "lr"], "a chart of each, and none of a vector")
    assert "tab=series" in page.url
    rate = page.locator("figure.panel").filter(has=page.locator('[data-series="lr"]'))
    expect(rate.locator(".readout")).to_have_text("0.01")
    line = rate.locator("path.js-line")
    wait_for(lambda: (line.first.get_attribute("d") or "").count(",") == STEPS, "all of its points")
    page.get_by_test_id("cursor").fill("5")
    expect(rate.locator(".readout")).to_have_text("0.1")
    page.keyboard.press("Escape")
    page.goto(page.url + "&span=2-9")
    wait_for(lambda: (line.first.get_attribute("d") or "").count(",") == 8, "the steps that are zoomed into")


def test_series_are_found_by_name_and_the_address_says_which(shared_server: Server, visit: Visit, run: str) -> None:
    page = visit(f"{shared_server.url}/r/{run}?tab=series")
    wait_for(lambda: len(shown(page)) == 4, "all of them")
    page.get_by_test_id("series-filter").fill("grad* lr")
    wait_for(lambda: shown(page) == ["grad/fc1", "grad/fc2", "lr"], "those that are asked for")
    expect(page.get_by_test_id("series-note")).to_have_text("3 of 4 series")
    again = visit(page.url)
    expect(again.get_by_test_id("series-filter")).to_have_value("grad* lr")
    wait_for(lambda: shown(again) == ["grad/fc1", "grad/fc2", "lr"], "the same at its address")
    again.get_by_test_id("series-filter").fill("")
    wait_for(lambda: len(shown(again)) == 4, "all of them again")
    assert "series=" not in again.url.replace("tab=series", "")


def test_there_is_no_chart_of_a_loss_that_nobody_told(shared_server: Server, visit: Visit) -> None:
    run = stream(shared_server, "tells no loss", lr=lambda _: 0.1)
    page = visit(f"{shared_server.url}/r/{run}")
    wait_painted(page, STEPS - 1)
    expect(page.get_by_test_id("chart-bands")).to_have_count(2)
    for chart in ("chart-loss", "chart-accuracy"):
        expect(page.get_by_test_id(chart)).to_be_hidden()
    page.get_by_role("button", name="Series", exact=True).click()
    wait_for(lambda: shown(page) == ["lr"], "what it has told")


@pytest.mark.parametrize("width", [360, 1440])
def test_charts_of_series_fit(shared_server: Server, visit: Visit, run: str, width: int) -> None:
    page = visit(f"{shared_server.url}/r/{run}?tab=series", width=width)
    page.locator("[data-testid=chart-series] .main-svg").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
