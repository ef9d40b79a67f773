"""Runs that join an experiment while its page is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from normscope import wire
from normscope.sending.delivery import Delivery, Listener
from tests.conftest import wait_for
from tests.frames import LAYERS, frame

from .test_page import wait_painted

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.conftest import Server

    Visit = Callable[..., Page]


def rank(server: Server, number: int) -> Delivery:
    """A process of a group that sends 20 frames, each rank of which is a run of its own."""
    key = f"rank {number} of those that join"
    hello = wire.Hello(key, "joined", LAYERS, group="a group that grows 123", arm=f"rank {number}")
    delivery = Delivery(server.url, hello, Listener(lambda _: None, lambda _: None, lambda _: None), disk=0)
    for seq in range(20):
        delivery.put(wire.encode(frame(seq)))
    wait_for(lambda: delivery.committed == 19, "its frames to be stored")
    return delivery


def test_a_run_that_joins_an_experiment_appears_on_the_page_that_is_open(server: Server, visit: Visit) -> None:
    first = rank(server, 0)
    experiment = server.run(first.run or "")["experiment"]
    page = visit(f"{server.url}/e/{experiment}")
    wait_painted(page, 19)
    expect(page.locator("button.arm")).to_have_count(1)
    second = rank(server, 1)
    expect(page.locator("button.arm")).to_have_count(2)
    expect(page.locator("button.arm").nth(1)).to_contain_text("rank 1")
    row = page.get_by_test_id("layer-row").first
    expect(row.get_by_test_id("chart-bands")).to_have_count(2)
    painted = "run => window.normscope.painted[run] >= 19"
    page.wait_for_function(painted, arg=second.run)
    # What comes from now on is shown, too, of both.
    for delivery in (first, second):
        delivery.put(wire.encode(frame(20)))
    page.wait_for_function(f"runs => runs.every({painted.replace('19', '20')})", arg=[first.run, second.run])
    for delivery in (first, second):
        delivery.close(wire.End("finished"), 10)
    expect(page.get_by_test_id("status")).to_have_text("finished")
