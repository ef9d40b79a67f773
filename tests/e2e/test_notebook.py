"""The page inside a notebook: it lives there, below a proxy's path too, and pages of other sites do not get it."""

from __future__ import annotations

import http.server
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

import normscope
from tests.conftest import Server, serving, wait_for
from tests.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Visit = Callable[..., Page]

PREFIX = "/user/me/proxy/8000"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that another port of this machine serves, as Jupyter would."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def write(folder: Path, view: normscope.View) -> None:
    """A page around what a cell shows."""
    head = "<!doctype html><title>n</title><link rel=icon href=data:>"
    (folder / "notebook.html").write_text(head + view._repr_html_())


def test_a_notebook_shows_charts_that_live_and_what_has_a_place_there(
    shared_server: Server, visit: Visit, elsewhere: tuple[Path, str]
) -> None:
    run = shared_server.begin(steps=100_000, pace=40)["runs"][0]["id"]
    folder, url = elsewhere
    view = normscope.view(f"{shared_server.url}/r/{run}", height=600)
    write(folder, view)
    page = visit(f"{url}/notebook.html", width=900, height=700)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_test_id("pause")).to_be_visible()
    (inside,) = [one for one in page.frames if one.parent_frame]
    drawn = "() => window.normscope ? Math.min(...Object.values(window.normscope.painted)) : -1"
    first = wait_for(lambda: max(0, inside.evaluate(drawn)), "the first steps")
    wait_for(lambda: inside.evaluate(drawn) > first, "further steps")
    for gone in ("share", "compare", "save-page", "tour", "arms", "layers"):
        expect(frame.get_by_test_id(gone)).to_be_hidden()
    frame.get_by_role("button", name="Landscape").click()
    assert "embed=1" in inside.url
    with page.expect_popup() as opened:
        frame.get_by_test_id("whole").click()
    expect(opened.value.get_by_test_id("arms")).to_be_visible()
    assert "embed" not in opened.value.url
    assert "tab=landscape" in opened.value.url


def test_a_notebook_beside_a_proxy_shows_what_is_below_its_path(
    tmp_path: Path, visit: Visit, elsewhere: tuple[Path, str]
) -> None:
    flags = ("--root-path", PREFIX, "--forwarded-allow-ips", "127.0.0.1", "--allow-host", "localhost")
    folder, url = elsewhere
    with serving(tmp_path / "data", *flags) as server, Proxy(server.port, PREFIX) as proxy:
        run = server.begin(steps=30)["runs"][0]["id"]
        server.wait_status(run, "finished", timeout=60)
        write(folder, normscope.view(f"{proxy.url}/r/{run}"))
        page = visit(f"{proxy.url}/?token={server.http.headers['authorization'].removeprefix('Bearer ')}")
        page.goto(f"{url.replace('127.0.0.1', 'localhost')}/notebook.html")  # of the same site, as behind one proxy
        expect(page.frame_locator("iframe").get_by_test_id("step-number")).to_have_text("29 / 29")
        page.close()  # before the server, which it would miss


def test_only_pages_that_were_named_show_it_in_a_frame(
    tmp_path: Path, shared_server: Server, visit: Visit, elsewhere: tuple[Path, str]
) -> None:
    folder, url = elsewhere
    hub = url.replace("127.0.0.1", "hub.localhost")
    write(folder, normscope.view(f"{shared_server.url}/"))
    page = visit("about:blank", expected=("frame-ancestors", "chrome-error"))
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(f"{hub}/notebook.html")
    with serving(tmp_path / "data", "--allow-frame", hub) as server:
        write(folder, normscope.view(f"{server.url}/"))
        page = visit(f"{hub}/notebook.html")
        expect(page.frame_locator("iframe").get_by_test_id("claims")).to_be_visible()
        page.close()
