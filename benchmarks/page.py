"""From the end of a step to a painted point, from a click to the first one, and how soon the first page comes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conftest import Server, wait_for

from .browser import chromium
from .table import quantile

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .table import Table

CLICKS = 7
WATCH_FOR = 20.0
"""Seconds of a live run that are looked at."""
RECORD = """
() => {
  window.paints = [];
  let last = 0;
  const look = () => {
    const now = window.normscope;
    if (now && now.paintedAt !== last) {
      last = now.paintedAt;
      window.paints.push([now.paintedAt, now.painted]);
    }
    requestAnimationFrame(look);
  };
  look();
}
"""

LONGEST = """
() => new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest ?? 0, duration);
}).observe({ type: "longtask" })
"""


def measure(table: Table) -> None:
    """Start a server as a user would, and look over a user's shoulder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder) / "data")
        began = time.perf_counter()
        server.start()
        first = server.http.get(server.url)
        assert first.status_code == 200
        bare = _bare_server()
        table.add(
            "first page after `make run`, installed before", f"{time.perf_counter() - began - bare:.1f} s", "≤ 3 s",
            f"importing fastapi and uvicorn alone {bare:.1f} s",
        )  # fmt: skip
        # The launcher's parent is warm when a person has found the button.
        time.sleep(4)
        try:
            _look(server, table)
        finally:
            _stop_runs(server)
            server.close()


def _bare_server() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import fastapi, uvicorn"], check=True)
    return time.perf_counter() - began


def _look(server: Server, table: Table) -> None:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        took = []
        for last in [*[False] * (CLICKS - 1), True]:
            took.append(_click(server, page))
            if not last:
                _stop_runs(server)
        table.add(
            "click on Start to the first painted point of every run",
            f"{quantile(took, 0.5):.2f} s ({min(took):.2f} to {max(took):.2f})", "≤ 1 s",
            "two training processes are started in it",
        )  # fmt: skip
        page.wait_for_timeout(3000)  # what is done once, when the first charts are made, is in the figure above
        page.evaluate(LONGEST)
        page.wait_for_timeout(1000 * WATCH_FOR)
        _delays(server, _paints(page), page.evaluate("() => window.longest ?? 0"), table)


def _click(server: Server, page: Page) -> float:
    """Seconds from the click on Start until each of the runs has a point on the screen."""
    page.goto(server.url)
    # The page loads Plotly while a person reads it.
    page.wait_for_function("() => window.Plotly")
    page.wait_for_timeout(1000)
    page.evaluate(RECORD)
    clicked = time.time()
    page.get_by_test_id("start").first.click()
    wait_for(lambda: _paints(page), "the first painted point")
    return float(_paints(page)[0][0]) / 1000 - clicked


def _paints(page: Page) -> list[Any]:
    found: list[Any] = page.evaluate("() => (window.paints || []).filter(p => Math.min(...Object.values(p[1])) >= 0)")
    return found


def _delays(server: Server, paints: list[Any], longest: float, table: Table) -> None:
    """Each paint against the end of the newest step in it, on the one clock of this machine."""
    runs = server.get("/api/experiments")["experiments"][0]["runs"]
    ended = {
        run["id"]: {
            f["last_step"]: f["time"]
            for f in server.get(f"/api/runs/{run['id']}/history", format="json", points=10_000, layers="")["frames"]
        }
        for run in runs
    }
    delays, seen = [], dict.fromkeys(ended, -1)
    for at, painted in paints[20:]:
        for run, step in painted.items():
            if step > seen[run] and step in ended[run]:
                seen[run] = step
                delays.append(at / 1000 - ended[run][step])
    span = (paints[-1][0] - paints[20][0]) / 1000
    table.add(
        "end of a step to its painted point, p50 and p95",
        f"{1000 * quantile(delays, 0.5):.0f} ms and {1000 * quantile(delays, 0.95):.0f} ms", "p95 ≤ 250 ms",
        "a frame of the screen takes 17 ms",
    )  # fmt: skip
    table.add(
        "updates painted a second while live", f"{len(paints[20:]) / span:.0f}", "≥ 10",
        f"the longest task that blocked the page took {longest:.0f} ms",
    )  # fmt: skip


def _stop_runs(server: Server) -> None:
    for experiment in server.get("/api/experiments")["experiments"]:
        for run in experiment["runs"]:
            server.post(f"/api/runs/{run['id']}/stop")
    wait_for(
        lambda: all(
            r["status"] in ("finished", "stopped", "failed")
            for e in server.get("/api/experiments")["experiments"]
            for r in e["runs"]
        ),
        "the runs to stop",
    )
