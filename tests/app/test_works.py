"""What goes on in the background: what fails is begun anew, and its server says so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from app import works
from app.main import create_app
from app.runs.queue import Queue
from app.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HERE = "http://127.0.0.1:8000"


def test_a_server_whose_queue_fails_is_not_ready_until_it_has_run_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun = 0
    serve = Queue.serve

    async def fail_twice(queue: Queue) -> None:
        nonlocal begun
        begun += 1
        if begun <= 2:
            raise RuntimeError(f"out of luck, time {begun}")
        await serve(queue)

    monkeypatch.setattr(Queue, "serve", fail_twice)
    monkeypatch.setattr(works, "AGAIN", 0.1)
    monkeypatch.setattr(works, "REMEMBERED", 1.0)

    async def scenario() -> None:
        app = create_app(Settings(data=tmp_path))
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=HERE) as http:
            answer = await http.get("/readyz")
            while "time 2" not in answer.text:
                await asyncio.sleep(0.02)
                answer = await http.get("/readyz")
            assert answer.status_code == 503
            assert answer.text == "the server: the queue has failed (RuntimeError: out of luck, time 2)"
            while answer.status_code == 503:
                await asyncio.sleep(0.02)
                answer = await http.get("/readyz")
            assert (answer.status_code, answer.text) == (200, "ok")

    asyncio.run(asyncio.wait_for(scenario(), 60))
    assert begun == 3
    assert caplog.text.count("the queue has failed, and is begun anew") == 2
