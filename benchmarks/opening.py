"""How soon a finished run is on screen, how soon a part of it, what the page weighs, and whether its memory grows."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np

from normscope import sketch, wire
from tests.conftest import Server, free_port, wait_for
from tests.frames import SOCKETS, Trainer

from .browser import chromium
from .table import quantile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from .table import Table

LAYERS: Final = tuple(wire.Layer(f"fc{i}", "Linear") for i in range(20))
LONG: Final = 100_000
SHORT: Final = 1_000
"""Captured steps of a long run and of one that TensorBoard can hold."""
VALUES: Final = 4_000
"""Values behind each histogram."""
OPENINGS: Final = 5
OURS: Final = "[data-testid=chart-bands] .js-line"
THEIRS: Final = ".histogram path, tb-histogram svg .histogram"
"""What shows the first layer's histograms, in each page."""
ZOOMS: Final = ((0, 0.5), (0.4, 0.6), (0.9, 1), (0.1, 0.9), (0.6, 0.65), (0.33, 0.345))
"""Shares of the step axis that a person brushes."""
HEAP_FOR: Final = 120.0
"""Seconds in which a live page's memory is looked at: as many steps as in half an hour at their usual pace."""
_PACK: Final = 200
_SHOWN: Final = """
(zoomed) => new Promise((done) => {
  const began = performance.now();
  const look = () => {
    const now = window.normscope;
    const drawn = document.querySelector('[data-testid=chart-loss] path.js-line')?.getAttribute('d');
    if (now && drawn && now.sharp && (now.span !== null) === zoomed) done(performance.now() - began);
    else requestAnimationFrame(look);
  };
  look();
})
"""

_PAINTED: Final = """
(selector) => {
  const within = ({ shadowRoot }) => shadowRoot && found(shadowRoot);
  const found = (root) => root.querySelector(selector) ?? [...root.querySelectorAll("*")].map(within).find(Boolean);
  const look = () => {
    if (found(document)) requestAnimationFrame(() => setTimeout(() => (window.painted = Date.now())));
    else requestAnimationFrame(look);
  };
  look();
}
"""


