"""What is packed on its way, and for whom."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from app.compression import Compression

TEXT, FRAMES = "text/html", "application/octet-stream"


@pytest.mark.parametrize(
    ("client", "kind", "packed"),
    [("127.0.0.1", TEXT, True), ("127.0.0.1", FRAMES, False), ("::1", FRAMES, False), ("192.0.2.7", TEXT, True),
     ("192.0.2.7", FRAMES, True), ("a socket", FRAMES, True)],
)  # fmt: skip
def test_frames_are_packed_for_those_who_are_far_away(client: str, kind: str, packed: bool) -> None:
    app = Compression(Starlette(routes=[Route("/", lambda _: Response(b"0" * 5000, media_type=kind))]))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as http:
            return await http.get("/")

    answer = asyncio.run(ask())
    assert answer.content == b"0" * 5000
    assert ("content-encoding" in answer.headers) == packed
