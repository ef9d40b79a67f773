"""`make bench`: print the tables; `--save` writes them to docs/benchmarks.md, where those of other parts stay."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from tests.conftest import Server

from . import capacity, cluster, importing, laboratory, loading, opening, outage, page, ray, storage, watching
from .table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS: Final = (
    "page", "opening", "storage", "watching", "laboratory", "loading", "importing", "cluster", "ray", "outage",
)  # fmt: skip
PAGE: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"
WARM: Final = 8
"""Seconds in which a new server's launcher imports torch, on a core that is to be measured."""


def main() -> None:
    """Measure what was asked for, all of it unless told otherwise."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="only these")
    parser.add_argument("--save", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument(
        "--seconds", type=float, default=60,
        help="how long each net is watched within a budget, and how long a server is away",
    )  # fmt: skip
    parser.add_argument("--viewers", type=int, default=2000, help="how many watch one server")
    parser.add_argument("--frames", type=int, default=20_000, help="how many are stored")
    parser.add_argument("--steps", type=int, default=1_000_000, help="how many captured ones the long run has")
    parser.add_argument("--only", nargs="+", choices=cluster.ROWS, help="these rows of the cluster's")
    parser.add_argument("--runs", type=int, default=300, help="how many are queued on a Ray cluster")
    given = parser.parse_args()
    if given.only and given.save:
        parser.error("--save writes all rows of a part: leave out --only")
    for part in given.parts or PARTS:
        table = Table()
        match part:
            case "page":
                page.measure(table)
            case "opening":
                opening.measure(table)
            case "storage":
                storage.measure(table)
            case "loading":
                loading.measure(table)
            case "importing":
                importing.measure(table)
            case "outage":
                outage.measure(table, given.seconds)
            case "ray":
                ray.measure(table, given.runs)
            case "watching":
                with warm_server() as url:
                    watching.measure(url, table, given.seconds)
            case "laboratory":
                with warm_server() as url:
                    laboratory.measure(url, table)
            case "cluster":
                cluster.measure(table, given.only or cluster.ROWS, given.viewers, given.frames, given.steps)
        text = f"On {machine()}.\n\n{table.markdown()}\n"
        print(f"\n{text}")
        if given.save:
            save(part, text)
            if table.costs:
                capacity.keep(machine(), table.costs)


@contextmanager
def warm_server() -> Iterator[str]:
    """The address of a server of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder) / "data")
        server.start()
        server.http.get(server.url)  # as whoever is about to start an experiment does
        time.sleep(WARM)
        try:
            yield server.url
        finally:
            server.close()


def machine() -> str:
    """What it was measured on."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"


def save(part: str, text: str) -> None:
    """Put a part's section in its place among those that are kept."""
    _, *kept = PAGE.read_text().split("\n## ") if PAGE.exists() else [""]
    sections = dict(section.split("\n\n", 1) for section in kept) | {part.capitalize(): text}
    written = [
        f"## {name.capitalize()}\n\n{sections[name.capitalize()].strip()}\n"
        for name in PARTS
        if name.capitalize() in sections
    ]
    head = (
        "# Benchmarks\n\nWritten by `make bench ARGS=--save`: each figure beside a peer or a limit, in the same run.\n"
    )
    PAGE.write_text("\n".join([head, *written]))


if __name__ == "__main__":
    main()
