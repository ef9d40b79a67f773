"""Answers that come late or not at all, and what people do before they are there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.conftest import wait_for

from .test_page import wait_painted

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import APIResponse, Page, Route

    from tests.conftest import Server

    Visit = Callable[..., Page]

STEPS = 900
"""More than a page keeps of a run one by one."""


@pytest.fixture(scope="module")
def experiment(shared_server: Server) -> str:
    """One that has ended, longer than a page shows in full."""
    runs = shared_server.begin(steps=STEPS, pace=0, landscape_every=0, measure_every=STEPS)["runs"]
    for run in runs:
        shared_server.wait_status(run["id"], "finished")
    found: str = runs[0]["experiment"]
    return found


def settled(page: Page) -> str:
    """All that the page tells, once it has told the same for a second."""
    told = [""]

    def rests() -> bool:
        page.wait_for_timeout(1000)
        told.append(page.locator("main").inner_text())
        return told[-1] == told[-2]

    wait_for(rests, "the page to rest")
    return told[-1]


def wait_until(page: Page, what: Callable[[], bool], words: str) -> None:
    """While what the page does is still heard of."""

    def so() -> bool:
        page.wait_for_timeout(20)
        return what()

    wait_for(so, words)


def test_a_double_click_opens_a_page_that_works(shared_server: Server, visit: Visit, experiment: str) -> None:
    page = visit(shared_server.url)
    page.wait_for_function("() => window.Plotly")
    page.locator(f'a[data-enter][href$="{experiment}"]').first.dblclick()
    page.wait_for_url(re.compile(experiment))
    wait_painted(page, STEPS - 1)
    assert page.get_by_test_id("layer-row").count() > 0
    page.get_by_text("Landscape", exact=True).click()
    expect(page).to_have_url(re.compile("tab=landscape"))


def test_numbers_at_the_cursor_are_those_of_where_it_stands(
    shared_server: Server, visit: Visit, experiment: str
) -> None:
    page = visit(f"{shared_server.url}/e/{experiment}")
    wait_painted(page, STEPS - 1)
    held: list[tuple[Route, APIResponse]] = []
    page.route(re.compile(r"first_step=301&"), lambda route: held.append((route, route.fetch())))
    cursor, answers = page.get_by_test_id("cursor"), 0

    def count(url: str) -> None:
        nonlocal answers
        answers += "first_step=701&" in url

    page.on("response", lambda response: count(response.url))
    cursor.fill("301")
    wait_until(page, lambda: len(held) == 2, "the first questions")
    cursor.fill("701")
    wait_until(page, lambda: answers == 2, "the later answers")
    told = settled(page)
    for route, answer in held:
        route.fulfill(response=answer)
    page.wait_for_timeout(500)
    assert settled(page) == told
    expect(page).to_have_url(re.compile("step=701"))


def test_numbers_that_cannot_be_had_exactly_are_said_to_be_of_several_steps(
    shared_server: Server, visit: Visit, experiment: str
) -> None:
    page = visit(f"{shared_server.url}/e/{experiment}", expected=("status of 503",))
    wait_painted(page, STEPS - 1)
    page.route(re.compile(r"first_step=301&"), lambda route: route.fulfill(status=503, json={"detail": "Busy."}))
    page.get_by_test_id("cursor").fill("301")
    note = page.get_by_test_id("connection").first
    expect(note).to_have_text("These numbers are of several steps. Busy.")
    page.get_by_test_id("cursor").fill("701")
    expect(note).to_be_hidden()


def test_the_cursor_goes_on_where_a_browser_bears_no_more_changes_of_the_address(
    shared_server: Server, visit: Visit, experiment: str
) -> None:
    page = visit("about:blank")
    page.add_init_script(
        "let left = 5; const replace = history.replaceState.bind(history);"
        "history.replaceState = (...given) => {"
        "  if (--left < 0) throw new DOMException('enough', 'SecurityError'); replace(...given); };"
    )
    page.goto(f"{shared_server.url}/e/{experiment}?step=0")
    wait_painted(page, STEPS - 1)
    page.get_by_test_id("play").click()
    wait_for(lambda: page.get_by_test_id("cursor-step").inner_text() == str(STEPS - 1), "the end", 40)
    expect(page.get_by_test_id("play")).to_have_attribute("aria-pressed", "false")


def test_keys_move_the_cursor_whatever_was_pressed_before(shared_server: Server, visit: Visit, experiment: str) -> None:
    page = visit(f"{shared_server.url}/e/{experiment}?step=500")
    wait_painted(page, STEPS - 1)
    number = page.get_by_test_id("cursor-step")
    page.get_by_text("Landscape", exact=True).click()
    page.keyboard.press("ArrowLeft")
    expect(number).to_have_text("499")
    page.get_by_test_id("cursor").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(number).to_have_text("509")
    page.keyboard.press("End")
    expect(page.get_by_test_id("follow")).to_have_attribute("aria-pressed", "true")


def test_the_newest_step_is_in_sight_once_it_is_followed(shared_server: Server, visit: Visit, experiment: str) -> None:
    page = visit(f"{shared_server.url}/e/{experiment}?step=10&span=5-15")
    wait_painted(page, STEPS - 1)
    page.get_by_test_id("follow").click()
    expect(page).to_have_url(re.compile(f"span={STEPS - 11}-{STEPS - 1}"))


def test_a_page_that_lacks_a_part_says_so_and_lets_one_leave(
    shared_server: Server, visit: Visit, experiment: str
) -> None:
    page = visit("about:blank", expected=("ERR_FAILED", "Failed to fetch dynamically imported module", "sidebar"))
    page.route("**/sidebar.js", lambda route: route.abort())
    page.goto(f"{shared_server.url}/e/{experiment}")
    expect(page.get_by_test_id("connection").first).to_have_text(
        "Part of this page could not be loaded. Load it again."
    )
    page.get_by_role("link", name="All experiments").click()
    page.wait_for_url(f"{shared_server.url}/")


def test_a_server_that_is_gone_is_not_called_live(emptied_server: Server, visit: Visit) -> None:
    gone = ("WebSocket connection", "ERR_CONNECTION_REFUSED", "Failed to load resource")
    run = emptied_server.begin(steps=100_000, pace=20)["runs"][0]
    page = visit(f"{emptied_server.url}/e/{run['experiment']}", expected=gone)
    status = page.get_by_test_id("status").first
    expect(status).to_have_text("live", timeout=60_000)
    emptied_server.kill()
    expect(status).to_have_text("disconnected", timeout=20_000)
    expect(page.get_by_test_id("rate")).to_have_text("–", timeout=20_000)
    emptied_server.start()
    expect(status).to_have_text("live", timeout=60_000)
    emptied_server.post(f"/api/experiments/{run['experiment']}/stop")
