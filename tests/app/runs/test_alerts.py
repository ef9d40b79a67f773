"""Alerts on the server: kept, counted, told once; what only it can know; and webhooks to real listeners."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosedError

from app.runs.webhooks import UndeliveredError, Webhooks, is_public
from normscope import wire

from ...conftest import HOUSE, Server, wait_for
from ...frames import Trainer, drain
from .test_runs import handles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

ALERT = wire.Alert(0, "dead", "dead: the output of fc1 is nothing but zeros since step 3 (100 %)", 22, 3,
                   (wire.Place("fc1", "output", 1.0),))  # fmt: skip


class Listener:
    """A web server that keeps what is posted to it, and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.bodies.append({"to": self.path, **json.loads(body)})
                listener.headers.append(dict(self.headers))
                status, headers = listener.answers.pop(0) if listener.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, listener: Listener) -> Iterator[Server]:
    """One server for the tests of this module, which posts to a listener and to where it must not."""
    with told(tmp_path_factory.mktemp("server") / "data", f"{listener.url}/hook?key=secret") as one:
        yield one


@contextlib.contextmanager
def told(data: Path, url: str, *flags: str) -> Iterator[Server]:
    one = Server(data, flags=("--webhook", url, "--webhook-host", "127.0.0.1", *flags))
    one.start()
    try:
        yield one
    finally:
        one.close()


def begin(server: Server, key: str) -> tuple[Trainer, str]:
    trainer = Trainer(server, key=f"{key}, which is long enough")
    return trainer, trainer.hear()["run"]


def alerts(server: Server, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get(f"/api/runs/{run}/alerts")["alerts"]
    return found


def test_an_alert_is_kept_counted_and_passed_on_once_until_it_is_over(
    shared_server: Server, listener: Listener
) -> None:
    trainer, run = begin(shared_server, "an alert")
    before = len(listener.bodies)
    for _ in range(3):
        trainer.socket.send(ALERT.dump())
    wait_for(lambda: shared_server.run(run)["lasting"] == 1, "the alert")
    for _ in range(2):
        trainer.socket.send(replace(ALERT, cleared=70).dump())
    wait_for(lambda: shared_server.run(run)["lasting"] == 0, "the end of the alert")
    assert shared_server.run(run)["alerts"] == 1
    (found,) = alerts(shared_server, run)
    assert (found["rule"], found["since"], found["step"], found["cleared"]) == ("dead", 3, 22, 70)
    assert found["places"] == [{"layer": "fc1", "kind": "output", "value": 1.0}]
    wait_for(lambda: len(listener.bodies) == before + 2, "both messages")
    first, second = listener.bodies[before:]
    assert (first["event"], second["event"], second["cleared"]) == ("alert", "alert over", 70)
    assert first["text"] == f"my net: {ALERT.sentence}"
    assert first["run"]["id"] == run
    assert first["to"] == "/hook?key=secret"
    short = [r for e in shared_server.get("/api/experiments")["experiments"] for r in e["runs"] if r["id"] == run]
    assert (short[0]["alerts"], short[0]["lasting"]) == (1, 0)


def test_a_webhook_that_fails_is_tried_again_and_one_that_redirects_is_not_followed(
    shared_server: Server, listener: Listener
) -> None:
    trainer, _ = begin(shared_server, "a failing webhook")
    before = len(listener.bodies)
    listener.answers = [(503, {})]
    trainer.socket.send(ALERT.dump())
    wait_for(lambda: len(listener.bodies) == before + 2, "the second attempt")
    assert listener.bodies[before] == listener.bodies[before + 1]
    listener.answers = [(302, {"Location": f"{listener.url}/elsewhere"})]
    trainer.socket.send(replace(ALERT, cleared=70).dump())
    wait_for(lambda: "it answers 302" in shared_server.log, "the redirect")
    assert [body["to"] for body in listener.bodies[before:]] == ["/hook?key=secret"] * 3
    assert "secret" not in shared_server.log
    assert "normscope_webhooks_failed_total 1" in shared_server.http.get(f"{shared_server.url}/metrics").text


def test_what_a_sender_says_calls_nobody_and_opens_nothing_in_a_chat(shared_server: Server, listener: Listener) -> None:
    trainer, _ = begin(shared_server, "a sentence that is markup")
    before = len(listener.bodies)
    sentence = "dead: <!channel> <https://bad.example|a page> & more\x1b[2J\n"
    trainer.socket.send(replace(ALERT, sentence=sentence).dump())
    wait_for(lambda: len(listener.bodies) > before, "the message")
    body = listener.bodies[before]
    assert body["sentence"] == sentence
    assert body["text"] == ("my net: dead: &lt;!channel&gt; &lt;https://bad.example|a page&gt; &amp; more\\x1b[2J\\x0a")


async def posted(answers: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Send a message to a server that answers so."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await answers(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await Webhooks([url], ["127.0.0.1"])._send(urlsplit(url), b"{}")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 1000, "ProtocolError"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "TimeoutError"),
        (b"SSH-2.0-OpenSSH\r\n" * 1000, "ProtocolError"),
        (b"", "ProtocolError|ConnectionResetError"),
    ],
)
def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch, answer: bytes, words: str) -> None:
    """Each is sent again and again, for as long as anyone reads it."""
    monkeypatch.setattr("app.runs.webhooks.PATIENCE", 1.0)

    async def answers(writer: asyncio.StreamWriter) -> None:
        while answer:
            writer.write(answer)
            await writer.drain()
        writer.close()

    with pytest.raises(UndeliveredError, match=words):
        asyncio.run(posted(answers))


