"""`make soak`: inject faults into real processes for long, and write what came of them into docs/reliability.md.

The exit status says whether all that was tried has held.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from benchmarks.__main__ import machine

from ..conftest import HOUSE
from . import page
from .copies import copies
from .found import Found
from .lines import lines
from .load import load
from .servers import disk, kills
from .tabs import sleepers
from .trainers import asleep, gone, orphans
from .viewers import crowd, deaf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Part:
    """Something that can be run alone.

    Attributes:
        fault: What is injected.
        run: Does it, in a folder, so often or for so long, telling how far it has come.
        size: How often, or for how many minutes, unless told otherwise.
        unit: The flag that tells otherwise.
        alone: Whether nothing else may go on beside it: it measures, or needs all of the machine.
    """

    fault: str
    run: Callable[[Path, float, Callable[[str], None]], Found]
    size: float
    unit: str = "times"
    alone: bool = False


PARTS: Final = {
    "kills": Part("the server is killed (SIGKILL) at random moments while runs stream", kills, 100),
    "deaf": Part("viewers read nothing for minutes", deaf, 10, "minutes", alone=True),
    "asleep": Part("training processes are stopped (SIGSTOP) for minutes, and go on", asleep, 5, "minutes"),
    "lines": Part("the network between training and its server fails", lines, 60),
    "copies": Part("a backup is made while runs stream", copies, 30),
    "gone": Part("training processes are killed (SIGKILL, SIGTERM) at random moments", gone, 12),
    "disk": Part("the disk is full while runs stream, and has room again", disk, 10),
    "orphans": Part("experiments are stopped after their server was killed under them", orphans, 3),
    "sleepers": Part("a viewer's tab sleeps for an hour of frames", sleepers, 20),
    "crowd": Part("viewers connect all at once", crowd, 1000, "viewers", alone=True),
    "load": Part("hours of a team's ordinary use in compressed time", load, 7, "minutes", alone=True),
}
"""Those that take longest come first: some go on at the same time."""
BESIDE: Final = 3
"""Parts that go on at the same time: most of their time is waiting."""


def main(argv: Sequence[str] | None = None, to: Path = page.PAGE) -> int:
    """Run what was asked for, all of it unless told otherwise, and write it to a page; the exit status."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"only these: {', '.join(PARTS)}"
    )
    parser.add_argument("--times", type=int, help="how often a fault is injected")
    parser.add_argument("--minutes", type=float, help="how long asleep, deaf and load take")
    parser.add_argument("--viewers", type=int, help="how many come at once")
    given = parser.parse_args(argv)
    wanted = given.parts or [*PARTS]
    failed = []
    with tempfile.TemporaryDirectory(prefix="normscope-soak-") as folder:
        os.environ["NORMSCOPE_UNSENT"] = f"{folder}/unsent"
        for group, beside in grouped(wanted):
            with ThreadPoolExecutor(beside) as pool:
                works = [pool.submit(attempt, part, getattr(given, PARTS[part].unit)) for part in group]
                for work in as_completed(works):
                    part, found, seconds = work.result()
                    save(to, part, found, seconds)
                    failed += [part] * bool(found.faults)
    return int(bool(failed))


def grouped(wanted: Sequence[str]) -> list[tuple[list[str], int]]:
    """Parts that may go on at the same time, and how many of them do; those that want to be alone come last."""
    beside = [part for part in wanted if not PARTS[part].alone]
    return [(beside, BESIDE), ([part for part in wanted if PARTS[part].alone], 1)]


def attempt(part: str, size: float | None) -> tuple[str, Found, float]:
    """Run a part; what came of it, and how many seconds it took. Whatever breaks it is what it has found."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"normscope-soak-{part}-"))

    def tell(words: str) -> None:
        print(f"{part:>8}: {words}", flush=True)

    try:
        found = PARTS[part].run(folder, PARTS[part].size if size is None else size, tell)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  a part ends here
        traceback.print_exc()
        found = Found(faults=[f"{type(error).__name__}: {str(error)[:300] or 'without a word'}"])
    if found.faults:
        tell(f"logs and data are left in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return part, found, time.monotonic() - began


def save(to: Path, part: str, found: Found, seconds: float) -> None:
    """Put a part's row in its place on the page, and show it."""
    measured = f"Measured {time.strftime('%Y-%m-%d %H:%M')} on {machine()}, at {commit()}, in {seconds:.0f} s."
    row = page.row(part, PARTS[part].fault, found, measured)
    print("", *row, "", sep="\n", flush=True)
    text = to.read_text("utf-8") if to.exists() else ""
    to.write_text(page.written(text, {part: row}, [*PARTS]), "utf-8")


def commit() -> str:
    """What is measured: the commit, and whether the code differs from it."""
    git = ["git", "-C", str(HOUSE)]
    name = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", ":!docs"], check=False).returncode
    return f"commit {name.strip()}{', changed' * bool(changed)}" if name else "no commit"


if __name__ == "__main__":
    sys.exit(main())
