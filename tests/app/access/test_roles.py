"""Who may do what, on a server that asks for a token: every route and socket × every role, and each way around it."""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
import torch
from torch import nn
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

import normscope
from app.commands import keyring
from app.main import create_app
from app.pages.assets import PLOTLY_PATH
from app.settings import Settings
from normscope import wire

from ...conftest import serving, wait_for
from ...frames import LAYERS, SOCKETS, Trainer, drain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ...conftest import Server

EVERYONE: Final = {"nobody", "sender", "viewer", "browser", "owner"}
READERS: Final = {"viewer", "browser", "owner"}
OWNERS: Final = {"browser", "owner"}
DECISIONS: Final[Mapping[str, set[str]]] = {
    "GET /": OWNERS,
    "GET /c/{number}": OWNERS,
    "GET /compare/{ids}": OWNERS,
    "GET /compare/{ids}/saved.html": OWNERS,
    "GET /docs": OWNERS,
    "GET /e/{id}": OWNERS,
    "GET /e/{id}/saved.html": OWNERS,
    "GET /login": EVERYONE,
    "GET /openapi.json": OWNERS,
    "GET /r/{id}": OWNERS,
    "GET /s/{token}": EVERYONE,  # the address is what proves it
    "GET /s/{token}/saved.html": EVERYONE,
    "GET /static/{stamp}": EVERYONE,
    f"GET {PLOTLY_PATH}": EVERYONE,
    "GET /healthz": EVERYONE,
    "GET /readyz": EVERYONE,
    "GET /metrics": {"sender", "browser", "owner"},
    "GET /api/catalogue": OWNERS,
    "GET /api/experiments": OWNERS,
    "GET /api/experiments/{id}": READERS,
    "GET /api/experiments/{id}/finding": READERS,
    "GET /api/experiments/{id}/runs": READERS,
    "GET /api/links": OWNERS,
    "GET /api/runs": OWNERS,
    "GET /api/runs/{id}": READERS,
    "GET /api/runs/{id}/alerts": READERS,
    "GET /api/runs/{id}/history": READERS,
    "GET /api/tokens": OWNERS,
    "PATCH /api/experiments/{id}": OWNERS,
    "POST /api/estimate": OWNERS,
    "POST /api/experiments": OWNERS,
    "POST /api/experiments/{id}/restore": OWNERS,
    "POST /api/experiments/{id}/{action}": OWNERS,
    "POST /api/links": OWNERS,
    "POST /api/runs/{id}/pace": OWNERS,
    "POST /api/runs/{id}/{action}": OWNERS,
    "POST /api/tokens": OWNERS,
    "POST /api/tokens/owner": OWNERS,
    "POST /login": EVERYONE,
    "POST /logout": OWNERS,
    "POST /s/{token}": EVERYONE,
    "DELETE /api/experiments/{id}": OWNERS,
    "DELETE /api/links/{id}": OWNERS,
    "DELETE /api/tokens/{id}": OWNERS,
    "SOCKET /ws/ingest": {"sender", "browser", "owner"},
    "SOCKET /ws/live": READERS,
}