def measure(table: Table) -> None:
    """Open what has been kept, as a person would."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder) / "data")
        server.start()
        try:
            long, short = _keep(server, "long", LONG), _keep(server, "short", SHORT)
            _open(server, table, long, f"{LONG:,} captured steps × 20 layers")
            _zoom(server, table, long)
            _beside_tensorboard(server, table, short, Path(folder) / "tensorboard")
            _weigh(server, table, long)
            _heap(server, table)
        finally:
            server.close()


def _frames(steps: int) -> Iterator[bytes]:
    """Frames of a net of 20 layers whose distributions move: some dozens that differ, again and again."""
    rng = np.random.default_rng(0)
    patterns = []
    for i in range(50):
        values = [rng.normal(np.sin(i / 8) * row / 10, 1 + row / 20, VALUES) for row in range(len(LAYERS))]
        tallies = [sketch.histogram(v) for v in values]
        patterns.append(
            wire.Frame(
                0, 0, 0, 0.0,
                layers=np.arange(len(LAYERS)), kinds=np.zeros(len(LAYERS), np.int64),
                moments=np.array([[v.mean(), v.std(), v.min(), v.max()] for v in values]),
                counters=np.tile([VALUES, 0, 0, 0], (len(LAYERS), 1)),
                bins=np.concatenate([np.flatnonzero(t) + row * sketch.BINS for row, t in enumerate(tallies)]),
                counts=np.concatenate([t[t > 0] for t in tallies]),
            )
        )  # fmt: skip
    began = time.time() - steps
    for step in range(steps):
        series = {"loss": wire.Series.of(2 / (1 + step / 500) + 0.1 * rng.random())}
        pattern = patterns[step % len(patterns)]
        yield wire.encode(replace(pattern, seq=step, first_step=step, last_step=step, time=began + step, series=series))


def _keep(server: Server, name: str, steps: int) -> str:
    """Hand a run over as a training process does; its id."""
    trainer = Trainer(server, key=f"a key for the run {name}", name=name, layers=LAYERS)
    run: str = trainer.hear()["run"]
    waiting: list[bytes] = []
    for seq, data in enumerate(_frames(steps)):
        waiting.append(data)
        if len(waiting) == _PACK or seq == steps - 1:
            trainer.say(*waiting)
            trainer.acknowledged(seq)
            waiting.clear()
    trainer.socket.send(wire.End("finished").dump())
    server.wait_status(run, "finished")
    SOCKETS.close()
    return run


def _page(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    return page


def _open(server: Server, table: Table, run: str, what: str) -> None:
    experiment = server.get(f"/api/runs/{run}")["experiment"]
    with chromium() as browser:
        by_list, by_address = [], []
        for _ in range(OPENINGS):
            page = _page(browser)
            page.goto(server.url)
            page.wait_for_function("() => window.Plotly")  # it is loaded while a person reads
            page.wait_for_timeout(500)
            began = time.perf_counter()
            page.locator(f"[data-experiment='{experiment}'] a").first.click()
            page.evaluate(_SHOWN, False)
            by_list.append(time.perf_counter() - began)
            page.goto("about:blank")
            began = time.perf_counter()
            page.goto(f"{server.url}/e/{experiment}")
            page.evaluate(_SHOWN, False)
            by_address.append(time.perf_counter() - began)
            page.context.close()
    table.add(
        f"from the list to the first chart of {what}", f"{median(by_list):.2f} s", "≤ 1 s",
        f"by its address, Plotly from the cache but not yet evaluated: {median(by_address):.2f} s",
    )  # fmt: skip


def _zoom(server: Server, table: Table, run: str) -> None:
    experiment = server.get(f"/api/runs/{run}")["experiment"]
    delays = []
    with chromium() as browser:
        page = _page(browser)
        page.goto(f"{server.url}/e/{experiment}")
        page.evaluate(_SHOWN, False)
        page.wait_for_timeout(1000)
        area = page.get_by_test_id("chart-loss").locator(".nsewdrag").bounding_box()
        assert area is not None
        for shares in ZOOMS * 2:
            first, last = (area["x"] + share * area["width"] for share in shares)
            page.keyboard.down("Shift")
            page.mouse.move(first, area["y"] + 40)
            page.mouse.down()
            page.mouse.move((first + last) / 2, area["y"] + 40)
            page.mouse.move(last, area["y"] + 40)
            page.mouse.up()
            page.keyboard.up("Shift")
            delays.append(page.evaluate(_SHOWN, True))
            page.keyboard.press("0")
            page.evaluate(_SHOWN, False)
            page.wait_for_timeout(300)
    table.add(
        "zoom into any steps of it until every chart on screen could show them in full", f"{median(delays):.0f} ms",
        "≤ 300 ms", f"slowest {max(delays):.0f} ms",
    )  # fmt: skip


def _beside_tensorboard(server: Server, table: Table, run: str, folder: Path) -> None:
    """The same histograms in both, each opened where its server has read them already."""
    from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))
    events = writer._get_file_writer()  # type: ignore[no-untyped-call]
    for step, data in enumerate(_frames(SHORT)):
        frame = wire.decode(data)
        for row, layer in enumerate(LAYERS):
            counts = frame.histogram(row)
            filled = np.flatnonzero(counts)
            mean, std, low, high = frame.moments[row].tolist()
            histogram = HistogramProto(
                min=low, max=high, num=VALUES, sum=mean * VALUES, sum_squares=(mean**2 + std**2) * VALUES,
                bucket_limit=np.minimum(sketch.edges()[filled + 1], high).tolist(), bucket=counts[filled].tolist(),
            )  # fmt: skip
            events.add_summary(Summary(value=[Summary.Value(tag=layer.name, histo=histogram)]), step)
    writer.close()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", str(port), "--host", "127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers(server, url), "TensorBoard to answer", 60)
        tags = f"{url}/data/plugin/histograms/tags"
        wait_for(lambda: "fc19" in server.http.get(tags).text, "TensorBoard to read its file", 60)
        experiment = server.get(f"/api/runs/{run}")["experiment"]
        ratios, ours, theirs = [], [], []
        wait_for(lambda: _is_pictured(server, experiment), "the server to have read the run", 60)
        with chromium() as browser:
            for _ in range(OPENINGS):
                ours.append(_first_picture(browser, f"{server.url}/e/{experiment}", OURS))
                theirs.append(_first_picture(browser, f"{url}/#histograms", THEIRS))
                ratios.append(theirs[-1] / ours[-1])
    finally:
        process.terminate()
        process.wait()
    table.add(
        f"a run of {SHORT:,} steps, opened by its address, to the first layer's picture; TensorBoard ÷ Normscope",
        f"{median(ratios):.1f} ({quantile(ratios, 0.25):.1f} to {quantile(ratios, 0.75):.1f})", "≥ 10",
        f"{median(ours):.2f} s; TensorBoard {median(theirs):.2f} s, which shows 500 of the steps at most",
    )  # fmt: skip


def _is_pictured(server: Server, experiment: str) -> bool:
    return "chart-bands" in server.http.get(f"{server.url}/e/{experiment}").text


def _answers(server: Server, url: str) -> bool:
    try:
        return server.http.get(url).status_code == 200
    except httpx.TransportError:
        return False


def _first_picture(browser: Browser, url: str, selector: str) -> float:
    """Seconds until something that matches has been painted, in a browser that has seen nothing.

    The page itself looks at each frame, as whoever asks from outside has to wait while scripts run behind the picture.
    """
    page = _page(browser)
    page.add_init_script(f"({_PAINTED})({selector!r})")
    began = time.time()
    page.goto(url, wait_until="commit")  # what is fetched behind the picture does not count
    page.wait_for_function("() => window.painted")
    passed = float(page.evaluate("window.painted")) / 1e3 - began
    page.context.close()
    return passed


def _weigh(server: Server, table: Table, run: str) -> None:
    """All that is transferred before data, and again."""
    experiment = server.get(f"/api/runs/{run}")["experiment"]
    with chromium() as browser:
        page = _page(browser)
        first = _transferred(page, f"{server.url}/e/{experiment}")
        again = _transferred(page, f"{server.url}/e/{experiment}")
    table.add(
        "page weight before data, compressed, Plotly included", f"{first / 1e6:.2f} MB", "≤ 1.6 MB",
        f"again {again / 1e3:.0f} KB: all but the page itself is kept",
    )  # fmt: skip


def _transferred(page: Page, url: str) -> int:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[int] = []
    kept: set[str] = set()
    asked: dict[str, str] = {}
    session.on("Network.requestWillBeSent", lambda e: asked.update({e["requestId"]: e["request"]["url"]}))
    session.on("Network.requestServedFromCache", lambda e: kept.add(e["requestId"]))

    def finished(event: dict[str, Any]) -> None:
        if event["requestId"] not in kept and "/api/" not in asked[event["requestId"]]:
            sizes.append(event["encodedDataLength"])

    session.on("Network.loadingFinished", finished)
    page.goto(url)
    page.evaluate(_SHOWN, False)
    page.wait_for_timeout(500)
    session.detach()
    return sum(map(int, sizes))


def _heap(server: Server, table: Table) -> None:
    """What a live page holds, after collecting garbage."""
    settings: dict[str, Any] = {"steps": 1_000_000, "pace": 0}
    runs = server.begin(**settings)["runs"]
    with chromium() as browser:
        page = _page(browser)
        page.goto(f"{server.url}/e/{runs[0]['experiment']}")
        page.evaluate(_SHOWN, False)
        session = page.context.new_cdp_session(page)
        sizes = []
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < HEAP_FOR:
            page.wait_for_timeout(5000)
            session.send("HeapProfiler.collectGarbage")
            sizes.append((passed, session.send("Runtime.getHeapUsage")["usedSize"] / 1e6))
        step = server.get(f"/api/runs/{runs[0]['id']}")["last_step"]
    for run in runs:
        server.post(f"/api/runs/{run['id']}/stop")
        server.wait_status(run["id"], "stopped", timeout=60)
    third = [size for at, size in sizes if HEAP_FOR / 3 < at < 2 * HEAP_FOR / 3]
    last = [size for at, size in sizes if at >= 2 * HEAP_FOR / 3]
    table.add(
        f"memory of the page while two runs make {step:,} steps each: last third ÷ the one before",
        f"{median(last) / median(third):.2f}", "flat", f"{median(last):.0f} MB",
    )  # fmt: skip
