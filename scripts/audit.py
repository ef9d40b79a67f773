"""Ask whether a pinned version has a known vulnerability: `.venv/bin/python scripts/audit.py`.

Fails if one has. Where the database of vulnerabilities cannot be reached it says so in one sentence and does not fail:
what was not looked at is not known to be bad, and a check must work without internet.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
PATIENCE = 60


def main(pins: str = str(HOUSE / "constraints.txt"), *more: str) -> int:
    """Look the pinned versions up, with more arguments for pip-audit; the exit status."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", pins, "--no-deps", "--disable-pip",
        "--format", "json", "--progress-spinner", "off", "--timeout", "5", *more,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return unknown(f"no answer within {PATIENCE} s")
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return unknown(said[-1][:200] if said else f"pip-audit ended with status {done.returncode}")
    if all("skip_reason" in one for one in found):  # a mirror of packages alone has answered
        return unknown("it knows none of the pinned versions")
    return tell(found)


def unknown(reason: str) -> int:
    """Say that nothing was looked up."""
    print(f"audit: could not run, the database of vulnerabilities was not reached ({reason})")
    return 0


def tell(found: list[dict[str, object]]) -> int:
    """Say what was found of each version; the exit status."""
    bad = [one for one in found if one.get("vulns")]
    for one in bad:
        vulnerabilities = one["vulns"]
        assert isinstance(vulnerabilities, list)
        for each in vulnerabilities:
            fixed = ", ".join(each["fix_versions"]) or "no version yet"
            print(f"audit: {one['name']} {one['version']} has {each['id']}; mended in {fixed}")
    skipped = sum("skip_reason" in one for one in found)
    print(
        f"audit: {len(found)} pinned versions, {len(bad)} with known vulnerabilities, {skipped} that are unknown there"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