def routes(router: Any) -> Iterator[str]:
    """Every route and socket below a router, as DECISIONS names them."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner)
        elif type(route).__name__ == "APIWebSocketRoute":
            yield f"SOCKET {route.path}"
        else:
            methods = set(getattr(route, "methods", None) or {"GET"}) - {"HEAD"}
            yield from (f"{method} {route.path}" for method in methods)


def test_every_route_has_a_decision(tmp_path: Path) -> None:
    found = list(routes(create_app(Settings(data=tmp_path)).router))
    assert len(found) > 40
    assert set(found) == set(DECISIONS)


@dataclass
class House:
    """A server that asks for a token, and one who comes in each role."""

    server: Server
    owner: str
    sender: str
    experiment: str
    runs: list[str]
    link: str
    link_id: str
    who: dict[str, httpx.Client] = field(default_factory=dict)

    def share(self, **given: Any) -> tuple[str, str]:
        """A link to the experiment: its token and its id."""
        answer = self.server.post("/api/links", {"experiment": self.experiment, **given})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return made["url"].removeprefix("/s/"), made["id"]

    def token(self, name: str) -> tuple[str, str]:
        """A sender's token, and its id."""
        made = self.server.post("/api/tokens", {"name": name}).json()
        return made["token"], made["id"]

    def socket(self, path: str, headers: Mapping[str, str] | None = None, origin: str | None = None) -> Any:
        url = f"ws://127.0.0.1:{self.server.port}{path}"
        given = None if origin is None else Origin(origin)
        return SOCKETS.enter_context(connect(url, additional_headers=headers, origin=given))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with serving(tmp_path_factory.mktemp("roles") / "data", "--require-token", "--rates", "0") as server:
        owner = server.http.headers["authorization"].removeprefix("Bearer ")
        # Launched training processes get tokens of their own, and get in.
        experiment = server.begin(steps=3, pace=0)
        runs = [server.wait_status(run["id"], "finished")["id"] for run in experiment["runs"]]
        sender = server.post("/api/tokens", {"name": "cluster"}).json()["token"]
        link = server.post("/api/links", {"experiment": experiment["id"], "view": "tab=landscape"}).json()
        one = House(server, owner, sender, experiment["id"], runs, link["url"].removeprefix("/s/"), link["id"])
        one.who = {name: httpx.Client(base_url=server.url, timeout=30) for name in EVERYONE}
        one.who["owner"].headers["authorization"] = f"Bearer {owner}"
        one.who["sender"].headers["authorization"] = f"Bearer {sender}"
        one.who["viewer"].params = one.who["viewer"].params.set("link", one.link)
        one.who["browser"].get("/", params={"token": owner})
        yield one
        for client in one.who.values():
            client.close()
        assert "Traceback" not in server.log


def address(house: House, route: str, *, harmless: bool) -> str:
    """An address of a route: of something that is there, unless asking for it would change that."""
    _, path = route.split()
    real = {
        "/e/": house.experiment, "/api/experiments/": house.experiment, "/r/": house.runs[0],
        "/api/runs/": house.runs[0], "/api/links/": house.link_id, "/api/tokens/": "nobody",
    }  # fmt: skip
    there = next((one for prefix, one in real.items() if path.startswith(prefix)), "")
    values = {
        "id": "nobody" if harmless else there, "number": "1", "ids": ",".join(house.runs), "action": "stop",
        "token": house.link, "stamp": "any/style.css",
    }  # fmt: skip
    return path.format(**values)


@pytest.mark.parametrize("role", sorted(EVERYONE))
def test_each_route_lets_in_whom_it_should(house: House, role: str) -> None:
    """Refused is 401 or 403, whatever else is wrong with a request; whoever is let in hears of something else."""
    client = house.who[role]
    wrong = []
    for route, allowed in DECISIONS.items():
        method = route.split()[0]
        if method == "SOCKET" or route == "POST /api/tokens/owner" or (route == "POST /logout" and role == "browser"):
            continue  # they have tests of their own
        path = address(house, route, harmless=method != "GET" and role in allowed)
        body: dict[str, Any] = {"data": {"token": house.owner}} if route == "POST /login" else {}
        if method in ("POST", "PATCH") and "data" not in body:
            body = {"json": {}}
        answer = client.request(method, path, **body)
        if role != "browser":
            client.cookies.clear()  # of logging in
        refused = answer.status_code in (401, 403)
        assert answer.status_code < 500, f"{route}: {answer.text}"
        if refused == (role in allowed):
            wrong.append(f"{route}: {answer.status_code}")
        if refused:
            assert set(answer.json()) == {"detail"}
    assert wrong == []
    assert house.server.get(f"/api/experiments/{house.experiment}")["id"] == house.experiment


@pytest.mark.parametrize("role", sorted(EVERYONE))
def test_each_socket_lets_in_whom_it_should(house: House, role: str) -> None:
    client = house.who[role]
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    headers = {"authorization": client.headers.get("authorization", ""), "cookie": cookies}
    query = "?link=" + house.link if role == "viewer" else ""

    def opens(path: str) -> bool:
        try:
            opened = house.socket(path + query, headers)
        except InvalidStatus:
            return False
        if path == "/ws/live":
            opened.send(json.dumps({"type": "watch", "runs": [house.runs[0]]}))
        else:
            opened.send(wire.Hello(f"the matrix' key of {role}", "matrix", LAYERS).dump())
        try:
            return json.loads(opened.recv(timeout=10))["type"] in ("run", "welcome")
        except ConnectionClosed:
            return False

    assert {path: opens(path) for path in ("/ws/live", "/ws/ingest")} == {
        path: role in DECISIONS[f"SOCKET {path}"] for path in ("/ws/live", "/ws/ingest")
    }


