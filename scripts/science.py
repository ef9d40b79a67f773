"""Try the sixteen claims and write down what came out: `make science`, about an hour on two cores.

Each claim is started through the server's interface, as a person would from the page. What it found is kept in
docs/findings as JSON, from which docs/science.md and its figures are written; `--write` writes them anew from what is
kept, `--only 4,6` tries some claims only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

HOUSE = Path(__file__).parent.parent
sys.path.insert(0, str(HOUSE))

from normscope.catalogue import CLAIMS, Claim  # noqa: E402  the house itself
from scripts.forest import forest  # noqa: E402
from tests.conftest import ENDED, Server  # noqa: E402  the same server that the tests use

FOLDER: Final = HOUSE / "docs" / "findings"
PAGE: Final = HOUSE / "docs" / "science.md"
MORE: Final = ((4, "deep linear"), (6, "deep linear"))
"""Sizes to try beside quick."""

PREFACE: Final = """# Sixteen claims, tried

Written by `make science`, which starts every claim of the catalogue at size *quick* (and the deep linear net of
claims 4 and 6 at the paper's full size), waits for its five seeds and writes down what came out. What is measured,
and from where its formula comes, is in [measures.md](measures.md); the rules stand in `normscope/catalogue/` and were
written before these data.

An effect is found per seed, in pairs of runs that start from the same weights and see the same data in the same
order; its interval is a bootstrap over seeds at 95 %. A criterion is met when the whole interval lies on the side
that the claim expects, missed when all of it lies on the other. A claim is *supported* when every decisive criterion
is met, *contradicted* when one is missed, else *undecided*. Five seeds of small nets on small data say something
about those nets and those data; where that differs from the literature, it is shown as it is. Time is what a quick
size takes, all seeds.
"""


def attempt(server: Server, claim: Claim, size: str, seeds: int | None) -> dict[str, Any]:
    """Run a claim at a size to its end; its finding."""
    settings = {} if seeds is None else {"seeds": seeds}
    began = time.monotonic()
    experiment = server.post("/api/experiments", {"claim": claim.number, "size": size, "settings": settings}).json()
    path = f"/api/experiments/{experiment['id']}"
    while True:
        runs = server.get(path)["runs"]
        done = sum(run["status"] in ENDED for run in runs)
        print(f"\rclaim {claim.number}, {size}: {done} of {len(runs)} runs", end="", flush=True)
        if done == len(runs):
            break
        time.sleep(1)
    print(f", {time.monotonic() - began:.0f} s")
    for run in runs:
        if run["status"] != "finished":
            print(f"  {run['name']}: {run['status']} {run['error']}")
    finding: dict[str, Any] = server.get(f"{path}/finding")
    return finding | {"claim": claim.number, "size": size, "seconds": round(time.monotonic() - began)}


def keep(finding: dict[str, Any]) -> None:
    """Write a finding where the page is made from."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(finding, ensure_ascii=False, indent=1)
    name(finding["claim"], finding["size"], "json").write_text(text + "\n")


def name(claim: int, size: str, suffix: str) -> Path:
    """The file of a finding."""
    return FOLDER / f"{claim:02}-{size.replace(' ', '-')}.{suffix}"


def write() -> None:
    """The page and its figures, from what is kept."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
    lines = [PREFACE, "| claim | verdict | time |", "| --- | --- | --- |"]
    for finding in found.values():
        claim, size = CLAIMS[finding["claim"]], finding["size"]
        note = "" if size == "quick" else f", {size}"
        title = f"[{claim.number}. {claim.title}](#{anchor(finding)}){note}"
        lines.append(f"| {title} | **{finding['verdict']}** | {finding['seconds']} s |")
    for stem, finding in found.items():
        (FOLDER / f"{stem}.svg").write_text(forest(finding["evidence"]))
        lines += section(stem, finding)
    PAGE.write_text("\n".join(lines) + "\n")


def anchor(finding: dict[str, Any]) -> str:
    """Where a finding's section begins."""
    return f"claim-{finding['claim']}-{finding['size'].replace(' ', '-')}"


def section(stem: str, finding: dict[str, Any]) -> list[str]:
    """What the page says of a finding."""
    claim = CLAIMS[finding["claim"]]
    size = "" if finding["size"] == "quick" else f" ({finding['size']})"
    rows = [
        f"| {e['name']}{'' if e['decisive'] else ' ·'} | {effect(e)} | {e['relation']} {e['threshold']:g} "
        f"| {e['verdict']} |"
        for e in finding["evidence"]
    ]
    return [
        "", f'<a id="{anchor(finding)}"></a>', f"## {claim.number}. {claim.title}{size}", "",
        f"{claim.sentence} {claim.measures}", "",
        f"**{finding['verdict'].capitalize()}**: {finding['reason']}. {finding['seeds']['done']} seeds.", "",
        f"![Effects with their intervals](findings/{stem}.svg)", "",
        "| criterion (· beside) | effect, 95 % interval | expected | alone it says |", "| --- | --- | --- | --- |",
        *rows, "",
        f"Literature: {claim.literature}", "",
        f"Again: `{finding['command']}`. Numbers of every run: [{stem}.json](findings/{stem}.json).",
    ]  # fmt: skip


def effect(evidence: dict[str, Any]) -> str:
    """An effect with its interval."""
    if evidence["estimate"] is None:
        return "–"
    unit = f" {evidence['unit']}" if evidence["unit"] else ""
    if evidence["low"] is None:
        return f"{evidence['estimate']:.3g}{unit}"
    return f"{evidence['estimate']:.3g}{unit} ({evidence['low']:.3g} to {evidence['high']:.3g})"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=lambda text: [int(n) for n in text.split(",")], default=list(CLAIMS))
    parser.add_argument("--seeds", type=int, help="instead of each claim's own number")
    parser.add_argument("--write", action="store_true", help="write the page from what is kept, and try nothing")
    parser.add_argument("--data", type=Path, help="a data folder to keep, to look at the runs later")
    options = parser.parse_args()
    if not options.write:
        with tempfile.TemporaryDirectory() as temporary:
            server = Server(options.data or Path(temporary) / "data")
            server.start()
            try:
                jobs = [(n, "quick") for n in options.only] + [(n, size) for n, size in MORE if n in options.only]
                for number, size in jobs:
                    keep(attempt(server, CLAIMS[number], size, options.seeds))
                    write()
            finally:
                server.stop()
    write()


if __name__ == "__main__":
    main()
