"""The server's log: what came from outside cannot pass for a line of its own."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from unittest import mock

import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app import logs
from app.logs import OneLine, Requests

if TYPE_CHECKING:
    import pytest
    from starlette.requests import Request


def test_a_record_is_one_line_without_control_characters() -> None:
    attack = "no\r\nERROR normscope: all is lost\x1b[2J\x00\x85\u2028\u202e"
    record = logging.LogRecord("normscope", logging.WARNING, "", 0, "ingest: %s é", (attack,), None)
    line = OneLine("%(levelname)s %(name)s: %(message)s").format(record)
    assert line == (
        "WARNING normscope: ingest: no\\x0d\\x0aERROR normscope: all is lost\\x1b[2J\\x00\\x85\\u2028\\u202e é"
    )


def test_what_took_long_is_named_by_its_route_for_an_address_may_hold_a_links_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def saved(_: Request) -> PlainTextResponse:
        return PlainTextResponse("a file")

    async def ask() -> None:
        app = Requests(Starlette(routes=[Route("/s/{token}/saved.html", saved)]))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            for path in ("/s/Ci_1Vp5K9a7cmc6xu5F/saved.html", "/nothing/Ci_1Vp5K9a7cmc6xu5F"):
                await client.get(path)

    with mock.patch.object(logs, "SLOW", -1.0), caplog.at_level(logging.WARNING, "normscope"):
        asyncio.run(ask())
    assert [record.getMessage().partition(" after")[0] for record in caplog.records] == [
        "GET /s/{token}/saved.html: 200",
        "GET other: 404",
    ]
    assert "Ci_1Vp5K9a7cmc6xu5F" not in caplog.text
