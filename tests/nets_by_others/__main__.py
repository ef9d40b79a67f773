"""`make nets`: train the nets that others have written, alone and watched; write docs/nets.md.

The exit status says whether all of them were left as they would have been, and everything of them was seen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.__main__ import machine

from . import AT_HAND, FETCHED
from .net import KINDS
from .watching import EVERYTHING, compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .net import Net
    from .watching import Watched

    Found = tuple[Net, Watched, Watched]

HOUSE: Final = Path(__file__).parents[2]
PAGE: Final = HOUSE / "docs" / "nets.md"
STEPS: Final = 20
HEAD: Final = "| net | of | kind | layers seen | losses equal | the rest equal | ms a step, alone, watched |"
INTRODUCTION: Final = f"""# Nets written by others

Written by `make nets`: nets of published packages, made small from their configurations, without anyone's weights, and
trained for {STEPS} steps from the same seed: alone, with every layer's outputs watched at every step, and with
everything watched that can be. What they leave is compared bit for bit: all losses; and the rest, which is parameters,
buffers, gradients, and the states of the random numbers of torch, numpy and Python. The layers that have to be seen are
those that torch's own hook for all modules hears of. Times are for orientation (tiny nets on one thread);
[benchmarks.md](benchmarks.md) has measurements.
"""
REMARKS: Final = """
## What there is to say of some

A layer that nobody calls cannot be seen: its weights are used elsewhere, or not at all. Nor can one that gives no
floating-point numbers. `watch` says so in the log. Alerts are about the net.
"""


def main() -> int:
    """Try all of them, or those whose name has a word in it; the exit status."""
    parser = argparse.ArgumentParser(prog="make nets", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only these; nothing is written")
    word: str = parser.parse_args().word
    found: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        for i, net in enumerate(one for one in (*AT_HAND, *FETCHED) if word in str(one)):
            outputs = compare(net, STEPS, Path(folder) / f"{i}.normscope")
            everything = compare(net, STEPS, Path(folder) / f"{i}, everything.normscope", EVERYTHING)
            found.append((net, outputs, everything))
            print(row(*found[-1]), *outputs.faults, *everything.faults, sep="\n", flush=True)
    if not word:
        PAGE.write_text(written(found), "utf-8")
    return int(any(outputs.faults or everything.faults for _, outputs, everything in found))


def written(found: Sequence[Found]) -> str:
    """The page."""
    good = sum(not (outputs.faults or everything.faults) for _, outputs, everything in found)
    kinds = ", ".join(f"{sum(net.kind == kind for net, *_ in found)} {kind}" for kind in KINDS)
    said = [remark for one in found for remark in remarks(*one)]
    count = f"**{good} of {len(found)}** were left as if nobody had watched, and were seen whole: {kinds}."
    table = [HEAD, "| --- " * HEAD[1:].count("|") + "|", *(row(*one) for one in found)]
    return "\n".join([INTRODUCTION, count, "", f"On {machine()}.", "", *table, REMARKS, *said, ""])


def row(net: Net, outputs: Watched, everything: Watched) -> str:
    """A net's row of the table."""
    equal = [STEPS - watched.alone.differing_losses(watched.left) for watched in (outputs, everything)]
    differing = {what for one in (outputs, everything) for what in one.alone.differs_in(one.left)} - {"losses"}
    times = " → ".join(f"{left.seconds / STEPS * 1000:.1f}" for left in (outputs.alone, outputs.left))
    cells = (
        f"`{net.name}`", f"{net.package} {version(net.package).split('+')[0]}", net.kind,
        f"{len(outputs.seen)} of {len(outputs.layers)}", f"{min(equal)} of {STEPS}",
        f"no: {', '.join(sorted(differing))}" if differing else "yes", times,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def remarks(net: Net, outputs: Watched, everything: Watched) -> list[str]:
    """What there is to say of a net, as items of a list."""
    said = [f"**{fault}**" for fault in dict.fromkeys([*outputs.faults, *everything.faults])]
    if outputs.unseen:
        more = f" and {len(outputs.unseen) - 4} more" if len(outputs.unseen) > 4 else ""
        said.append(f"cannot be seen: {', '.join(f'`{name}`' for name in outputs.unseen[:4])}{more}")
    said += [f"alert: {sentence}" for sentence in dict.fromkeys(outputs.alerts)]
    return [f"- `{net.name}`: {'; '.join(said)}"] if said else []


if __name__ == "__main__":
    sys.exit(main())
