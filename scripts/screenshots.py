"""Take the README's picture: a real server, real trainers, a real Chromium.

`make screenshots` writes docs/pictures; `--all FOLDER` writes every state of the page there, to be looked at.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, sync_playwright

HOUSE = Path(__file__).parent.parent
sys.path.insert(0, str(HOUSE))

from tests.conftest import Server, wait_for  # noqa: E402  the same server that the tests use

Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
FLAGS = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def painted(page: Page) -> int:
    """The step up to which every run is drawn."""
    found: int = page.evaluate("() => window.normscope ? Math.min(...Object.values(window.normscope.painted)) : -1")
    return found


def shot(
    browser: Browser, url: str, path: Path, *, width: int = 1440, height: int = 900,
    scheme: Scheme = "light", step: int | None = None, chart: str | None = None,
) -> None:  # fmt: skip
    """One picture of one page, once it has drawn so many steps, or a chart that is not on the first tab."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(url)
    if step is not None:
        wait_for(lambda: painted(page) >= step, f"step {step}", 60)
    if chart is not None:
        page.locator(f'[data-testid="{chart}"] .scatterlayer path.js-line >> nth=0').wait_for(timeout=60_000)
    page.wait_for_timeout(1500)
    page.screenshot(path=path)
    page.close()
    print(path)


PROGRAMS: Final = {
    "quickstart": ("my first net", {"quickstart": "layers=2&step=300"}),
    "recipes/dead": ("which layers died", {"recipe-dead": "layers=3&step=150"}),
    "recipes/nan": ("my loss is NaN", {"recipe-nan": "layers=2&step=60"}),
    "recipes/running-variance": (
        "is my running variance off",
        {
            "recipe-running-variance": "layers=1&kind=running_variance",
            "recipe-batch-variance": "layers=1&kind=batch_variance",
        },
    ),
}
"""Of each page of docs that has a program, what its run is called, and its pictures with the view that they show."""


def programs(browser: Browser, server: Server) -> None:
    """Run the program of each page, and take its pictures."""
    environment = os.environ | {"NORMSCOPE_URL": server.url, "PYTHONPATH": str(HOUSE)}
    for page, (name, pictures) in PROGRAMS.items():
        text = (HOUSE / "docs" / f"{page}.md").read_text("utf-8")
        program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
        (run,) = [r for e in server.get("/api/experiments")["experiments"] for r in e["runs"] if r["name"] == name]
        for picture, view in pictures.items():
            url, path = f"{server.url}/e/{run['experiment']}?{view}", HOUSE / f"docs/pictures/{picture}.png"
            shot(browser, url, path, width=1400, height=860, step=run["last_step"])


def course(browser: Browser, server: Server) -> None:
    """Make one seed of the course's exercise, and take the picture of docs/course.md."""
    body = {"claim": 17, "size": "quick", "settings": {"seeds": 1}}
    experiment = server.post("/api/experiments", body).json()
    for run in experiment["runs"]:
        server.wait_status(run["id"], "finished", timeout=1200)
    url = f"{server.url}/e/{experiment['id']}?tab=landscape&where=rate:all"
    shot(browser, url, HOUSE / "docs/pictures/course.png", width=1400, height=1500, chart="chart-spread")


def everything(browser: Browser, server: Server, folder: Path) -> None:
    """Every state that a person may meet: empty, live, finished, stopped, wide, narrow, dark."""
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        shot(browser, server.url, folder / f"empty-{scheme}.png", scheme=scheme)
    experiment = server.begin()["id"]
    url = f"{server.url}/e/{experiment}"
    for scheme in SCHEMES:
        shot(browser, url, folder / f"live-{scheme}.png", scheme=scheme, step=100)
    shot(browser, f"{url}?tab=landscape", folder / "landscape.png")
    shot(browser, f"{url}?mode=heat&scale=asinh", folder / "heat.png", step=200)
    for width, height in ((360, 740), (2560, 1440)):
        shot(browser, url, folder / f"live-{width}.png", width=width, height=height, step=200)
        shot(browser, server.url, folder / f"home-{width}.png", width=width, height=height)
    for run in server.get(f"/api/experiments/{experiment}")["runs"]:
        server.post(f"/api/runs/{run['id']}/stop")
    shot(browser, url, folder / "stopped.png", step=200)
    shot(browser, server.url, folder / "home.png")


def main() -> int:
    """Start what is needed, take the pictures; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every state of the page, into this folder")
    parser.add_argument("--programs", action="store_true", help="the pictures of pages with a program alone")
    parser.add_argument("--course", action="store_true", help="the picture of docs/course.md alone")
    given = parser.parse_args()
    found = subprocess.run(
        [sys.executable, str(HOUSE / "scripts/chromium.py")], capture_output=True, text=True, check=True
    )
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=flags)
        server = Server(Path(folder) / "data")
        server.start()
        try:
            if given.all:
                everything(browser, server, given.all)
            elif given.programs or given.course:
                (programs if given.programs else course)(browser, server)
            else:
                programs(browser, server)
                course(browser, server)
                run = server.begin()["runs"][0]
                server.wait_step(run["id"], 700, timeout=60)
                url = f"{server.url}/e/{run['experiment']}?layers=norm1,norm2,norm3"
                shot(browser, url, HOUSE / "docs/pictures/dashboard.png", width=1400, height=860, step=720)
                for one in server.get(f"/api/experiments/{run['experiment']}")["runs"]:
                    server.post(f"/api/runs/{one['id']}/stop")
                    server.wait_status(one["id"], "stopped")
        finally:
            server.close()
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
