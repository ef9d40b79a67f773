"""Logging in, sharing and sending, in a browser, behind a proxy under a path of its own."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Page, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.conftest import Server, serving, wait_for
from tests.frames import Trainer
from tests.proxy import Proxy

from .test_accessibility import violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Visit = Callable[..., Page]

PREFIX = "/lab/normscope"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows one proxy and believes whom it names."""
    flags = ("--root-path", PREFIX, "--forwarded-allow-ips", "127.0.0.1", "--user-header", "X-Remote-User")
    with serving(tmp_path_factory.mktemp("proxied") / "data", *flags) as server:
        yield server


@pytest.fixture
def proxy(behind: Server) -> Iterator[Proxy]:
    with Proxy(behind.port, PREFIX) as one:
        yield one


def token_of(server: Server) -> str:
    return str(server.http.headers["authorization"]).removeprefix("Bearer ")


def watched(server: Server, key: str) -> tuple[Trainer, str]:
    """A run with some steps, and the id of its experiment."""
    trainer = Trainer(server, key, token_of(server))
    run = trainer.hear()["run"]
    trainer.send(*range(30))
    trainer.acknowledged(29)
    return trainer, server.run(run)["experiment"]


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 360)])
def test_the_page_that_asks_for_a_token(behind: Server, proxy: Proxy, visit: Visit, theme: str, width: int) -> None:
    page = visit(f"{proxy.url}/c/1?size=quick", width=width, expected=("403",))
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    expect(page).to_have_url(re.compile(f"{PREFIX}/login\\?next="))
    expect(page.get_by_test_id("token")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_test_id("token").fill("a wrong one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not this server’s token")
    assert violations(page) == []


def test_from_the_printed_address_to_a_shared_link_and_out(behind: Server, proxy: Proxy, visit: Visit) -> None:
    """Pages, static files, sockets, links and cookies, all of them below the prefix."""
    trainer, experiment = watched(behind, "a key behind a proxy")
    page = visit(f"{proxy.url}/?token={token_of(behind)}", expected=("401",))  # asked as it logs out
    expect(page).to_have_url(f"{proxy.url}/")
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["path"], cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (
        f"normscope-{behind.port}", PREFIX, True, "Lax", True,
    )  # fmt: skip
    assert page.evaluate("document.cookie") == ""
    page.get_by_test_id("experiment-row").first.click()
    expect(page).to_have_url(f"{proxy.url}/e/{experiment}")
    expect(page.get_by_test_id("step-number")).to_have_text("29")
    trainer.send(30)
    expect(page.get_by_test_id("step-number")).to_have_text("30")  # by the socket

    page.get_by_test_id("share").click()
    expect(page.get_by_test_id("share-runs").locator("option")).to_have_text(
        ["this run", "all runs, also those to come"]
    )
    page.get_by_test_id("share-ends").select_option("24")
    page.get_by_test_id("share-password").fill("open sesame")
    page.get_by_test_id("make-link").click()
    address = page.get_by_test_id("share-url")
    expect(address).to_have_value(re.compile(f"^{re.escape(proxy.url)}/s/"))
    listed = page.get_by_test_id("links").locator("li")
    expect(listed).to_contain_text(re.compile("one run · with a password · ends .* · made just now · never opened"))
    assert violations(page) == []

    guest = visit(address.input_value(), expected=("403", "404", "revoked"))
    assert violations(guest) == []
    guest.get_by_test_id("token").fill("open barley")
    guest.get_by_test_id("enter").click()
    expect(guest.get_by_role("alert")).to_contain_text("not the password")
    guest.get_by_test_id("token").fill("open sesame")
    guest.get_by_test_id("enter").click()
    expect(guest.get_by_test_id("step-number")).to_have_text("30")
    trainer.send(31)
    expect(guest.get_by_test_id("step-number")).to_have_text("31")
    expect(guest.get_by_test_id("share")).to_have_count(0)
    page.get_by_test_id("revoke").click()
    expect(guest.get_by_test_id("connection")).to_have_text("this link has been revoked")
    guest.reload()
    expect(guest.get_by_role("heading")).to_have_text("This link does not open any more")
    assert violations(guest) == []

    page.goto(f"{proxy.url}/")
    page.get_by_test_id("access").click()
    page.get_by_test_id("log-out").click()
    expect(page).to_have_url(f"{proxy.url}/login")
    page.goto(f"{proxy.url}/e/{experiment}")
    expect(page).to_have_url(re.compile(f"{PREFIX}/login\\?next="))


@pytest.mark.parametrize("width", [1440, 360])
def test_tokens_of_senders_on_the_page(behind: Server, proxy: Proxy, visit: Visit, width: int) -> None:
    page = visit(f"{proxy.url}/?token={token_of(behind)}", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_test_id("access").click()
    page.get_by_test_id("sender-name").fill(f"the {width} cluster")
    page.get_by_test_id("make-token").click()
    made = page.get_by_test_id("token-made")
    expect(made).to_have_value(re.compile(r"^NORMSCOPE_URL=\S+/lab/normscope NORMSCOPE_TOKEN=\S+ python train.py$"))
    token = made.input_value().partition("TOKEN=")[2].split()[0]
    assert Trainer(behind, f"a key of {width} pixels", token).hear()["type"] == "welcome"
    row = page.get_by_test_id("tokens").locator("li").filter(has_text=f"the {width} cluster")
    expect(row).to_contain_text("never used")
    assert violations(page) == []
    row.get_by_test_id("revoke-token").click()
    expect(page.get_by_test_id("access-note")).to_contain_text("Revoked")
    expect(row).to_have_count(0)
    page.get_by_test_id("change-token").click()
    expect(made).to_have_value(re.compile(r"/lab/normscope/\?token=\S+$"))
    old = token_of(behind)
    behind.http.headers["authorization"] = f"Bearer {made.input_value().partition('token=')[2]}"
    assert behind.get("/api/experiments")  # the new one opens, and the old one does not
    refused = httpx.get(f"{proxy.url}/api/experiments", headers={"authorization": f"Bearer {old}"})
    assert refused.status_code == 401


@pytest.mark.parametrize("keeps", [False, True])
def test_a_prefix_is_understood_whether_the_proxy_keeps_it_or_not(behind: Server, keeps: bool) -> None:
    with Proxy(behind.port, PREFIX, keeps=keeps) as proxy, httpx.Client(headers=behind.http.headers) as owner:
        html = owner.get(proxy.url if keeps else f"{proxy.url}/").text
        (style,) = re.findall(r'href="([^"]+/style.css)"', html)
        assert style.startswith(f"{PREFIX}/static/")
        root = proxy.url.removesuffix(PREFIX)
        assert owner.get(root + style).headers["content-type"].startswith("text/css")
        assert owner.get(f"{proxy.url}/docs").status_code == 200
        with connect(proxy.url.replace("http", "ws") + "/ws/live", additional_headers=behind.http.headers) as live:
            live.send(json.dumps({"type": "dance"}))
            assert json.loads(live.recv(timeout=10))["type"] == "error"


def test_whom_the_proxy_names_is_let_in_and_nobody_who_names_themselves(behind: Server, proxy: Proxy) -> None:
    """Single sign-on: the header counts from the proxy's address alone, and whatever a browser sends of it does not."""
    named = {"X-Remote-User": "mallory"}
    assert httpx.get(f"{proxy.url}/api/experiments", headers=named).status_code == 401  # the proxy takes it away
    proxy.user = "ann"
    assert httpx.get(f"{proxy.url}/api/experiments").status_code == 200
    assert httpx.post(f"{proxy.url}/api/tokens", json={"name": "x"}).status_code == 201
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as elsewhere:  # past the proxy
        for headers in (named, named | {"X-Forwarded-For": "127.0.0.1"}):
            assert elsewhere.get(f"{behind.url}/api/experiments", headers=headers).status_code == 401
    url = f"ws://127.0.0.1:{behind.port}/ws/live"
    with (
        pytest.raises(InvalidStatus, match="403"),
        connect(url, additional_headers=named, source_address=("127.0.0.2", 0)),
    ):
        pass


def test_a_page_whose_link_ended_while_the_server_was_away_says_so(behind: Server, proxy: Proxy, visit: Visit) -> None:
    _, experiment = watched(behind, "a key of a page left open")
    link, ends = behind.post("/api/links", {"experiment": experiment, "hours": 8 / 3600}).json()["url"], time.time() + 8
    guest = visit(f"{proxy.url.removesuffix(PREFIX)}{link}", expected=("404", "WebSocket", "ERR_"))
    expect(guest.get_by_test_id("step-number")).to_have_text("29")
    behind.kill()
    expect(guest.get_by_test_id("connection")).to_have_text("Connection lost. Reconnecting…")
    wait_for(lambda: time.time() > ends, "the link to end")
    behind.start()
    expect(guest.get_by_test_id("connection")).to_have_text("This page does not open any more.", timeout=20_000)


def test_forwarded_headers_of_a_stranger_change_nothing(behind: Server) -> None:
    """A cookie is secure because a proxy that is known said https, not because a browser did."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as elsewhere:
        answer = elsewhere.get(
            f"{behind.url}{PREFIX}/", params={"token": token_of(behind)}, headers={"X-Forwarded-Proto": "https"}
        )
    assert answer.status_code == 303
    assert "secure" not in answer.headers["set-cookie"].lower()


def test_guessing_is_slowed_down(behind: Server) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.3"), base_url=behind.url) as guesser:
        statuses = [guesser.post("/login", data={"token": f"guess {i}"}).status_code for i in range(12)]
        assert statuses[:10] == [403] * 10
        assert statuses[-1] == 429
        assert guesser.post("/login", data={"token": token_of(behind)}).status_code == 429  # rightly guessed, too late
    assert behind.get("/api/experiments")  # others are not held up
