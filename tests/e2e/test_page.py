"""A newcomer's first five minutes, in a real Chromium, against a real server with real trainers."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

import normscope
from tests.conftest import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server

    Visit = Callable[..., Page]

GONE = ("WebSocket connection", "ERR_CONNECTION_REFUSED", "Failed to load resource")
"""What Chromium itself says while a server is down."""


@pytest.fixture
def server(emptied_server: Server) -> Server:
    """Stopped, started and killed here, and the same one in all tests that do more than look."""
    return emptied_server


def painted(page: Page, run: str | None = None) -> int:
    """The last step that is drawn in the loss chart, of one run or of the one furthest behind; -1 before the first."""
    steps: dict[str, int] = page.evaluate("() => window.normscope ? window.normscope.painted : {}")
    return steps.get(run, -1) if run else min(steps.values(), default=-1)


def wait_painted(page: Page, step: int, timeout: float = 30) -> None:
    wait_for(lambda: painted(page) >= step, f"step {step} to be drawn", timeout)


def start(page: Page, **settings: float) -> str:
    """Press Start on the first page, with these settings; the id of the experiment that opens."""
    if settings:
        page.get_by_text("Settings", exact=True).first.click()
        for name, value in settings.items():
            page.locator(f'[name="{name}"]').fill(str(value))
    page.get_by_test_id("start").first.click()
    page.wait_for_url(re.compile(r"/e/\w+"))
    found = re.search(r"/e/(\w+)", page.url)
    assert found is not None
    return found[1]


def drawn_points(page: Page, chart: str) -> list[int]:
    """How many points each line of a chart has in the document itself, from the path that Plotly drew."""
    paths: list[str] = (
        page.get_by_test_id(chart)
        .first.locator("path.js-line")
        .evaluate_all("paths => paths.map(path => path.getAttribute('d') || '')")
    )
    return [len(re.findall(r"[ML,HVl]", d)) for d in paths]


def test_one_click_shows_two_nets_learning(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    expect(page.get_by_text("Zero-centred inputs of steady spread train faster")).to_be_visible()
    experiment = start(page)
    wait_painted(page, 30)
    runs = server.get(f"/api/experiments/{experiment}")["runs"]
    assert [run["arm"] for run in runs] == ["none", "batch"]
    expect(page.get_by_test_id("status")).to_contain_text("live")
    expect(page.get_by_test_id("layer-row")).to_have_count(10)
    for chart in ("chart-loss", "chart-accuracy", "chart-bands", "chart-histogram"):
        expect(page.get_by_test_id(chart).first).to_be_visible()
    assert sum(points > 10 for points in drawn_points(page, "chart-loss")) >= 2
    before = painted(page)
    wait_painted(page, before + 20)
    page.get_by_text("Landscape", exact=True).click()
    expect(page.get_by_test_id("chart-landscape").first).to_be_visible()
    assert "tab=landscape" in page.url


def test_pause_step_pace_and_stop_from_the_page(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    experiment = start(page, steps=100_000)
    wait_painted(page, 5)

    def runs() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = server.get(f"/api/experiments/{experiment}")["runs"]
        return found

    page.get_by_test_id("pause").click()
    wait_for(lambda: all(run["status"] == "paused" for run in runs()), "both runs to be held")
    expect(page.get_by_test_id("status")).to_contain_text("paused")
    held = [run["last_step"] for run in runs()]
    page.get_by_test_id("step").click()
    wait_for(lambda: [run["last_step"] for run in runs()] == [s + 1 for s in held], "exactly one step")
    page.get_by_test_id("resume").click()
    wait_for(lambda: all(run["last_step"] > s + 5 for run, s in zip(runs(), held, strict=True)), "both to go on")
    page.get_by_test_id("stop").click()
    began = time.monotonic()
    wait_for(lambda: all(run["status"] == "stopped" for run in runs()), "both runs to stop")
    assert time.monotonic() - began < 2
    expect(page.get_by_test_id("status")).to_contain_text("stopped")
    for run in runs():
        assert (server.data / "runs" / run["id"] / "final.pt").exists()


def test_a_crash_shows_the_trainers_last_error(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    experiment = start(page, steps=100_000)
    wait_painted(page, 3)
    with sqlite3.connect(f"file:{server.data}/normscope.db?mode=ro", uri=True) as db:
        (handle,) = db.execute("SELECT handle FROM runs WHERE arm = 'none' AND experiment = ?", [experiment]).fetchone()
    db.close()
    os.kill(int(handle.partition(":")[0]), signal.SIGTERM)
    expect(page.get_by_test_id("error").first).to_contain_text("SystemExit: ended by signal SIGTERM")


def test_the_page_comes_back_by_itself_when_the_server_does(server: Server, visit: Visit) -> None:
    page = visit(server.url, expected=GONE)
    experiment = start(page, steps=100_000)
    wait_painted(page, 20)
    server.kill()
    expect(page.get_by_test_id("connection").first).to_be_visible()
    server.start()
    wait_for(lambda: min(r["last_step"] for r in server.get(f"/api/experiments/{experiment}")["runs"]) > 60, "frames")
    reached = min(r["last_step"] for r in server.get(f"/api/experiments/{experiment}")["runs"])
    wait_painted(page, reached)
    expect(page.get_by_test_id("connection").first).to_be_hidden()
    # Nothing is missing between: as many points as a page has that was opened only now.
    for run in server.get(f"/api/experiments/{experiment}")["runs"]:
        server.post(f"/api/runs/{run['id']}/stop")
    wait_for(lambda: "stopped" in page.get_by_test_id("status").inner_text(), "the page to know it is over")
    fresh = visit(page.url)
    wait_painted(fresh, reached)
    last = painted(fresh)
    wait_painted(page, last)
    assert sorted(drawn_points(page, "chart-loss"))[-2:] == sorted(drawn_points(fresh, "chart-loss"))[-2:]


def test_an_old_experiment_opens_complete_after_a_restart(server: Server, visit: Visit) -> None:
    run = server.begin(steps=120, pace=0)["runs"]
    for one in run:
        server.wait_status(one["id"], "finished")
    server.stop()
    server.start()
    page = visit(server.url)
    row = page.get_by_test_id("experiment-row")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("finished")
    row.click()
    wait_painted(page, 119)
    expect(page.get_by_test_id("status")).to_contain_text("finished")
    assert sum(points >= 100 for points in drawn_points(page, "chart-loss")) >= 2


def press(page: Page, key: str, wanted: str) -> None:
    """Press a key that leads to this in the address.

    Once in some dozen times, on a busy machine, a key does not reach the page at all: then it is pressed again.
    """
    before = page.url
    for _ in range(3):
        page.keyboard.press(key)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if wanted in page.url:
                return
            page.wait_for_timeout(20)
        assert page.url == before
    pytest.fail(f"{key} does not lead to {wanted}; the address is {page.url}")


def test_the_address_holds_the_view_and_a_link_opens_it_read_only(server: Server, visit: Visit) -> None:
    runs = server.begin(steps=100, pace=0)["runs"]
    for run in runs:
        server.wait_status(run["id"], "finished")
    other = server.begin(steps=5, pace=0)["runs"][0]
    page = visit(f"{server.url}/e/{runs[0]['experiment']}")
    wait_painted(page, 99)
    page.get_by_text("Heat map", exact=True).click()
    wait_for(lambda: "mode=heat" in page.url, "the address to hold the kind of chart")
    page.get_by_test_id("cursor").focus()
    for step in (98, 97, 96):
        press(page, "ArrowLeft", f"step={step}")
    view = page.url.partition("?")[2]
    assert len(page.url) <= 300
    expect(page.get_by_test_id("cursor-step")).to_have_text("96")
    page.get_by_test_id("share").click()
    page.get_by_test_id("make-link").click()
    address = page.get_by_test_id("share-url")
    expect(address).to_have_value(re.compile(r"/s/[\w-]{22,}"))
    link = address.input_value()

    guest = visit(link, expected=("403", "1008"))
    wait_painted(guest, 99)
    assert guest.url.partition("?")[2] == view
    expect(guest.get_by_test_id("cursor-step")).to_have_text("96")
    for control in ("pause", "resume", "step", "stop", "pace", "share"):
        expect(guest.get_by_test_id(control)).to_have_count(0)
    assert guest.evaluate("document.cookie") == ""
    token = link.rpartition("/s/")[2].partition("?")[0]
    for path in (f"/api/runs/{other['id']}", "/api/experiments", f"/e/{other['experiment']}"):
        assert guest.request.get(f"{server.url}{path}?link={token}").status in (403, 404)

    page.get_by_test_id("revoke").first.click()
    wait_for(lambda: guest.request.get(link).status == 404, "the link to be dead")


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1440, 900), (3840, 2160)])
def test_nothing_hangs_over_the_edge(shared_server: Server, visit: Visit, width: int, height: int) -> None:
    runs = shared_server.begin(steps=30, pace=0)["runs"]
    for run in runs:
        shared_server.wait_status(run["id"], "finished")
    for path in ("/", f"/e/{runs[0]['experiment']}", f"/e/{runs[0]['experiment']}?tab=landscape"):
        page = visit(f"{shared_server.url}{path}", width=width, height=height)
        if path.endswith("landscape"):
            expect(page.get_by_test_id("chart-landscape").first).to_be_visible()
        elif path != "/":
            wait_painted(page, 29)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_value_out_of_range_is_explained_beside_its_field(shared_server: Server, visit: Visit) -> None:
    page = visit(shared_server.url)
    before = len(shared_server.get("/api/experiments")["experiments"])
    page.get_by_text("Settings", exact=True).first.click()
    page.locator('[name="steps"]').fill("-1")
    page.get_by_test_id("start").first.click()
    expect(page.get_by_role("alert").filter(has_text="At least 1")).to_be_visible()
    assert len(shared_server.get("/api/experiments")["experiments"]) == before


def test_what_is_changed_on_the_first_page_stays_in_its_address(shared_server: Server, visit: Visit) -> None:
    page = visit(f"{shared_server.url}/?steps=77&q=nothing")
    steps, rate = page.locator("[name=steps]"), page.locator("[name=rate]")
    expect(steps).to_be_visible()  # what somebody has changed is in sight
    expect(steps).to_have_value("77")
    rate.fill("0.3")
    page.locator("[name=arm][value='mean only']").check()
    expect(page).to_have_url(
        re.compile(r"\?(?=.*\bq=nothing\b)(?=.*\bsteps=77\b)(?=.*\brate=0\.3\b)(?=.*\barms=none%2Cmean)")
    )
    page.reload()
    expect(rate).to_have_value("0.3")
    expect(page.locator("[name=arm]:checked")).to_have_count(3)
    steps.fill("1200")  # as it begins
    expect(page).not_to_have_url(re.compile("steps"))


def test_a_heat_map_tells_values_whatever_its_scale_is(shared_server: Server, visit: Visit) -> None:
    """Of values about a thousand, whose asinh is about eight."""
    model = nn.Identity()
    with normscope.watch(model, name="thousands", url=shared_server.url, budget=None) as watch:
        for _ in range(20):
            model(torch.full((6000, 4), 1000.0) + torch.randn(6000, 4))
            watch.step(loss=1.0)
    known = shared_server.get("/api/experiments")["experiments"]
    (run,) = (run["id"] for e in known if e["name"] == "thousands" for run in e["runs"])
    for scale in ("asinh", "log"):
        page = visit(f"{shared_server.url}/r/{run}?mode=heat&scale={scale}")
        chart = page.get_by_test_id("chart-bands").first
        chart.locator(".heatmaplayer image").wait_for(state="attached")
        basis = page.get_by_test_id("layer-row").locator(".numbers b").get_attribute("title") or ""
        assert "of 24,000 values. The histogram is of 8,192: a percentile’s rank may be off by 1.1 %." in basis
        box = chart.bounding_box()
        assert box is not None
        label = chart.locator(".hoverlayer .hovertext")

        for share in (0.3, 0.4, 0.5):
            page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.4 * box["height"])
        expect(label).to_be_visible()
        said = label.locator("tspan.line").all_text_contents()
        (value,) = (line.partition(":")[0] for line in said if "of outputs" in line)
        assert 900 < float(value) < 1100, said


def test_a_net_from_a_users_own_loop_is_watched_without_a_reload(shared_server: Server, visit: Visit) -> None:
    page = visit(shared_server.url)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with normscope.watch(model, name="my very own net", url=shared_server.url, budget=None) as watch:
        for _ in range(50):
            optimizer.zero_grad()
            loss = model(torch.randn(16, 4)).square().mean()
            loss.backward()
            optimizer.step()
            watch.step(loss=loss)
        row = page.get_by_test_id("experiment-row").filter(has_text="my very own net")
        expect(row).to_be_visible()
        row.click()
        wait_painted(page, 49)
        expect(page.get_by_test_id("layer-row")).to_have_count(3)
    expect(page.get_by_test_id("status")).to_contain_text("finished")
    numbers = page.get_by_test_id("layer-row").first.locator(".numbers b")
    basis = "Mean ± standard deviation at the cursor, exact, of 128 values. The histogram is of all of them."
    expect(numbers).to_have_attribute("title", basis)


class Around(nn.Module):
    """A layer, and a way around it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.act, self.inner, self.head = nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stem = self.stem(x)
        return self.head(self.inner(self.act(stem)) + stem)  # type: ignore[no-any-return]


