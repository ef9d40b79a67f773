"""Addresses and headers that make no sense: they are refused in a sentence, whoever sends them, and nothing breaks."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from ...conftest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...conftest import Server


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that anyone may reach by any name, if they have its token."""
    with serving(tmp_path_factory.mktemp("open") / "data", "--host", "0.0.0.0", "--rates", "0") as one:
        yield one


def status(server: Server, *lines: str) -> int:
    """Of the answer to a request of exactly these lines."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        line.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        return int(line.makefile("rb").readline().split()[1])


UPGRADE = (
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip


@pytest.mark.parametrize("host", ["[", "]", "[::1", "a[b", "[x]", "a b", "a:b", "é", ""])
def test_a_host_that_is_none(open_server: Server, shared_server: Server, host: str) -> None:
    for server in (open_server, shared_server):
        for path in ("/", "/api/experiments", "/?token=a", "/login"):
            assert status(server, f"GET {path} HTTP/1.1", f"Host: {host}") < 500
        assert status(server, "GET /ws/live HTTP/1.1", f"Host: {host}", *UPGRADE) < 500
        assert "Traceback" not in server.log
    assert status(shared_server, "GET /api/experiments HTTP/1.1", f"Host: {host}") in (400, 421)


@pytest.mark.parametrize("origin", ["http://[", "http://]", "[", "null", "", "http://a:b", "http://[::1"])
def test_an_origin_that_is_none(shared_server: Server, origin: str) -> None:
    host = f"Host: 127.0.0.1:{shared_server.port}"
    assert status(shared_server, "GET /api/experiments HTTP/1.1", host, f"Origin: {origin}") == 403
    assert status(shared_server, "GET /ws/live HTTP/1.1", host, f"Origin: {origin}", *UPGRADE) == 403
    assert "Traceback" not in shared_server.log


@pytest.mark.parametrize("path", ["//[x", "//]", "//[::1", "/[", "/%5B", "//a/b", "/\\[", "/%", "/%ff%fe"])
def test_an_address_that_is_none(open_server: Server, path: str) -> None:
    host = f"Host: 127.0.0.1:{open_server.port}"
    for query in ("", "?token=a", "?link=a", "?token=a&[=]"):
        assert status(open_server, f"GET {path}{query} HTTP/1.1", host, "Accept: text/html") < 500
    assert "Traceback" not in open_server.log


@pytest.mark.parametrize("next", ["http://[", "//[", "/[", "\\[", "[", "é\x00"])
def test_where_to_go_after_logging_in(open_server: Server, next: str) -> None:
    token = open_server.http.headers["authorization"].removeprefix("Bearer ")
    for given in ("wrong", token):
        answer = open_server.http.post(f"{open_server.url}/login", data={"token": given, "next": next})
        assert answer.status_code < 500
    answer = open_server.http.get(f"{open_server.url}/login", params={"next": next})
    assert answer.status_code in (200, 303)
    assert answer.headers.get("location", "/")[:2] in ("/", "/[")
    assert "Traceback" not in open_server.log
