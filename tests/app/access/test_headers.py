"""What answers tell a browser beside their content, and the page of the HTTP interface."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from starlette.responses import PlainTextResponse

from app.access.headers import Headers

from ...frames import Trainer

if TYPE_CHECKING:
    from starlette.types import Message, Scope

    from ...conftest import Server

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self' http://localhost:* http://127.0.0.1:* vscode-webview: vscode-file:"
)


@pytest.mark.parametrize("path", ["/", "/docs", "/api/experiments", "/c/99", "/api/links", "/nothing", "/healthz"])
def test_every_answer_says_what_may_run_and_who_may_frame_it(shared_server: Server, path: str) -> None:
    headers = shared_server.http.get(f"{shared_server.url}{path}").headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]


def test_what_is_turned_away_says_so_too(shared_server: Server) -> None:
    answer = shared_server.http.get(f"{shared_server.url}/", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert answer.headers["content-security-policy"] == POLICY


def test_pages_have_no_script_of_their_own(shared_server: Server) -> None:
    experiment = shared_server.run(Trainer(shared_server).hear()["run"])["experiment"]
    for path in ("/", "/c/1", "/docs", f"/e/{experiment}"):
        text = shared_server.http.get(f"{shared_server.url}{path}").text
        scripts = re.findall(r"<script([^>]*)>", text)
        assert scripts
        assert all(" src=" in one or "application/json" in one for one in scripts), scripts
        assert not re.search(r"\son\w+=", text)


async def headers_of(headers: Headers, host: bytes, scheme: str = "http") -> dict[str, str]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: Scope = {"type": "http", "scheme": scheme, "method": "GET", "path": "/", "headers": [(b"host", host)]}
    await headers(scope, receive, send)
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def test_further_pages_may_frame_and_openers_are_cut_off_where_browsers_allow_it() -> None:
    headers = Headers(PlainTextResponse("x"), frames=("https://hub.example.org",))
    plain = asyncio.run(headers_of(headers, b"box.example:8000"))
    assert plain["content-security-policy"].endswith(" vscode-webview: vscode-file: https://hub.example.org")
    assert "cross-origin-opener-policy" not in plain
    for host, scheme in ((b"box.example", "https"), (b"[::1]:8000", "http"), (b"localhost:1", "http")):
        assert asyncio.run(headers_of(headers, host, scheme))["cross-origin-opener-policy"] == "same-origin"


def test_the_page_of_the_interface_names_all_requests_and_objects(shared_server: Server) -> None:
    text = shared_server.http.get(f"{shared_server.url}/docs").text
    interface = shared_server.get("/openapi.json")
    for path, methods in interface["paths"].items():
        for method, one in methods.items():
            assert f'<section id="{one["operationId"]}">' in text
            assert f"<b>{method.upper()}</b> {path}" in text
    for name in interface["components"]["schemas"]:
        assert f'<section id="{name}">' in text
    assert "≤ 10000" in text  # of history's points
