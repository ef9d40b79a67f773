"""What people take along: charts as pictures and as numbers."""

from __future__ import annotations

import csv
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.conftest import wait_for

from .test_page import wait_painted

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.conftest import Server

    Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def experiment(shared_server: Server) -> str:
    """An experiment that has ended."""
    runs = shared_server.begin(steps=60, pace=0)["runs"]
    for run in runs:
        shared_server.wait_status(run["id"], "finished")
    found: str = runs[0]["experiment"]
    return found


def take(page: Page, chart: str, ending: str) -> Path:
    """Save the first chart of a kind from its menu."""
    panel = page.locator("figure.panel").filter(has=page.get_by_test_id(chart)).first
    panel.scroll_into_view_if_needed()
    panel.locator("path.js-line, .heatmaplayer image").first.wait_for(state="attached")
    panel.get_by_test_id("take").focus()
    page.keyboard.press("Enter")
    with page.expect_download() as download:
        panel.get_by_test_id(f"take-{ending}").click()
    assert download.value.suggested_filename.endswith(f".{ending}")
    return Path(download.value.path())


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_picture_stands_alone(shared_server: Server, visit: Visit, experiment: str) -> None:
    page = visit(f"{shared_server.url}/e/{experiment}")
    wait_painted(page, 59)
    png = take(page, "chart-loss", "png").read_bytes()
    width, height = struct.unpack(">II", png[16:24])
    shown = page.get_by_test_id("chart-loss").bounding_box()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert shown is not None
    assert abs(width - 2 * shown["width"]) <= 2
    assert height > 2 * shown["height"]
    texts = list(ET.parse(take(page, "chart-bands", "svg")).getroot().itertext())
    assert any("Distribution over steps" in text for text in texts)
    assert "none" in texts


def test_numbers_are_those_of_the_history(shared_server: Server, visit: Visit, experiment: str) -> None:
    runs = shared_server.get(f"/api/experiments/{experiment}")["runs"]
    page = visit(f"{shared_server.url}/e/{experiment}?step=7")
    wait_painted(page, 59)
    answer = shared_server.get(f"/api/runs/{runs[0]['id']}/history", format="json", points=600)
    frames = answer["frames"] if isinstance(answer, dict) else answer
    losses = table(take(page, "chart-loss", "csv"))
    assert len(losses) == 60 * len(runs)
    assert [row["arm"] for row in losses[::60]] == ["none", "batch"]
    for row, frame in zip(losses, frames, strict=False):
        assert int(row["step"]) == frame["first_step"]
        assert float(row["loss"]) == pytest.approx(frame["series"]["loss"]["mean"][0], rel=1e-5)
    bands = table(take(page, "chart-bands", "csv"))
    for row, frame in zip(bands, frames, strict=True):
        wanted = frame["layers"][0]["percentiles"]
        assert [float(row[f"p{p}"]) for p in wanted] == pytest.approx(list(wanted.values()), rel=1e-5, abs=1e-12)
    bins = table(take(page, "chart-histogram", "csv"))
    assert {row["step"] for row in bins} == {"7"}
    assert sum(float(row["share"]) for row in bins) == pytest.approx(len(runs), rel=1e-4)


def test_a_view_as_one_file_opens_without_a_server(server: Server, visit: Visit, tmp_path: Path) -> None:
    runs = server.begin(steps=330, pace=0)["runs"]
    for run in runs:
        server.wait_status(run["id"], "finished")
    page = visit(f"{server.url}/e/{runs[0]['experiment']}?mode=heat&step=300&span=280-320")
    wait_painted(page, 329)
    with page.expect_download() as download:
        page.get_by_test_id("save-page").click()
    assert download.value.suggested_filename.endswith(".html")
    file = tmp_path / "view.html"
    download.value.save_as(file)
    page.close()
    server.stop()
    text = file.read_text()
    assert server.url not in text
    assert 'src="' not in text
    page = visit(file.as_uri())
    wait_painted(page, 329)
    expect(page.get_by_test_id("saved")).to_contain_text("saved")
    expect(page.get_by_test_id("cursor-step")).to_have_text("300")
    expect(page.get_by_text("Heat map", exact=True)).to_have_attribute("aria-pressed", "true")
    for gone in ("pause", "share", "edit", "compare", "save-page"):
        expect(page.get_by_test_id(gone)).to_have_count(0)
    expect(page.get_by_test_id("chart-accuracy")).to_be_visible()
    numbers = page.locator(".row .numbers").first
    before = numbers.inner_text()
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("cursor-step")).to_have_text("301")
    wait_for(lambda: numbers.inner_text() != before, "the numbers of another step")
    rows = table(take(page, "chart-loss", "csv"))
    assert [int(row["step"]) for row in rows if row["arm"] == "batch"] == list(range(280, 321))
    page.keyboard.press("0")
    expect(page.get_by_test_id("zoom-whole")).to_be_hidden()
    for tab in ("Landscape", "Finding"):
        page.get_by_role("button", name=tab, exact=True).click()
    expect(page.get_by_label("Command that repeats this")).to_have_value(re.compile("normscope run 1"))


def test_a_link_saves_what_it_opens_and_no_more(shared_server: Server, experiment: str) -> None:
    server = shared_server
    url = server.post("/api/links", {"experiment": experiment, "view": ""}).json()["url"]
    token = url.rpartition("/")[2]
    other = server.begin(steps=5, pace=0)["runs"][0]
    runs = [run["id"] for run in server.get(f"/api/experiments/{experiment}")["runs"]]
    saved = server.http.get(f"{server.url}{url}/saved.html", params={"runs": ",".join(runs)})
    assert saved.status_code == 200
    assert saved.headers["content-disposition"].startswith("attachment")
    assert token not in saved.text
    for wrong, why in ((other["id"], "there is no run"), ("", "show 1 to 12")):
        refused = server.http.get(f"{server.url}{url}/saved.html", params={"runs": wrong})
        assert refused.status_code == 422
        assert why in refused.json()["detail"]
    assert server.http.get(f"{server.url}/s/unknown/saved.html", params={"runs": runs[0]}).status_code == 404
