"""The unit tests of static/, run by the Node.js that pip installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
SUITES = sorted(path.name for path in (HOUSE / "tests" / "js").glob("*.test.js"))


@pytest.mark.parametrize("suite", SUITES)
def test_javascript(suite: str) -> None:
    found = subprocess.run(
        [sys.executable, "scripts/node.py", "node", "--test", f"tests/js/{suite}"],
        cwd=HOUSE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert "fail 0" in found.stdout
