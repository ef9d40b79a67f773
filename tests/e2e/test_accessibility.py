"""Every page by the rules of axe (WCAG 2 among them), light and dark, wide and narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from .test_laboratory import finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server

    Visit = Callable[..., Page]


def violations(page: Page) -> list[str]:
    found: dict[str, Any] = Axe().run(page).response
    assert found["passes"], "axe has looked at nothing"
    return [f"{v['id']}: {[node['target'] for node in v['nodes'][:3]]}" for v in found["violations"]]


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 360)])
def test_nothing_violates_a_rule(shared_server: Server, visit: Visit, theme: str, width: int) -> None:
    experiment = finished(shared_server)[0]["experiment"]
    page = visit(shared_server.url, width=width)
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    pages = {
        "/": "experiments",
        "/c/10": "start",
        "/docs": "theme",
        f"/e/{experiment}": "chart-loss",
        f"/e/{experiment}?mode=difference": "chart-histogram",
        f"/e/{experiment}?tab=landscape": "charts",
        f"/e/{experiment}?tab=finding": "criterion",
    }
    for path, shown in pages.items():
        page.goto(f"{shared_server.url}{path}")
        expect(page.get_by_test_id(shown).first).to_be_visible()
        assert violations(page) == [], path


def test_a_violation_is_noticed(shared_server: Server, visit: Visit) -> None:
    page = visit(shared_server.url)
    page.evaluate("document.querySelector('h1').style.color = '#eee'")
    assert any(found.startswith("color-contrast") for found in violations(page))
