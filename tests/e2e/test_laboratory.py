"""From a claim to its finding, in a real Chromium, against a real server with real trainers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server

    Visit = Callable[..., Page]

TINY = {"steps": 5, "rates": [0.1, 1.0], "init_scales": [1.0], "seeds": 3}


def finished(server: Server) -> list[dict[str, Any]]:
    """The runs of a tiny experiment of claim 10 that has ended: of the one that is there, or of a new one."""
    known = [e for e in server.get("/api/experiments")["experiments"] if e["claim"] == 10]
    if not known:
        answer = server.post("/api/experiments", {"claim": 10, "size": "quick", "settings": TINY})
        assert answer.status_code == 201, answer.text
        known = [answer.json()]
    runs: list[dict[str, Any]] = known[0]["runs"]
    for run in runs:
        server.wait_status(run["id"], "finished", timeout=120)
    return runs


def test_every_claim_is_a_click_away(shared_server: Server, visit: Visit) -> None:
    page = visit(shared_server.url)
    claims = shared_server.get("/api/catalogue")["claims"]
    for claim in claims[1:]:
        expect(page.locator(f'a[href="/c/{claim["number"]}"]')).to_contain_text(claim["title"])
    page.locator('a[href="/c/4"]').click()
    expect(page.get_by_role("heading", level=1)).to_have_text(claims[3]["title"])
    rule = page.get_by_test_id("decisive").locator("li")
    expect(rule).to_have_count(sum(criterion["decisive"] for criterion in claims[3]["rule"]))
    expect(rule.first).to_contain_text("above 0.5 supports the claim")
    page.locator('[rel="next"]').click()
    expect(page).to_have_url(re.compile(r"/c/5$"))


def test_an_unknown_claim_is_not_found(shared_server: Server) -> None:
    assert shared_server.http.get(f"{shared_server.url}/c/99").status_code == 404


def test_a_size_fills_the_form_and_wrong_values_are_explained(shared_server: Server, visit: Visit) -> None:
    page = visit(f"{shared_server.url}/c/1")
    expect(page.get_by_test_id("count")).to_have_text("2 runs")
    page.get_by_text("quick", exact=True).click()
    expect(page.get_by_test_id("count")).to_have_text("60 runs: 4 arms × 3 values of shift × 5 seeds")
    expect(page.locator('[name="shifts"]')).to_have_value("0, 1, 5")
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(4)
    before = len(shared_server.get("/api/experiments")["experiments"])
    for text, sentence in (
        ("0, 1, 1", "Each value once."),
        ("0, 500", "At most 100."),
        ("0,,1", "A number is needed."),
    ):
        page.locator('[name="shifts"]').fill(text)
        expect(page.locator("#setting-shifts-wrong")).to_have_text(sentence)
        page.get_by_test_id("start").click()
    assert len(shared_server.get("/api/experiments")["experiments"]) == before
    page.get_by_label("Data", exact=True).select_option("a file…")
    path = page.get_by_label("Data: path of a file")
    expect(path).to_be_focused()
    path.fill("mine.npz")
    expect(page.locator("#setting-data-wrong")).to_contain_text("or the whole path of a file that ends in .npz")
    path.fill("/nowhere/mine.npz")
    expect(page.locator("#setting-data-wrong")).to_have_text("")
    expect(visit(page.url).get_by_label("Data: path of a file")).to_have_value("/nowhere/mine.npz")


def saved(page: Page, chart: Locator, ending: str) -> bytes:
    """A chart as the file that its menu saves."""
    chart.get_by_test_id("take").focus()
    page.keyboard.press("Enter")
    with page.expect_download() as download:
        chart.get_by_test_id(f"take-{ending}").click()
    assert download.value.suggested_filename.endswith(f".{ending}")
    return Path(download.value.path()).read_bytes()


def test_from_a_claim_to_its_finding(shared_server: Server, visit: Visit) -> None:
    page = visit(f"{shared_server.url}/c/10")
    for name, text in (("steps", "5"), ("rates", "0.1, 1"), ("init_scales", "1"), ("seeds", "3")):
        page.locator(f'[name="{name}"]').fill(text)
    expect(page.get_by_test_id("count")).to_have_text("12 runs: 2 arms × 2 values of rate × 3 seeds")
    page.get_by_test_id("start").click()
    page.wait_for_url(re.compile(r"/e/\w+"))
    expect(page.get_by_test_id("choose-rate")).to_have_value("0.1")
    expect(page.get_by_test_id("choose-seed")).to_have_value("0")
    page.get_by_text("Finding", exact=True).click()
    expect(page.get_by_test_id("tally")).to_have_text("12 of 12 runs finished", timeout=120_000)
    expect(page.get_by_test_id("criterion")).to_have_count(4)
    expect(page.get_by_test_id("finding")).to_contain_text("3 of 3 seeds are in.")
    expect(page.get_by_test_id("command")).to_have_value(re.compile(r"^normscope run 10 .*steps=5"))
    page.get_by_text("Numbers of all 12 runs").click()
    expect(page.locator(".numbers tbody tr")).to_have_count(12)
    grid = page.get_by_test_id("map")
    assert grid.locator("thead th").all_inner_texts() == ["rate 0.1", "rate 1"]
    assert grid.locator("tbody th").all_inner_texts() == ["none", "batch"]
    expect(grid.locator("td.known")).to_have_count(4)
    expect(page.get_by_test_id("map-number")).to_have_value("final_loss")
    page.get_by_test_id("map-number").select_option("learned")
    expect(page).to_have_url(re.compile("map=learned"))
    expect(grid.locator("td.known").first).to_have_text("0")  # after five steps
    page.reload()
    expect(page.get_by_test_id("map-number")).to_have_value("learned")
    page.get_by_text("Numbers of all 12 runs").click()
    criterion = page.get_by_test_id("criterion").first
    picture = ET.fromstring(saved(page, criterion, "svg"))
    dots = picture.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == 3
    assert all(dot.get("fill", "").startswith("rgb") for dot in dots)  # as no style sheet comes along
    assert criterion.locator("b").first.inner_text() in " ".join(picture.itertext())
    assert len(saved(page, criterion, "csv").splitlines()) == 1 + 3
    with page.expect_download() as download:
        page.get_by_test_id("csv").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("run,arm,rate,seed,status")
    assert len(lines) == 13


def test_the_address_holds_what_is_shown_and_only_that_is_fetched(shared_server: Server, visit: Visit) -> None:
    runs = finished(shared_server)
    page = visit(shared_server.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{shared_server.url}/e/{runs[0]['experiment']}")

    def painted(*seeds: int, rate: float) -> bool:
        drawn = page.evaluate("() => window.normscope ? window.normscope.painted : {}")
        wanted = {r["id"] for r in runs if r["seed"] in seeds and r["varied"]["rate"] == rate}
        return set(drawn) == wanted and min(drawn.values()) >= 4

    wait_for(lambda: painted(0, rate=0.1), "the first seed under the first condition")
    histories = [url.split("/runs/")[1].split("/")[0] for url in asked if "/history?" in url]
    assert sorted(histories) == sorted(run["id"] for run in runs[:2])  # each once, though it is asked for early
    page.get_by_test_id("choose-rate").select_option("1")
    page.get_by_test_id("choose-seed").select_option("all")
    wait_for(lambda: painted(0, 1, 2, rate=1.0), "all seeds under the other condition")
    assert "where=rate:1,seed:all" in page.url
    assert len(page.url) <= 300
    again = visit(page.url)
    expect(again.get_by_test_id("choose-seed")).to_have_value("all")
    again.get_by_test_id("arms").get_by_role("button").first.click()
    wait_for(lambda: "arms=1" in again.url, "one arm to be hidden")


def test_the_spread_of_losses_over_runs_is_drawn_where_an_arm_has_several(shared_server: Server, visit: Visit) -> None:
    runs = finished(shared_server)
    page = visit(f"{shared_server.url}/e/{runs[0]['experiment']}?tab=landscape")
    spread = page.get_by_test_id("chart-spread")
    expect(spread).to_be_hidden()
    page.get_by_test_id("choose-rate").select_option("all")
    spread.scroll_into_view_if_needed()
    expect(spread.locator(".scatterlayer path.js-line")).to_have_count(2 * 3)  # of two arms the area and its ends
    expect(spread.locator(".scatterlayer path.js-fill")).to_have_count(2)


def test_all_that_was_recorded_is_shown(shared_server: Server, visit: Visit) -> None:
    settings = {"steps": 21, "seeds": 1, "measure_every": 5, "detail": "everything"}
    answer = shared_server.post("/api/experiments", {"claim": 3, "size": "quick", "settings": settings}).json()
    for run in answer["runs"]:
        shared_server.wait_status(run["id"], "finished", timeout=120)
    page = visit(f"{shared_server.url}/e/{answer['id']}")
    painted = '[data-testid="{}"] .scatterlayer path.js-line >> nth=0'
    for tab, chart in (("Gradients", "chart-health.update"), ("Normalizer", "chart-normalizer.gamma")):
        page.get_by_role("button", name=tab).click()
        expect(page.locator(painted.format(chart))).to_be_attached()
    page.get_by_role("button", name="Gradients").click()
    page.get_by_role("button", name="Layers", exact=True).click()
    expect(page).to_have_url(re.compile("each=layers"))
    by_layer = page.get_by_test_id("chart-health.update")
    expect(by_layer).to_have_count(2)  # one for each run
    expect(by_layer.nth(1).locator(".heatmaplayer image")).to_be_attached()
    head, *told = saved(page, page.locator("figure.panel").filter(has=by_layer).first, "csv").decode().splitlines()
    assert head.count("health.update layer") == 4  # those that are fully connected
    assert [row.split(",")[3] for row in told] == ["0", "5", "10", "15", "20"]
    page.get_by_role("button", name="Evidence").click()
    expect(page.get_by_test_id("chart-normalized.mean_error")).to_have_count(1)  # the other arm has no normalizer
    page.get_by_role("button", name="Gradients").click()
    page.get_by_role("button", name="Mean", exact=True).click()
    expect(by_layer).to_have_count(1)
    expect(page.locator(painted.format("chart-health.update"))).to_be_attached()
    page.get_by_role("button", name="Landscape").click()
    surfaces = page.get_by_test_id("chart-surface")
    expect(surfaces).to_have_count(2)
    surfaces.last.scroll_into_view_if_needed()
    expect(surfaces.last.locator(".contourlayer path").first).to_be_attached()
    page.get_by_text("3-D", exact=True).click()
    expect(page).to_have_url(re.compile("shape=relief"))
    reliefs = page.get_by_test_id("chart-relief").locator("svg")
    expect(reliefs).to_have_count(2)
    places = "svg => svg.querySelector('polygon').getAttribute('points')"
    before = [reliefs.nth(i).evaluate(places) for i in range(2)]
    reliefs.first.focus()
    page.keyboard.press("ArrowRight")
    turned = [reliefs.nth(i).evaluate(places) for i in range(2)]
    assert all(old != new for old, new in zip(before, turned, strict=True))  # both are seen from one place
    reliefs.first.drag_to(reliefs.first, source_position={"x": 100, "y": 100}, target_position={"x": 200, "y": 120})
    assert reliefs.first.evaluate(places) != turned[0]
    relief = page.get_by_test_id("chart-relief").first
    assert saved(page, relief, "png").startswith(b"\x89PNG\r\n\x1a\n")
    picture = ET.fromstring(saved(page, relief, "svg"))
    cells = picture.findall(".//{http://www.w3.org/2000/svg}polygon")
    assert len(cells) == relief.locator("polygon").count()
    head, *points = saved(page, relief, "csv").decode().splitlines()
    assert head == "a,b,loss"
    assert len(points) >= len(cells)
    page.get_by_role("button", name="Distributions").click()
    rows = page.get_by_test_id("layer-row")
    page.get_by_test_id("kind").select_option("weight")
    expect(rows).to_have_count(4 + 3)  # of layers that have weights: fully connected ones, and normalizers
    expect(page).to_have_url(re.compile("kind=weight(&|$)"))
    numbers = rows.first.locator(".numbers b").first
    expect(numbers).to_have_text(re.compile("±"))
    weights = numbers.inner_text()
    page.get_by_test_id("kind").select_option("weight_gradient")
    expect(numbers).not_to_have_text(weights)
    for mode, charts, drawn in (("Ridges", 3, "path.js-fill"), ("Difference", 2, ".heatmaplayer image")):
        page.get_by_role("button", name=mode).click()
        expect(rows.first.locator(".panel")).to_have_count(charts)
        expect(rows.first.locator(drawn).first).to_be_attached()


def test_an_experiment_is_renamed_and_found(shared_server: Server, visit: Visit) -> None:
    experiment = finished(shared_server)[0]["experiment"]
    page = visit(f"{shared_server.url}/e/{experiment}")
    page.get_by_test_id("edit").click()
    page.get_by_test_id("name").fill("no such name")
    page.get_by_test_id("name").press("Escape")
    expect(page.get_by_test_id("title")).not_to_have_text("no such name")
    page.get_by_test_id("edit").click()
    page.get_by_test_id("name").fill("careful rates")
    page.get_by_test_id("name").press("Enter")
    expect(page.get_by_test_id("title")).to_have_text("careful rates")
    expect(page).to_have_title("careful rates · Normscope")
    page.goto(f"{shared_server.url}/?q=rates%20finished")
    rows = page.get_by_test_id("experiment-row")
    expect(rows.first).to_contain_text("careful rates")
    shown = rows.count()
    page.get_by_test_id("search").fill("careful batch finished")
    expect(rows).to_have_count(1)
    assert shown >= 1
    expect(page).to_have_url(re.compile(r"\?q=careful\+batch\+finished$"))
    page.get_by_test_id("search").fill("zzz")
    expect(page.get_by_test_id("experiments")).to_contain_text("No experiment has all these words.")


def test_runs_of_two_experiments_are_compared(shared_server: Server, visit: Visit) -> None:
    runs = finished(shared_server)
    other = shared_server.post("/api/experiments", {"claim": 3, "size": "quick", "settings": {"steps": 5, "seeds": 1}})
    for run in other.json()["runs"]:
        shared_server.wait_status(run["id"], "finished", timeout=120)
    page = visit(f"{shared_server.url}/e/{runs[0]['experiment']}?arms=0")
    page.get_by_test_id("compare").click()
    expect(page).to_have_url(re.compile(rf"/compare/{runs[0]['id']}$"))
    expect(page.get_by_test_id("differences")).to_contain_text("the same settings")
    page.get_by_test_id("add-run").select_option(other.json()["runs"][0]["id"])
    expect(page.get_by_test_id("arms").get_by_role("button")).to_have_count(2)
    row = page.get_by_test_id("differences").locator("tr", has_text="activation")
    expect(row).to_contain_text("relu")
    expect(row).to_contain_text("sigmoid")
    wait_for(lambda: len(page.evaluate("() => window.normscope?.painted ?? {}")) == 2, "both runs to be drawn")
    page.get_by_test_id("arms").get_by_role("button").first.click()
    expect(page).to_have_url(re.compile(r"\?arms=1$"))
    expect(page.get_by_test_id("pause")).to_have_count(0)


def test_a_link_shows_the_finding_read_only(shared_server: Server, visit: Visit) -> None:
    experiment = finished(shared_server)[0]["experiment"]
    link = shared_server.post("/api/links", {"experiment": experiment, "view": "tab=finding"}).json()["url"]
    guest = visit(f"{shared_server.url}{link}")
    expect(guest.get_by_test_id("criterion")).to_have_count(4)
    expect(guest.get_by_test_id("pause")).to_have_count(0)


def test_pause_and_stop_are_for_all_runs(server: Server, visit: Visit) -> None:
    body = {"claim": 10, "size": "quick", "settings": {**TINY, "steps": 100_000}}
    experiment = server.post("/api/experiments", body).json()["id"]

    def statuses() -> set[str]:
        return {run["status"] for run in server.get(f"/api/experiments/{experiment}")["runs"]}

    wait_for(lambda: "running" in statuses(), "a run to begin", 90)
    page = visit(f"{server.url}/e/{experiment}")
    expect(page.get_by_test_id("tally")).to_contain_text("waiting")
    page.get_by_test_id("pause").click()
    wait_for(lambda: statuses() <= {"paused", "waiting"}, "every run to be held")
    expect(page.get_by_test_id("resume")).to_be_visible()
    page.get_by_test_id("stop").click()
    wait_for(lambda: statuses() == {"stopped"}, "every run to be stopped, also those that never began")
    expect(page.get_by_test_id("tally")).to_contain_text("12 stopped")


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1440, 900), (3840, 2160)])
def test_nothing_hangs_over_the_edge(shared_server: Server, visit: Visit, width: int, height: int) -> None:
    experiment = finished(shared_server)[0]["experiment"]
    for path in ("/c/1", "/c/12", f"/e/{experiment}?tab=finding", f"/e/{experiment}"):
        page = visit(f"{shared_server.url}{path}", width=width, height=height)
        if "finding" in path:
            expect(page.get_by_test_id("criterion").first).to_be_visible(timeout=30_000)  # it is weighed first
            for summary in page.locator(".finding summary").all():
                summary.click()
            expect(page.get_by_test_id("csv")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