def test_a_page_leads_to_where_one_logs_in_and_back(house: House) -> None:
    with httpx.Client(base_url=house.server.url, headers={"accept": "text/html"}) as browser:
        asked = browser.get(f"/e/{house.experiment}?tab=landscape")
        assert (asked.status_code, asked.headers["location"]) == (
            303, f"/login?next=%2Fe%2F{house.experiment}%3Ftab%3Dlandscape",
        )  # fmt: skip
        form = browser.get(asked.headers["location"])
        assert f'value="/e/{house.experiment}?tab=landscape"' in form.text
        fields = {"token": house.owner, "next": f"/e/{house.experiment}?tab=landscape"}
        assert browser.post("/login", data=fields | {"token": "wrong"}).status_code == 403
        assert browser.cookies == {}
        entered = browser.post("/login", data=fields)
        assert (entered.status_code, entered.headers["location"]) == (303, fields["next"])
        assert browser.get(fields["next"]).status_code == 200
        for foreign in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/x"):
            entered = browser.post("/login", data=fields | {"next": foreign})
            assert entered.headers["location"] == "/", foreign


def test_the_printed_address_sets_a_cookie_that_is_not_the_token(house: House) -> None:
    with httpx.Client(base_url=house.server.url) as browser:
        answer = browser.get("/c/1", params={"token": house.owner, "size": "quick"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/c/1?size=quick")
        (cookie,) = answer.headers.get_list("set-cookie")
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= flags
        assert "secure" not in flags  # it came over http
        assert house.owner not in cookie
        assert cookie.startswith(f"normscope-{house.server.port}=")
        assert browser.get("/c/1").status_code == 200
        assert browser.get("/", params={"token": house.sender}).status_code == 403
        ((name, session),) = browser.cookies.items()
    for headers in (
        {"authorization": f"Bearer {session}"},
        {"cookie": f"{name}={house.owner}"},
    ):  # neither is the other
        assert house.who["nobody"].get("/api/experiments", headers=headers).status_code == 401


def test_logging_out_ends_the_session_and_what_it_has_open(house: House) -> None:
    with httpx.Client(base_url=house.server.url) as browser:
        browser.get("/", params={"token": house.owner})
        ((name, value),) = browser.cookies.items()
        live = house.socket("/ws/live", {"cookie": f"{name}={value}"})
        assert browser.post("/logout").headers["location"] == "/login"
        assert reason_of_end(live) == "this browser has been logged out"
        browser.cookies.set(name, value, domain="127.0.0.1")  # a copy that someone kept
        assert browser.get("/api/experiments").status_code == 401


def reason_of_end(opened: Any, within: float = 1.0) -> str:
    """Why a socket is closed, if it is within so many seconds."""
    with pytest.raises(ConnectionClosed) as caught:
        drain(opened, within)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008
    return caught.value.rcvd.reason


def test_what_is_kept_tells_no_secret(house: House) -> None:
    link, _ = house.share(password="a word of ours")
    kept = b"".join(path.read_bytes() for path in house.server.data.glob("normscope.db*"))
    for secret in (house.owner, house.sender, house.link, link, "a word of ours"):
        assert secret.encode() not in kept


def test_the_owners_token_is_changed(house: House) -> None:
    server, other = house.server, httpx.Client(base_url=house.server.url)
    with other, httpx.Client(base_url=server.url) as mine:
        for browser in (mine, other):
            browser.get("/", params={"token": house.owner})
        fresh = mine.post("/api/tokens/owner").json()["token"]
        try:
            assert mine.get("/api/tokens").status_code == 200
            assert other.get("/api/tokens").status_code == 401
            assert server.http.get(f"{server.url}/api/tokens").status_code == 401
        finally:
            house.owner = fresh
            for client in (server.http, house.who["owner"]):
                client.headers["authorization"] = f"Bearer {fresh}"
            house.who["browser"].cookies.clear()
            house.who["browser"].get("/", params={"token": fresh})
        roles = [token["role"] for token in server.get("/api/tokens")["tokens"]]
        assert roles.count("owner") == 1
        owner = next(token["id"] for token in server.get("/api/tokens")["tokens"] if token["role"] == "owner")
        assert server.http.delete(f"{server.url}/api/tokens/{owner}").status_code == 409


# Ways around it


def test_dns_rebinding_finds_no_server_of_that_name(house: House) -> None:
    for host in ("evil.example", f"evil.example:{house.server.port}", "127.0.0.1.evil.example", ""):
        assert house.who["owner"].get("/api/experiments", headers={"host": host}).status_code == 421
    headers, url = {"authorization": f"Bearer {house.owner}"}, f"ws://evil.example:{house.server.port}/ws/live"
    with (
        pytest.raises(InvalidStatus, match="403"),
        socket.create_connection(("127.0.0.1", house.server.port)) as line,
        connect(url, sock=line, additional_headers=headers),
    ):
        pass


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
def test_another_sites_page_cannot_use_the_cookie(house: House, origin: str) -> None:
    """Cross-site request forgery, and cross-site websocket hijacking."""
    browser = house.who["browser"]
    before = len(house.server.get("/api/experiments")["experiments"])
    for path in ("/api/experiments", "/logout", "/login"):
        assert browser.post(path, json={"claim": 1}, headers={"origin": origin}).status_code == 403
    assert browser.get("/api/experiments").status_code == 200
    assert len(house.server.get("/api/experiments")["experiments"]) == before
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for path in ("/ws/live", "/ws/ingest"):
        with pytest.raises(InvalidStatus, match="403"):
            house.socket(path, {"cookie": cookie}, origin)
    house.socket("/ws/live", {"cookie": cookie}, house.server.url)


def test_a_link_opens_the_runs_it_was_made_for_and_no_other(house: House) -> None:
    mine, other = house.runs[:2]
    link, _ = house.share(runs=[mine])
    with httpx.Client(base_url=house.server.url, params={"link": link}) as viewer:
        assert [run["id"] for run in viewer.get(f"/api/experiments/{house.experiment}").json()["runs"]] == [mine]
        assert [run["id"] for run in viewer.get(f"/api/experiments/{house.experiment}/runs").json()["runs"]] == [mine]
        finding = viewer.get(f"/api/experiments/{house.experiment}/finding").json()
        assert [outcome["run"] for outcome in finding["outcomes"]] == [mine]
        assert viewer.get(f"/api/runs/{mine}/history").status_code == 200
        for path in (f"/api/runs/{other}", f"/api/runs/{other}/history", "/api/experiments/nobody"):
            assert viewer.get(path).status_code == 404
        page = viewer.get(f"/s/{link}", follow_redirects=True).text
        assert mine in page
        assert other not in page
        assert viewer.get(f"/s/{link}/saved.html", params={"runs": other}).status_code == 422
    live = house.socket(f"/ws/live?link={link}")
    live.send(json.dumps({"type": "watch", "runs": [mine, other]}))
    assert json.loads(live.recv(timeout=10)) == {"type": "error", "message": f"unknown run {other!r}"}
    assert house.server.post("/api/links", {"experiment": house.experiment, "runs": ["nobody"]}).status_code == 422


def test_a_link_for_now_does_not_open_what_is_added_later(house: House) -> None:
    """Straight into the store: an experiment gets another run, as if a server had added one."""
    import sqlite3

    (now, _), (whole, _) = house.share(), house.share(runs="all")
    with sqlite3.connect(house.server.data / "normscope.db", timeout=10) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(runs)")]
        kept = dict(zip(names, db.execute("SELECT * FROM runs WHERE id = ?", (house.runs[0],)).fetchone(), strict=True))
        kept |= {"id": "later", "token_hash": "later", "created": time.time()}
        db.execute(f"INSERT INTO runs VALUES ({','.join('?' * len(kept))})", list(kept.values()))
    db.close()
    for link, seen in ((now, False), (whole, True)):
        found = house.who["nobody"].get(f"/api/experiments/{house.experiment}", params={"link": link}).json()["runs"]
        assert ("later" in [run["id"] for run in found]) == seen


def test_a_link_tells_nothing_of_the_machine(house: House) -> None:
    token, _ = house.token("teller")
    secret = {
        "python": "3.11",
        "device": "gpu-node-17.lab.example",
        "processor": "some 4096-core thing",
        "x": "/home/x",
    }
    trainer = house.socket("/ws/ingest")
    trainer.send(wire.Hello("a key that tells much", "teller", LAYERS, token, secret).dump())
    run = json.loads(trainer.recv(timeout=10))["run"]
    trainer.send(wire.End("failed", "FileNotFoundError: /home/ann/secret/data.npz on gpu-node-17").dump())
    server = house.server
    server.wait_status(run, "failed")
    experiment = server.run(run)["experiment"]
    link = server.post("/api/links", {"experiment": experiment}).json()["url"].removeprefix("/s/")
    with httpx.Client(base_url=server.url, params={"link": link}, follow_redirects=True) as viewer:
        answers = [viewer.get(path).text for path in (
            f"/api/experiments/{experiment}", f"/api/experiments/{experiment}/runs", f"/api/runs/{run}",
            f"/api/runs/{run}/history", f"/s/{link}", f"/s/{link}/saved.html?runs={run}",
        )]  # fmt: skip
    live = house.socket(f"/ws/live?link={link}")
    live.send(json.dumps({"type": "watch", "runs": [run]}))
    answers.append(live.recv(timeout=10))
    assert all(run in answer for answer in (answers[0], answers[2], answers[4], answers[6]))
    for answer in answers:
        for word in ("gpu-node", "4096-core", "/home", str(server.data), "teller's"):
            assert word not in answer
    assert "gpu-node" in json.dumps(server.run(run))  # its owner sees it


def test_a_link_tells_no_folder_of_the_data_that_nets_learn(house: House) -> None:
    server = house.server
    settings = {"data": "/home/ann/secret/mine.npz", "seeds": 1, "steps": 5}
    started = server.post("/api/experiments", {"claim": 2, "settings": settings}).json()
    experiment, run = started["id"], started["runs"][0]["id"]
    server.wait_status(run, "failed")  # there is no such file
    link = server.post("/api/links", {"experiment": experiment}).json()["url"].removeprefix("/s/")
    with httpx.Client(base_url=server.url, params={"link": link}, follow_redirects=True) as viewer:
        for path in (f"/api/experiments/{experiment}", f"/api/experiments/{experiment}/finding", f"/s/{link}"):
            answer = viewer.get(path)
            assert answer.status_code == 200
            assert "mine.npz" in answer.text
            assert "secret" not in answer.text
        assert "secret" not in viewer.get(f"/s/{link}/saved.html?runs={run}").text
    assert "/home/ann/secret/mine.npz" in server.http.get(f"{server.url}/api/experiments/{experiment}").text


def test_revoked_and_expired_links_close_what_they_have_open(house: House) -> None:
    (revoked, key), (brief, _) = house.share(), house.share(hours=1 / 3600)
    made = time.monotonic()
    pages = [house.socket(f"/ws/live?link={link}") for link in (revoked, brief)]
    assert house.who["nobody"].get(f"/s/{brief}", follow_redirects=True).status_code == 200
    assert house.server.http.delete(f"{house.server.url}/api/links/{key}").status_code == 200
    assert reason_of_end(pages[0]) == "this link has been revoked"
    assert reason_of_end(pages[1], within=2.0) == "this link has expired"
    assert 0.5 < time.monotonic() - made < 3
    for link in (revoked, brief):
        assert house.who["nobody"].get(f"/s/{link}").status_code == 404
        assert house.who["nobody"].get(f"/api/runs/{house.runs[0]}", params={"link": link}).status_code == 403
        with pytest.raises(InvalidStatus, match="403"):
            house.socket(f"/ws/live?link={link}")
    listed = [one["id"] for one in house.server.get("/api/links", experiment=house.experiment)["links"]]
    assert house.link_id in listed
    assert key not in listed


def test_a_link_asks_for_its_password_and_not_too_often(house: House) -> None:
    link, key = house.share(password="correct horse")
    (listed,) = [
        one for one in house.server.get("/api/links", experiment=house.experiment)["links"] if one["id"] == key
    ]
    assert listed["locked"]
    assert "password" not in listed
    path = f"/api/runs/{house.runs[0]}"
    with httpx.Client(base_url=house.server.url) as guest, httpx.Client(base_url=house.server.url) as guesser:
        for browser in (guest, guesser):
            assert 'type="password"' in browser.get(f"/s/{link}").text
            assert browser.get(path, params={"link": link}).status_code == 403
            assert browser.get(f"/s/{link}/saved.html?runs={house.runs[0]}").status_code == 403
        with pytest.raises(InvalidStatus, match="403"):
            house.socket(f"/ws/live?link={link}")
        answer = guest.post(f"/s/{link}", data={"token": "correct horse"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/s/{link}")
        assert {"httponly", "samesite=lax"} <= {
            part.strip().lower() for part in answer.headers["set-cookie"].split(";")
        }
        statuses = [guesser.post(f"/s/{link}", data={"token": f"guess {i}"}).status_code for i in range(7)]
        assert statuses == [403] * 5 + [429] * 2
        assert guesser.post(f"/s/{link}", data={"token": "correct horse"}).status_code == 429
        assert guest.get(path, params={"link": link}).status_code == 200  # who is in already is not held up
        ((name, value),) = guest.cookies.items()
        house.socket(f"/ws/live?link={link}", {"cookie": f"{name}={value}"})
        other, _ = house.share(password="correct horse")
        guest.cookies.set(name, value)
        assert guest.get(path, params={"link": other}).status_code == 403


def test_a_sender_goes_on_with_its_own_runs_and_no_others(house: House) -> None:
    (mine, kept), (theirs, _) = house.token("mine"), house.token("theirs")
    server, key = house.server, "a key that both know"
    trainer = Trainer(server, key, mine)
    run = trainer.hear()["run"]
    trainer.send(0, 1)
    trainer.acknowledged(1)
    trainer.close()
    again = Trainer(server, key, mine)
    assert again.hear()["last"] == 1
    for other in (theirs, None, "unknown"):
        assert reason_of_end(Trainer(server, key, other).socket) in (
            "this run is not one of this sender's",
            "this server asks for a token: give watch one with token= or NORMSCOPE_TOKEN",
            "unknown run: its token is not one of this server's",
        )
    again.send(2)
    again.acknowledged(2)  # nobody else has taken its place
    assert server.run(run)["last_step"] == 2
    again.send(*range(3, 60))  # some of which are being committed when the socket is closed
    assert server.http.delete(f"{server.url}/api/tokens/{kept}").status_code == 200
    assert reason_of_end(again.socket) == "this token has been revoked"
    assert reason_of_end(Trainer(server, key, mine).socket) == "unknown run: its token is not one of this server's"
    assert server.run(run)["last_step"] >= 2


def test_watch_sends_with_a_senders_token_and_trains_on_without(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NORMSCOPE_TOKEN", raising=False)
    for name, token in (("let in", house.sender), ("left out", None)):
        model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        with normscope.watch(model, name=name, url=house.server.url, token=token, budget=None) as watch:
            for _ in range(3):
                model(torch.ones(2, 4)).sum().backward()
                watch.step(loss=1.0)
    assert "refused, training goes on unwatched: this server asks for a token" in caplog.text
    runs = [run for one in house.server.get("/api/experiments")["experiments"] for run in one["runs"]]
    assert [run["status"] for run in runs if run["name"] == "let in"] == ["finished"]
    assert [run for run in runs if run["name"] == "left out"] == []


def test_the_command_line_makes_lists_and_revokes(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """In another process than the server's, on the same store: what it changes is noticed."""
    data = ["--data", str(house.server.data)]
    assert keyring.main([*data, "--sender", "by hand"]) == 0
    token = capsys.readouterr().out.strip()
    trainer = Trainer(house.server, "a key of the command line", token)
    assert trainer.hear()["type"] == "welcome"
    assert keyring.main(data) == 0
    listed = capsys.readouterr().out
    (line,) = [line for line in listed.splitlines() if "by hand" in line]
    assert "last used" in line
    assert keyring.main([*data, "--revoke", line.split()[0]]) == 0
    assert reason_of_end(trainer.socket) == "this token has been revoked"
    owner = next(line.split()[0] for line in listed.splitlines() if " owner " in line)
    assert keyring.main([*data, "--revoke", owner]) == 1
    assert re.fullmatch(r"normscope: there is no sender's token .*\n", capsys.readouterr().err)
    assert keyring.main(["--data", "/nowhere/at/all"]) == 1


def test_after_a_restart_the_same_token_opens(house: House) -> None:
    """The last of this module: it starts the server anew."""
    server = house.server
    server.kill()
    server.start()
    assert house.who["owner"].get("/api/experiments").status_code == 200
    assert house.who["browser"].get("/").status_code == 200
    assert house.who["nobody"].get("/").status_code == 401
    wait_for(lambda: server.log.count("Normscope is at") == 2, "the server to say where it is")
    assert server.log.count("?token=") == 1
    assert "It asks for its token" in server.log
