"""The list of experiments: found, ordered, described, thrown away and brought back; and forms that addresses hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.conftest import wait_for
from tests.frames import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server

    Visit = Callable[..., Page]


@pytest.fixture
def server(emptied_server: Server) -> Server:
    """The same one in all tests, with an empty list."""
    return emptied_server


def make(server: Server, name: str, steps: int = 5, **more: Any) -> str:
    """An experiment of two runs."""
    settings = {"steps": steps, "seeds": 1, "shifts": [0], "depth": 1, "width": 8, "pace": 0, **more}
    plan = {"claim": 1, "name": name, "settings": settings, "arms": ["none", "batch"]}
    answer = server.post("/api/experiments", plan)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


def names(page: Page) -> list[str]:
    return page.locator("[data-testid=experiment-row] .title a").all_inner_texts()


def row(page: Page, name: str) -> Any:
    return page.get_by_test_id("experiment-row").filter(has_text=name)


def test_the_list_is_sorted_and_the_address_keeps_it(server: Server, visit: Visit) -> None:
    for name in ("beta", "alpha", "gamma"):
        make(server, name)
    page = visit(server.url)
    expect(page.get_by_test_id("experiment-row")).to_have_count(3)
    assert names(page) == ["gamma", "alpha", "beta"]
    page.get_by_test_id("sort-name").click()
    assert names(page) == ["alpha", "beta", "gamma"]
    page.get_by_test_id("sort-name").click()
    expect(page).to_have_url(re.compile("sort=-name"))
    page.reload()
    expect(page.get_by_test_id("experiment-row")).to_have_count(3)
    assert names(page) == ["gamma", "beta", "alpha"]
    expect(page.get_by_test_id("sort-name")).to_have_attribute("aria-pressed", "true")


def test_tags_and_notes_are_written_in_the_list_and_found_by(server: Server, visit: Visit) -> None:
    one = make(server, "first")
    make(server, "second")
    page = visit(server.url)
    row(page, "first").get_by_test_id("more").click()
    row(page, "first").get_by_test_id("edit").click()
    page.get_by_test_id("tags").fill("course, week-3")
    page.get_by_test_id("notes-field").fill("Look at fc3.\nThen at fc1.")
    page.get_by_test_id("keep").click()
    expect(page.get_by_test_id("edit-dialog")).to_have_count(0)
    expect(row(page, "first")).to_contain_text("week-3")
    page.get_by_test_id("search").fill("week-3 fc3")
    assert names(page) == ["first"]
    row(page, "first").click()
    page.wait_for_url(re.compile(f"/e/{one}"))
    expect(page.get_by_test_id("described")).to_contain_text("Then at fc1.")
    page.get_by_test_id("edit").click()
    page.get_by_test_id("notes-field").fill("")
    page.get_by_test_id("tags").fill("")
    page.get_by_test_id("keep").click()
    expect(page.get_by_test_id("described")).to_be_hidden()


def test_what_is_deleted_is_brought_back_by_undo(server: Server, visit: Visit) -> None:
    kept, gone = make(server, "kept"), make(server, "gone")
    page = visit(server.url)
    row(page, "gone").get_by_test_id("more").click()
    row(page, "gone").get_by_test_id("delete").click()
    expect(page.get_by_test_id("experiment-row")).to_have_count(1)
    assert [e["id"] for e in server.get("/api/experiments")["experiments"]] == [kept]
    page.get_by_test_id("undo").click()
    expect(page.get_by_test_id("experiment-row")).to_have_count(2)
    assert {e["id"] for e in server.get("/api/experiments")["experiments"]} == {kept, gone}


def test_all_that_are_marked_are_stopped_and_deleted(server: Server, visit: Visit) -> None:
    ids = [make(server, name, steps=5000, pace=5) for name in ("red", "green", "blue")]
    page = visit(server.url)
    expect(page.get_by_test_id("bulk")).to_be_hidden()
    for name in ("red", "blue"):
        row(page, name).get_by_test_id("mark").check()
    expect(page.get_by_test_id("bulk")).to_contain_text("2 marked")
    page.get_by_test_id("bulk-stop").click()
    for name in ("red", "blue"):
        expect(row(page, name)).to_contain_text("stopped", timeout=20_000)
    expect(row(page, "green")).not_to_contain_text("stopped")
    page.get_by_test_id("bulk-delete").click()
    expect(page.get_by_test_id("experiment-row")).to_have_count(1)
    expect(page.get_by_test_id("bulk")).to_be_hidden()
    page.get_by_test_id("undo").click()
    expect(page.get_by_test_id("experiment-row")).to_have_count(3)
    server.post(f"/api/experiments/{ids[1]}/stop")


def test_one_like_it_begins_with_its_settings_and_says_how_long_it_takes(server: Server, visit: Visit) -> None:
    experiment = make(server, "the pattern", steps=7)
    for run in server.get(f"/api/experiments/{experiment}")["runs"]:
        server.wait_status(run["id"], "finished")
    page = visit(server.url)
    row(page, "the pattern").get_by_test_id("more").click()
    row(page, "the pattern").get_by_test_id("duplicate").click()
    page.wait_for_url(re.compile(r"/c/1\?"))
    expect(page.locator("[name=steps]")).to_have_value("7")
    expect(page.locator("[name=arm]:checked")).to_have_count(2)
    expect(page.get_by_test_id("time")).to_contain_text("about")
    page.locator("[name=steps]").fill("9")
    expect(page).to_have_url(re.compile("steps=9"))
    page.reload()
    expect(page.locator("[name=steps]")).to_have_value("9")
    page.locator("[name=steps]").fill("none")
    expect(page.get_by_test_id("time")).to_be_empty()
    page.locator("[name=steps]").fill("9")
    page.get_by_test_id("start").click()
    page.wait_for_url(re.compile("/e/"))
    started = server.get("/api/experiments")["experiments"][0]
    assert started["settings"]["steps"] == 9
    assert started["settings"]["width"] == 8
    assert {run["arm"] for run in started["runs"]} == {"none", "batch"}


def test_the_newest_come_first_and_the_rest_when_asked_for(server: Server, visit: Visit) -> None:
    for number in range(12):
        trainer = Trainer(server, key=f"one of many nets {number:02}", name=f"net {number}")
        trainer.hear()
        trainer.close()
    page = visit(server.url)
    expect(page.get_by_test_id("experiment-row")).to_have_count(8)
    assert names(page)[0] == "net 11"
    page.get_by_test_id("mark-all").check()
    expect(page.get_by_test_id("bulk")).to_contain_text("8 marked")
    page.get_by_test_id("search").fill("net 11")
    expect(page.get_by_test_id("experiment-row")).to_have_count(1)
    page.get_by_test_id("search").fill("")
    page.get_by_test_id("show-all").click()
    expect(page.get_by_test_id("experiment-row")).to_have_count(12)
    rows, claims = page.get_by_test_id("experiment-row").last.bounding_box(), page.locator(".catalogue").bounding_box()
    assert rows is not None
    assert claims is not None
    assert rows["y"] < claims["y"]


def test_a_row_stays_under_the_pointer_while_the_list_is_asked_for_anew(server: Server, visit: Visit) -> None:
    make(server, "first")
    page = visit(server.url)
    row(page, "first").get_by_test_id("more").click()
    make(server, "second")
    expect(page.get_by_test_id("experiment-row")).to_have_count(2)
    expect(row(page, "first").get_by_test_id("edit")).to_be_visible()
    page.get_by_test_id("sort-name").focus()
    page.keyboard.press("Enter")
    assert names(page) == ["first", "second"]
    expect(page.get_by_test_id("sort-name")).to_be_focused()
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route(re.compile("/api/experiments$"), hold)
    make(server, "third")
    while not held:
        page.wait_for_timeout(50)
    row(page, "first").get_by_test_id("more").click()
    row(page, "first").get_by_test_id("edit").click()
    page.get_by_test_id("tags").fill("week-3")
    page.get_by_test_id("keep").click()
    expect(row(page, "first")).to_contain_text("week-3")
    for route, answer in held:
        route.fulfill(response=answer)  # as it was before
    expect(page.get_by_test_id("experiment-row")).to_have_count(3)
    expect(row(page, "first")).to_contain_text("week-3")


def test_an_answer_that_comes_late_does_not_undo_the_news(server: Server, visit: Visit) -> None:
    def stopped_meanwhile(path: str, experiment: str, asks: str) -> Page:
        """A page whose question is answered only when the runs have stopped, with what was so before."""
        held: list[tuple[Route, APIResponse]] = []
        page = visit("about:blank")
        page.route(re.compile(f"{asks}$"), lambda route: held.append((route, route.fetch())))
        page.goto(f"{server.url}{path}")
        while not held:
            page.wait_for_timeout(50)
        server.post(f"/api/experiments/{experiment}/stop")
        runs = f"/api/experiments/{experiment}/runs"
        wait_for(lambda: {run["status"] for run in server.get(runs)["runs"]} == {"stopped"}, "all runs to stop")
        page.wait_for_timeout(500)  # for the news, which cannot be seen before there is an answer
        for route, answer in held:
            route.fulfill(response=answer)
        return page

    one = make(server, "first", pace=20, steps=100_000)
    page = stopped_meanwhile("/", one, "/api/experiments")
    expect(row(page, "first").locator(".status")).to_have_text("stopped")
    one = make(server, "second", pace=20, steps=100_000, seeds=2)
    page = stopped_meanwhile(f"/e/{one}", one, f"/api/experiments/{one}/runs")
    expect(page.get_by_test_id("tally")).to_have_text("0 of 4 runs finished, 4 stopped")
