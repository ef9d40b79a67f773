"""Clocks that are put right: what is waited for is measured by one that nobody sets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from app.bus import open_bus
from app.launcher.local import LocalLauncher
from app.runs.alerts import Alerts
from app.runs.duty import Duty
from app.runs.experiments import Experiments
from app.runs.supervision import Supervision
from app.runs.webhooks import Webhooks
from app.settings import Settings
from app.store import Run, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not listen to SIGTERM."""
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_is_put_right_neither_hides_nor_hurries_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stubborn: subprocess.Popen[bytes], jump: float
) -> None:
    before = time.time()
    monkeypatch.setattr(time, "time", lambda: before + jump)

    async def scenario() -> None:
        settings = Settings(data=tmp_path)
        store = await open_store(settings.store_url)
        bus = await open_bus("memory:")
        alerts, duty = Alerts(store, bus, Webhooks(())), Duty(store, shared=False)
        one = Experiments(settings, store, bus, LocalLauncher(), alerts, duty)
        supervision = Supervision(one)
        silent, deaf = await one.adopt("silent", "a key"), await one.adopt("deaf", "another")
        handle = f"{stubborn.pid}:{psutil.Process(stubborn.pid).create_time():.2f}"
        await one.change(silent.id, status="running", seen=before, started=before)
        await one.change(deaf.id, status="running", seen=before, started=before, handle=handle, stop=True)
        one.silence.enter(deaf.id)

        async def statuses(now: float) -> tuple[str, str]:
            """What the runs are called when they are looked after at a time of the clock that nobody sets."""
            for run in await store.find(Run, status=("running", "lost")):
                await supervision.look_after(run, now)
            found = {run.name: run.status for run in await store.find(Run)}
            return found["silent"], found["deaf"]

        for now in (1000.0, 1006.0, 1009.5):  # asked to end, not yet made to
            assert await statuses(now) == ("running", "running")
            assert stubborn.poll() is None
        await statuses(1010.5)
        assert await asyncio.to_thread(stubborn.wait, 10) == -9
        assert await statuses(1013.9) == ("running", "running")
        assert await statuses(1014.5) == ("lost", "running")
        one.silence.connected.clear()  # it leaves; its last words may be on their way for two seconds
        one.silence.begin(deaf, 1014.5)
        assert await statuses(1014.5) == ("lost", "running")
        assert await statuses(1017) == ("lost", "stopped")
        await store.close()

    asyncio.run(scenario())