def test_the_net_is_drawn_beside_the_list_of_its_layers(shared_server: Server, visit: Visit) -> None:
    model = Around()
    with normscope.watch(model, name="a way around", url=shared_server.url, budget=None) as watch:
        for _ in range(3):
            model(torch.randn(16, 4)).square().mean().backward()
            watch.step()
    page = visit(shared_server.url)
    page.get_by_test_id("experiment-row").filter(has_text="a way around").click()
    wait_for(lambda: page.locator(".layer .rail").count() == 4, "a picture in every row")
    layer = page.locator(".layer")
    assert layer.evaluate_all("rows => rows.map(row => row.dataset.layer)") == ["stem", "act", "inner", "head"]
    # From the stem to the next and past two layers; at the head, both arrive.
    assert [layer.nth(i).locator(".rail path").count() for i in range(4)] == [2, 3, 3, 2]
    expect(layer.nth(3)).to_have_attribute("title", "head (Linear)\ntakes stem, inner")
    layer.nth(0).focus()
    assert page.locator(".layer.kin").evaluate_all("rows => rows.map(row => row.dataset.layer)") == ["act", "head"]
    page.get_by_test_id("sort").select_option("drift")
    expect(layer.nth(0).locator(".rail")).to_be_hidden()
    page.get_by_test_id("sort").select_option("order")
    expect(layer.nth(0).locator(".rail")).to_be_visible()
    page.get_by_test_id("filter").fill("inner")
    expect(layer.nth(0).locator(".rail")).to_be_hidden()


def test_a_newcomer_is_shown_around_and_may_leave(shared_server: Server, visit: Visit) -> None:
    runs = shared_server.begin(steps=20, pace=0)["runs"]
    page = visit(f"{shared_server.url}/e/{runs[0]['experiment']}")
    wait_painted(page, 19)
    expect(page.get_by_test_id("tour")).to_have_class(re.compile("new"))
    page.get_by_test_id("tour").click()
    seen = []
    while page.get_by_test_id("tour-card").count():
        seen.append(page.get_by_test_id("tour-text").inner_text())
        assert page.locator(".toured").count() == 1
        page.keyboard.press("Enter")  # the button to go on has the focus
    assert len(seen) == len(set(seen)) == 9
    assert page.locator(".toured").count() == 0
    page.get_by_test_id("tour").click()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("tour-card")).to_have_count(0)
    page.reload()
    expect(page.get_by_test_id("tour")).not_to_have_class(re.compile("new"))
