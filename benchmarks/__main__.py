"""`make bench`: print the table; `--save` writes it to docs/benchmarks.md too."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import torch

from tests.conftest import Server

from . import laboratory, page, storage, watching
from .table import Table

WARM = 8
"""Seconds in which a new server's launcher imports torch, on a core that is to be measured."""


def main() -> None:
    """Measure what was asked for, all of it unless told otherwise."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=["watching", "page", "storage", "laboratory", []], help="only these"
    )
    parser.add_argument("--save", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--seconds", type=float, default=60, help="how long each net is watched within a budget")
    given = parser.parse_args()
    parts = given.parts or ["page", "storage", "watching", "laboratory"]
    table = Table()
    if "page" in parts:
        page.measure(table)
    if "storage" in parts:
        storage.measure(table)
    if {"watching", "laboratory"} & set(parts):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            server = Server(Path(folder) / "data")
            server.start()
            time.sleep(WARM)
            try:
                if "watching" in parts:
                    watching.measure(server.url, table, given.seconds)
                if "laboratory" in parts:
                    laboratory.measure(server.url, table)
            finally:
                server.close()
    machine = (
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"
    )
    print(f"\n{machine}\n\n{table.markdown()}")
    if given.save:
        text = f"# Benchmarks\n\nWritten by `make bench ARGS=--save`, on {machine}.\n\n{table.markdown()}\n"
        (Path(__file__).parent.parent / "docs" / "benchmarks.md").write_text(text)


if __name__ == "__main__":
    main()
