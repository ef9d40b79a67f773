"""A net of hundreds of layers: all are listed, and those that are looked at have charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from normscope import wire

from ..frames import Trainer, frame
from .test_page import wait_painted

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from ..conftest import Server

    Visit = Callable[..., Page]

LAYERS = 300


@pytest.fixture
def experiment(shared_server: Server) -> str:
    names = tuple(wire.Layer(f"fc{i}", "Linear") for i in range(LAYERS))
    trainer = Trainer(shared_server, "a key of a deep net", name="deep", layers=names)
    run = trainer.hear()["run"]
    trainer.say(*(wire.encode(frame(seq, layers=LAYERS)) for seq in range(20)))
    trainer.acknowledged(19)
    trainer.close()
    found: str = shared_server.get(f"/api/runs/{run}")["experiment"]
    return found


def test_only_rows_near_the_window_have_charts(shared_server: Server, visit: Visit, experiment: str) -> None:
    page = visit(f"{shared_server.url}/e/{experiment}")
    wait_painted(page, 19)
    rows = page.get_by_test_id("layer-row")
    expect(rows).to_have_count(LAYERS)
    expect(page.locator("button.layer")).to_have_count(LAYERS)
    filled = page.locator("[data-testid=layer-row] .charts")
    assert filled.count() < LAYERS / 4
    last = page.locator(f"[data-testid=layer-row][data-layer=fc{LAYERS - 1}]")
    expect(last.locator(".charts")).to_have_count(0)
    heights = rows.evaluate_all("rows => rows.slice(-3).map(row => row.getBoundingClientRect().height)")
    page.locator(f"button.layer[data-layer=fc{LAYERS - 1}]").click()
    expect(last).to_be_in_viewport(timeout=15_000)
    expect(last.get_by_test_id("chart-bands").locator(".main-svg").first).to_be_visible()
    assert last.evaluate("row => row.getBoundingClientRect().height") == pytest.approx(heights[-1], abs=60)
    assert filled.count() < LAYERS / 4  # it was jumped to, not past all the others
    page.get_by_test_id("theme").click()
    expect(last.get_by_test_id("chart-bands").locator(".main-svg").first).to_be_visible()
