"""Servers that cannot start."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from ..conftest import HOUSE

if TYPE_CHECKING:
    from pathlib import Path


def start_in_vain(data: Path, *before: str) -> str:
    """What a server says that cannot start; it is one sentence."""
    command = [*before, sys.executable, "-m", "app", "--no-browser", "--port", "0", "--data", str(data)]
    found = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 1
    assert found.stderr.startswith("normscope: ")
    assert found.stderr.count("\n") == 1, found.stderr
    return found.stderr


UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""Root, but one that permissions hold for."""
