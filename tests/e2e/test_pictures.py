"""The main views look as they did: small pictures of them, in both themes, from runs that are always the same.

After a change that is wanted, `NORMSCOPE_PICTURES=new` takes them anew; look at them before they are committed. They
are compared small and without letters, so that another machine's fonts make little difference and a chart, a colour or
a column does.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from PIL import Image

from normscope import wire
from tests.frames import Trainer, frame

from .test_page import wait_painted

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.conftest import Server

    Visit = Callable[..., Page]

PICTURES: Final = Path(__file__).parent / "pictures"
SIZE: Final = (240, 150)
STEPS: Final = 40
MEAN, WORST = 0.6, 30.0
"""How far pixels may differ, of 255: all of them on average, and the worst in a hundred."""
NO_LETTERS: Final = "* { color: transparent !important } text { fill: transparent !important }"
VIEWS: Final = {
    "bands": "step=20",
    "heat": "mode=heat&step=20",
    "ridges": "mode=ridges&step=20&scale=asinh",
    "difference": "mode=difference&span=10-30",
    "landscape": "tab=landscape&step=20",
}


@pytest.fixture(scope="module")
def runs(shared_server: Server) -> str:
    """Two runs that differ by when they began to move, as a comparison's address names them."""
    ids = []
    for i, name in enumerate(("steady", "moving")):
        trainer = Trainer(shared_server, key=f"a key for pictures {i}", name=name)
        ids.append(trainer.hear()["run"])
        for seq in range(STEPS):
            made = frame(seq // 8 if i else 3, layers=2)
            made.seq, made.first_step, made.last_step, made.time = seq, seq, seq, 1e9 + seq
            made.series["loss"] = wire.Series.of(1 / (1 + seq / (5 + 10 * i)))
            made.series["landscape.loss"] = wire.Series.of([0.5 / (1 + seq), 1.0 + i / 2])
            trainer.say(wire.encode(made))
        trainer.acknowledged(STEPS - 1)
        trainer.socket.send(wire.End("finished").dump())
        shared_server.wait_status(ids[-1], "finished")
    return ",".join(ids)


def settled(page: Page) -> bytes:
    """The window, once two pictures of it in a row are the same."""
    page.add_style_tag(content=NO_LETTERS)
    before = b""
    for _ in range(40):
        page.wait_for_timeout(250)
        now = page.screenshot(animations="disabled", caret="hide")
        if now == before:
            return now
        before = now
    pytest.fail("the page does not come to rest")


def compare(name: str, png: bytes, *, renew: bool = os.environ.get("NORMSCOPE_PICTURES") == "new") -> None:
    """Hold a picture against the one that is kept, or keep it."""
    taken = Image.open(io.BytesIO(png)).convert("RGB").resize(SIZE, Image.Resampling.BOX)
    path = PICTURES / f"{name}.png"
    if renew:
        path.parent.mkdir(exist_ok=True)
        taken.save(path, optimize=True)
    kept = Image.open(path).convert("RGB")
    apart = np.abs(np.asarray(taken, float) - np.asarray(kept, float)).max(axis=2)
    mean, worst = float(apart.mean()), float(np.quantile(apart, 0.99))
    if mean > MEAN or worst > WORST:
        found = path.with_suffix(".found.png")
        taken.save(found)
        pytest.fail(f"{name} has changed (mean {mean:.1f}, worst {worst:.0f}); {found} is what it looks like now")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_views_of_runs_look_as_they_did(shared_server: Server, visit: Visit, runs: str, theme: str) -> None:
    page = visit(f"{shared_server.url}/compare/{runs}")
    page.evaluate("(theme) => localStorage.setItem('normscope.theme', theme)", theme)
    for name, view in VIEWS.items():
        page.goto(f"{shared_server.url}/compare/{runs}?{view}")
        if "tab=" not in view:
            wait_painted(page, STEPS - 1)
        page.locator(".main-svg >> visible=true").first.wait_for()
        compare(f"{name}-{theme}", settled(page))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_to_start_from_look_as_they_did(shared_server: Server, visit: Visit, theme: str) -> None:
    page = visit(shared_server.url)
    page.evaluate("(theme) => localStorage.setItem('normscope.theme', theme)", theme)
    for name, path in (("home", "/"), ("claim", "/c/6")):
        page.goto(shared_server.url + path)
        page.locator("form").wait_for()
        # What has been run, and how long it took, is another story.
        page.add_style_tag(content=".experiments, [data-claim], [data-testid=time] { visibility: hidden }")
        compare(f"{name}-{theme}", settled(page))


def test_a_change_is_seen(shared_server: Server, visit: Visit, runs: str) -> None:
    page = visit(f"{shared_server.url}/compare/{runs}?{VIEWS['bands']}")
    page.evaluate("() => localStorage.setItem('normscope.theme', 'light')")
    page.reload()
    wait_painted(page, STEPS - 1)
    page.add_style_tag(content="[data-testid=chart-loss] { visibility: hidden }")
    with pytest.raises(pytest.fail.Exception, match="bands-light has changed"):
        compare("bands-light", settled(page), renew=False)
    (PICTURES / "bands-light.found.png").unlink()
