"""What a person sees of alerts, and of the page inside a notebook."""

from __future__ import annotations

import http.server
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

import normscope
from tests.conftest import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Server

    Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def dying(shared_server: Server) -> str:
    """A run whose second layer dies at step 20."""
    first = nn.Linear(4, 8)
    net = nn.Sequential(first, nn.ReLU(), nn.Linear(8, 2))
    with normscope.watch(net, name="dying", url=shared_server.url, budget=None, alerts=["loss > 5"]) as watch:
        for step in range(60):
            if step == 20:
                with torch.no_grad():
                    first.bias.sub_(100)
            net(torch.randn(16, 4))
            watch.step(loss=step / 10, **({"accuracy": 0.5} if step % 25 == 0 else {}))
    (run,) = [
        r for e in shared_server.get("/api/experiments")["experiments"] for r in e["runs"] if r["name"] == "dying"
    ]
    found: str = run["id"]
    return found


def test_alerts_are_listed_counted_and_lead_to_their_layer_and_step(
    shared_server: Server, visit: Visit, dying: str
) -> None:
    page = visit(f"{shared_server.url}/r/{dying}")
    alerts = page.get_by_test_id("alert")
    expect(alerts).to_have_count(2)
    expect(page.get_by_test_id("alerts").locator("summary")).to_have_text("2 alerts")
    expect(page.get_by_test_id("arms").get_by_text("⚠ 2")).to_be_visible()
    alerts.get_by_text("dead: the output of 1 is nothing but zeros since step 20").click()
    expect(page.get_by_test_id("cursor-step")).to_have_text("20")
    expect(page.locator('[data-testid="layer-row"][data-layer="1"]')).to_be_in_viewport()
    page.get_by_test_id("follow").click()
    expect(page.locator('.layer[data-layer="1"] .trouble')).to_have_text("dead since 20")
    page.goto(shared_server.url)
    row = page.get_by_test_id("experiment-row").filter(has_text="dying")
    expect(row.get_by_test_id("count")).to_have_text("⚠ 2")


def test_an_accuracy_that_is_told_seldom_is_shown(shared_server: Server, visit: Visit, dying: str) -> None:
    expect(visit(f"{shared_server.url}/r/{dying}").get_by_test_id("chart-accuracy")).to_be_visible()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that another port of this machine serves, as Jupyter would."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_notebook_shows_charts_that_live_and_what_has_a_place_there(
    shared_server: Server, visit: Visit, elsewhere: tuple[Path, str]
) -> None:
    run = shared_server.begin(steps=100_000, pace=40)["runs"][0]["id"]
    folder, url = elsewhere
    view = normscope.view(f"{shared_server.url}/r/{run}", height=600)
    (folder / "notebook.html").write_text(
        f"<!doctype html><title>n</title><link rel=icon href=data:>{view._repr_html_()}"
    )
    page = visit(f"{url}/notebook.html", width=900, height=700)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_test_id("pause")).to_be_visible()
    (inside,) = [one for one in page.frames if one.parent_frame]
    drawn = "() => window.normscope ? Math.min(...Object.values(window.normscope.painted)) : -1"
    first = wait_for(lambda: max(0, inside.evaluate(drawn)), "the first steps")
    wait_for(lambda: inside.evaluate(drawn) > first, "further steps")
    for gone in ("share", "compare", "save-page", "tour", "arms", "layers"):
        expect(frame.get_by_test_id(gone)).to_be_hidden()
    frame.get_by_role("button", name="Landscape").click()
    assert "embed=1" in inside.url
    with page.expect_popup() as opened:
        frame.get_by_test_id("whole").click()
    expect(opened.value.get_by_test_id("arms")).to_be_visible()
    assert "embed" not in opened.value.url
    assert "tab=landscape" in opened.value.url
