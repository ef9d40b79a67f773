"""A surface of the loss, looked at while it is computed: coarse, finer, whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect
from torch import nn

import normscope
from tests.conftest import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server

    Visit = Callable[..., Page]

SIDE: Final = np.linspace(-1, 1, 21)
VALLEY: Final = 0.1 + SIDE[:, None] ** 2 + 0.3 * SIDE**2


def begin(watch: normscope.Watch, net: nn.Module, server: Server) -> str:
    """Make some steps; the address of the run's landscape."""
    for _ in range(3):
        watch.step(loss=net(torch.randn(8, 4)).square().mean())
    wait_for(lambda: watch._sender.run is not None, "the server's welcome")
    return f"{server.url}/r/{watch._sender.run}?tab=landscape"


def tell(watch: normscope.Watch, spacing: int) -> None:
    """What a trainer tells of its surface when so many points lie between two of those that it has computed."""
    losses, side = VALLEY[::spacing, ::spacing], SIDE[::spacing]
    path = {"surface.path_a": [-0.7, -0.3, 0.0], "surface.path_b": [0.6, 0.1, 0.0], "surface.explained": [0.9, 0.1]}
    grid = {"surface.loss": losses.ravel(), "surface.a": side, "surface.b": side}
    watch.tell(**grid, **path, **{"surface.done": losses.size / 441})


def points(page: Page) -> list[int]:
    """Of the contours that are drawn: rows and columns."""
    found: list[int] = page.evaluate(
        "() => { const z = document.querySelector('[data-testid=chart-surface] .host')?.data?.[0].z; "
        "return z ? [z.length, z[0].length] : []; }"
    )
    return found


def readout(page: Page) -> Locator:
    return page.locator(".surfaces figcaption .readout")


def test_a_surface_is_shown_before_it_is_whole_and_refined_as_it_comes(shared_server: Server, visit: Visit) -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    with normscope.watch(net, name="refined", url=shared_server.url, budget=None) as watch:
        page = visit(begin(watch, net, shared_server))
        tell(watch, 4)
        expect(readout(page)).to_have_text("8 % of the points so far")
        chart = page.get_by_test_id("chart-surface")
        chart.scroll_into_view_if_needed()
        wait_for(lambda: points(page) == [6, 6], "the first contours")
        expect(chart).to_have_attribute("aria-label", re.compile(r"Shown: 8 % of the points so far\.$"))
        tell(watch, 2)
        wait_for(lambda: points(page) == [11, 11], "finer contours")
        expect(readout(page)).to_have_text("27 % of the points so far")
        page.get_by_text("3-D", exact=True).click()
        cells = page.get_by_test_id("chart-relief").locator("polygon")
        expect(cells).to_have_count(10 * 10)
        expect(readout(page)).to_have_text("27 % of the points so far")
        tell(watch, 1)
        expect(cells).to_have_count(20 * 20)
        expect(readout(page)).to_have_text("")
        page.get_by_text("Contours", exact=True).click()
        wait_for(lambda: points(page) == [21, 21], "all contours")
        expect(readout(page)).to_have_text("90 % and 10 % of the path")
        # What was told after the step hides nothing of it.
        page.get_by_role("button", name="Distributions").click()
        expect(page.get_by_test_id("step-number")).to_have_text("2")
        expect(page.get_by_test_id("layer-row").first.locator(".numbers b")).to_have_text(re.compile("±"))
        expect(page.locator("figure", has=page.get_by_test_id("chart-loss")).locator(".readout")).to_have_text(
            re.compile(r"\d")
        )


def test_a_surface_that_was_left_unfinished_says_so(shared_server: Server, visit: Visit) -> None:
    net = nn.Linear(4, 8)
    with normscope.watch(net, name="unfinished", url=shared_server.url, budget=None) as watch:
        address = begin(watch, net, shared_server)
        tell(watch, 4)
    page = visit(f"{address}&shape=relief")
    expect(readout(page)).to_have_text("8 % of the points, as the run ended")
    label = re.compile(r"Shown: 8 % of the points, as the run ended\.$")
    expect(page.get_by_test_id("chart-relief").locator("svg")).to_have_attribute("aria-label", label)