def test_a_body_without_end_is_not_read() -> None:
    async def answers(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()

    asyncio.run(posted(answers))


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        async def found(*_: object, **__: object) -> list[Any]:
            return [(2, 1, 6, "", (address, 80)) for address in ("8.8.8.8", "10.0.0.1")]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
        url = "http://both.example/"
        with pytest.raises(UndeliveredError, match=r"10\.0\.0\.1 is not a public address") as caught:
            await Webhooks([url])._send(urlsplit(url), b"{}")
        assert caught.value.final

    asyncio.run(talk())


def test_what_a_run_is_known_by_goes_to_no_webhook(shared_server: Server, listener: Listener) -> None:
    trainer, _ = begin(shared_server, "a key to be kept")
    before = len(listener.bodies)
    trainer.socket.send(ALERT.dump())
    wait_for(lambda: len(listener.bodies) > before, "the message")
    assert "to be kept" not in json.dumps([listener.bodies[before], listener.headers[before]])


def test_a_private_address_is_refused_unless_its_host_is_allowed(tmp_path: Path, listener: Listener) -> None:
    one = Server(tmp_path / "data", flags=("--webhook", listener.url.replace("127.0.0.1", "localhost")))
    one.start()
    try:
        trainer, run = begin(one, "a private address")
        trainer.socket.send(ALERT.dump())
        wait_for(lambda: "--webhook-host localhost would allow it" in one.log, "the refusal")
        assert not [body for body in listener.bodies if body["run"]["id"] == run]
        trainer.close()
    finally:
        one.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True),
        ("127.0.0.1", False), ("127.8.8.8", False), ("0.0.0.0", False), ("10.1.2.3", False), ("172.16.0.1", False),
        ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False),
        ("255.255.255.255", False), ("::1", False), ("::", False), ("fe80::1%eth0", False), ("fd00::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
        ("ff02::1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--webhook", "ftp://host/x"], "no http:// or https:// URL"),
        (["--webhook", "https:///x"], "no http:// or https:// URL"),
        (["--webhook", "https://a.example/x", "--webhook-host", "b.example"], "a.example is not one of b.example"),
    ],
)
def test_senseless_webhooks_are_refused_before_anything_is_served(flags: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", "--port", "0", *flags], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"number": 1000}, "alert 1000: a run has at most 1,000"),
        (
            {"places": (wire.Place("fc9", "output", 1.0),)},
            "an alert about the layer 'fc9', which the hello did not name",
        ),
    ],
)
def test_alerts_that_a_run_cannot_have_are_refused(shared_server: Server, changes: dict[str, Any], words: str) -> None:
    trainer, _ = begin(shared_server, f"a false alert of {len(words)}")
    trainer.socket.send(replace(ALERT, **changes).dump())
    with pytest.raises(ConnectionClosedError, match=words):
        drain(trainer.socket, 5)


def test_runs_of_ours_have_alerts_and_one_whose_process_dies_is_lost(shared_server: Server, listener: Listener) -> None:
    experiment = shared_server.begin(steps=100_000, rate=1000)
    run = experiment["runs"][0]["id"]
    found = wait_for(lambda: [a for a in alerts(shared_server, run) if a["rule"] == "saturated"], "the alert")
    assert found[0]["sentence"] in (shared_server.data / "runs" / run / "log.txt").read_text()
    os.kill(handles(shared_server)[run], signal.SIGKILL)
    shared_server.wait_status(run, "failed")
    (lost,) = wait_for(lambda: [a for a in alerts(shared_server, run) if a["rule"] == "lost"], "the server's alert")
    assert (lost["sentence"], lost["places"]) == ("lost: the training process ended by signal 9", [])
    wait_for(lambda: any(b["sentence"] == lost["sentence"] for b in listener.bodies), "the message")
    shared_server.post(f"/api/experiments/{experiment['id']}/stop")
