"""What a person sees of alerts, and of steps that were made one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

import normscope
from normscope import wire
from tests.frames import Trainer, frame

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_a_run_of_which_steps_were_made_one_says_why(shared_server: Server, visit: Visit) -> None:
    trainer = Trainer(shared_server, key="thinned 123456789", name="thinned")
    run = trainer.hear()["run"]
    trainer.say(wire.encode(wire.merge([frame(seq) for seq in range(4)])))
    trainer.acknowledged(3)
    trainer.socket.send(wire.End("finished").dump())
    shared_server.wait_status(run, "finished")
    page = visit(f"{shared_server.url}/r/{run}")
    expect(page.get_by_test_id("error")).to_have_text(
        re.compile(": up to 4 steps were made one, as the server was long out of reach or the run is old.$")
    )
