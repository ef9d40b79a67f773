from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_golden_files_are_what_the_script_writes() -> None:
    files: dict[str, bytes] = runpy.run_path(str(ROOT / "scripts" / "golden.py"))["golden"]()
    folder = ROOT / "tests" / "golden"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files, "run scripts/golden.py and look at why"
