"""Pages that show a run all of whose words are attacks: nothing runs, nothing is injected, nothing leaves."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

from normscope import wire
from tests.conftest import Server, wait_for
from tests.frames import Trainer, frame

from .test_page import wait_painted
from .test_take_along import take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Request

ATTACK: Final = (
    "=1+1\"'><img src=x onerror=attacked()></script><script>attacked()</script>"
    "<svg onload=attacked()><b>{{7*7}}</b><a href=javascript:attacked()>%{x}</a><!--\u2028"
)
WATCH: Final = """
  window.attacks = 0;
  window.attacked = () => window.attacks++;
  addEventListener("securitypolicyviolation", (e) => console.error("policy:", e.violatedDirective, e.blockedURI));
"""
LOOK: Final = """() => ({
  attacks: window.attacks,
  injected: [...document.querySelectorAll("img, iframe, object, [onerror], [onload], a[href^=javascript]")].length,
  links: [...document.querySelectorAll("*")].filter((e) => /script:/.test(e.getAttribute("xlink:href") ?? "")).length,
})"""
LAST: Final = """(path) => {
  const { x, y } = path.getPointAtLength(path.getTotalLength()).matrixTransform(path.getScreenCTM());
  return [x, y];
}"""
HARMLESS: Final = {"attacks": 0, "injected": 0, "links": 0}


class Watched:
    """A browser page that is asked again and again whether anything happened that should not."""

    def __init__(self, browser: Browser, host: str) -> None:
        self._context = browser.new_context(viewport={"width": 1440, "height": 900})
        self._context.add_init_script(WATCH)
        self._host = host
        self.wrong: list[str] = []
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.wrong.append(str(e)))
        self.page.on("dialog", lambda d: self.wrong.append(d.message))
        self.page.on("request", self._asked)

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob", "file") and url.netloc != self._host:
            self.wrong.append(f"a request to {request.url}")

    def check(self) -> None:
        assert self.page.evaluate(LOOK) == HARMLESS
        assert self.wrong == []

    def visit(self, url: str) -> None:
        self.page.goto(url)
        self.check()

    def close(self) -> None:
        self._context.close()


@pytest.fixture
def watched(chromium: Browser, shared_server: Server) -> Iterator[Watched]:
    one = Watched(chromium, urlsplit(shared_server.url).netloc)
    yield one
    one.close()


def attack(server: Server, key: str) -> dict[str, Any]:
    """A run that is one attack all over, in an experiment that is another."""
    layers = tuple(wire.Layer(f"{ATTACK}.{i}", ATTACK, ("output",)) for i in range(2))
    trainer = Trainer(server, key=f"a hostile key {key}", name=ATTACK[:200], layers=layers)
    run = trainer.hear()["run"]
    trainer.socket.send(wire.Graph(((0, 1),)).dump())
    for seq in range(12):
        one = frame(seq)
        one.series[ATTACK] = one.series["loss"]
        trainer.say(wire.encode(one))
    places = (wire.Place(layers[0].name, "output", 1.0), wire.Place(None, ATTACK, 1.0))
    trainer.socket.send(wire.Alert(0, ATTACK, f"{ATTACK} since step 3", 3, 3, places).dump())
    trainer.socket.send(wire.End("failed", f"{ATTACK}\n{ATTACK}", {ATTACK[:200]: 1.0}).dump())
    server.wait_status(run, "failed")
    trainer.close()
    found = server.run(run)
    changes = {"tags": [ATTACK.replace(" ", "")[:40].strip("\u2028")], "notes": ATTACK * 3}
    answer = server.http.patch(f"{server.url}/api/experiments/{found['experiment']}", json=changes)
    assert answer.status_code == 200, answer.text
    return found


def see_all(watched: Watched) -> None:
    """Every tab, and every way of drawing there is."""
    page = watched.page
    wait_painted(page, 11)
    for choice in page.locator("nav.bar [data-view]").all():
        if choice.is_visible():
            choice.click()
            watched.check()
    page.locator("[data-view='tab=distributions']").click()
    page.locator("[data-view='mode=bands']").click()


def hover(watched: Watched) -> str:
    """What Plotly says of the newest point of the loss."""
    page = watched.page
    chart = page.get_by_test_id("chart-loss")
    line = chart.locator("path.js-line").first
    line.wait_for(state="attached")
    label = chart.locator(".hoverlayer text")

    def labelled() -> bool:
        x, y = line.evaluate(LAST)
        page.mouse.move(x - 40, y - 40)
        page.mouse.move(x, y, steps=3)
        return label.count() > 0

    wait_for(labelled, "a hover label")
    watched.check()
    return " ".join(label.all_text_contents())


def test_nothing_that_a_run_says_is_more_than_words(shared_server: Server, watched: Watched, tmp_path: Path) -> None:
    server, page = shared_server, watched.page
    one, other = attack(server, "one"), attack(server, "other")
    experiment = f"{server.url}/e/{one['experiment']}"
    for path in ("/", "/c/1", "/docs"):
        watched.visit(f"{server.url}{path}")
    page.goto(f"{server.url}/")
    page.locator(".experiment-row .title a").first.wait_for()
    assert ATTACK[:60] in page.locator(".experiment-row").first.inner_text()
    watched.check()

    watched.visit(experiment)
    assert page.title() == f"{ATTACK[:200]} · Normscope"
    assert page.get_by_test_id("title").text_content() == ATTACK[:200]
    see_all(watched)
    assert ATTACK in (page.get_by_test_id("error").first.text_content() or "")
    assert f"{ATTACK} since step 3" in (page.get_by_test_id("alert").first.text_content() or "")
    assert f"{ATTACK}.0" in (page.get_by_test_id("layers").text_content() or "")
    assert "<img src=x" in hover(watched)

    rows = list(csv.DictReader(io.StringIO(take(page, "chart-loss", "csv").read_bytes().decode(), newline="")))
    assert [row["arm"] for row in rows] == [f"'{ATTACK[:200]}"] * 12
    assert [float(row["step"]) for row in rows] == list(range(12))
    picture = ET.parse(take(page, "chart-loss", "svg"))
    assert not {node.tag.rpartition("}")[2] for node in picture.iter()} & {"a", "script", "img"}
    assert any("<img src=x" in text for text in picture.getroot().itertext())
    watched.check()

    page.get_by_test_id("edit").click()
    watched.check()
    page.keyboard.press("Escape")
    page.get_by_test_id("share").click()
    page.get_by_test_id("make-link").click()
    page.get_by_test_id("links").locator("li").first.wait_for()
    link = page.get_by_test_id("share-url").input_value()
    watched.check()

    watched.visit(link)
    wait_painted(page, 11)
    watched.check()
    watched.visit(f"{server.url}/compare/{one['id']},{other['id']}")
    wait_painted(page, 11)
    hover(watched)

    page.goto(experiment)
    wait_painted(page, 11)
    with page.expect_download() as download:
        page.get_by_test_id("save-page").click()
    file = tmp_path / "view.html"
    download.value.save_as(file)
    watched.visit(file.as_uri())
    see_all(watched)
    assert "<img src=x" in hover(watched)


def test_what_is_shown_first_is_words_in_the_page_itself(shared_server: Server) -> None:
    run = attack(shared_server, "page")
    text = shared_server.http.get(f"{shared_server.url}/e/{run['experiment']}").text
    assert "<img src=x" not in text
    assert text.count("<script") == text.count("</script>")
    data = text.partition('id="page">')[2].partition("</script>")[0]
    assert json.loads(data)["experiment"]["name"] == ATTACK[:200]
