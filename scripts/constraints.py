"""Write constraints.txt: the versions that pip chooses today for everything pyproject.toml names.

`.venv/bin/python scripts/constraints.py`. The torch that is pinned is the one this project is tested with, and is
kept until it is changed here: on Linux the newest one brings gigabytes of CUDA with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
TORCH = "torch==2.13.0"


def main() -> int:
    """Resolve everything afresh; the exit status."""
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    extras = ",".join(project["optional-dependencies"])
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pin:
        pin.write(TORCH + "\n")
        pin.flush()
        report = subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-",
                "--constraint", pin.name, f"{HOUSE}[{extras}]",
            ],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    items = [item["metadata"] for item in json.loads(report.stdout)["install"]]
    pins = sorted(
        f"{item['name'].lower()}=={item['version'].split('+')[0]}" for item in items if item["name"] != "normscope"
    )
    lines = ["# Made by scripts/constraints.py from pyproject.toml: the versions this project is tested with.", *pins]
    (HOUSE / "constraints.txt").write_text("\n".join(lines) + "\n")
    print(f"{len(pins)} versions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
