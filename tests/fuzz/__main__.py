"""`python -m tests.fuzz`: every target, then what came out into docs/fuzzing.md.

With atheris (of the extra `fuzz`) inputs are led by which of our code they reach; without it they are honest ones with
a few bytes changed, cut or put together.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

HOUSE: Final = Path(__file__).parent.parent.parent
PAGE: Final = HOUSE / "docs" / "fuzzing.md"
BEGIN, END = "<!-- made by python -m tests.fuzz -->\n", "<!-- until here -->\n"
SHARES: Final = {"codec": 0.55, "parser": 0.2, "recording": 0.1, "log": 0.05, "ingest": 0.05, "live": 0.05}
"""Of all inputs: a whole server takes a hundred times as long for one as the codec."""

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Result:
    """What came of a target."""

    target: str
    inputs: int
    faults: int
    seconds: float
    said: str = ""


def main() -> int:
    """Fuzz all targets in processes of their own, or one in this; the exit status."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=120_000, help="how many inputs in all (default: %(default)s)")
    parser.add_argument("--target", help="only this one, in this process")
    parser.add_argument("--write", action="store_true", help="write what came out into docs/fuzzing.md")
    given = parser.parse_args()
    led = importlib.util.find_spec("atheris") is not None
    if given.target:
        fuzz(given.target, given.inputs, led)
        return 0
    results = []
    for target, share in SHARES.items():
        results.append(apart(target, max(1, round(share * given.inputs))))
        one = results[-1]
        print(f"{one.target:10} {one.inputs:8,} inputs  {one.faults} faults  {one.seconds:6.1f} s", flush=True)
        sys.stderr.write(one.said)
    if given.write:
        PAGE.write_text(written(PAGE.read_text("utf-8"), results, led), "utf-8")
    print(f"{sum(one.inputs for one in results):,} inputs, {'led by coverage' if led else 'not led: no atheris'}")
    return 1 if any(one.faults for one in results) else 0


def apart(target: str, inputs: int) -> Result:
    """A target in a process of its own: a fault of the compiled core would end it."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.fuzz", "--target", target, "--inputs", str(inputs)]
    with tempfile.TemporaryDirectory() as folder:  # where the input that broke it is left
        environment = {"PYTHONPATH": str(HOUSE), "PATH": "/usr/bin:/bin", "TMPDIR": folder}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        broken = [path.read_bytes() for path in Path(folder).glob("crash-*")]
    counted = re.findall(r"(?:Done |#)(\d+)", done.stderr + done.stdout)
    tried = int(counted[-1]) if counted else 0
    fault = done.returncode != 0 or tried < inputs
    said = "".join(f"{data!r}\n" for data in broken) + (done.stderr[-4000:] if fault else "")
    return Result(target, tried, int(fault), time.monotonic() - began, said)


def fuzz(target: str, inputs: int, led: bool) -> None:
    """Try so many inputs; the first fault ends the process."""
    if not led:
        from . import targets

        mutate(targets.TARGETS[target], targets.seeds(target), inputs)
        return
    import atheris

    with atheris.instrument_imports(include=["app", "normscope"]):
        from . import targets
    with tempfile.TemporaryDirectory() as corpus:
        for i, seed in enumerate(targets.seeds(target)):
            (Path(corpus) / str(i)).write_bytes(seed)
        flags = [f"-runs={inputs}", "-seed=1", "-max_len=4096", "-timeout=30", "-rss_limit_mb=4096", corpus]
        atheris.Setup([sys.argv[0], *flags], targets.TARGETS[target])
        atheris.Fuzz()


def mutate(run: Callable[[bytes], None], seeds: list[bytes], inputs: int) -> None:
    """Honest inputs, changed a little. The same ones every time."""
    chance = random.Random(1)
    for _ in range(inputs):
        data = bytearray(chance.choice(seeds) + (chance.choice(seeds) if chance.random() < 0.1 else b""))
        for _ in range(chance.randrange(6)):
            at = chance.randrange(len(data) + 1)
            data[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        run(bytes(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.1 else data))
    sys.stderr.write(f"Done {inputs}\n")


def written(page: str, results: list[Result], led: bool) -> str:
    """The page with these results."""
    from .targets import ABOUT

    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    rows = [f"| {ABOUT[one.target]} | {one.inputs:,} | {one.faults} | {one.seconds:.0f} |\n" for one in results]
    rows.append(f"| all | {sum(r.inputs for r in results):,} | {sum(r.faults for r in results)} | |\n")
    how = "led by coverage (atheris)" if led else "not led by coverage"
    table = [
        "| what | inputs | faults | seconds |\n",
        "| --- | ---: | ---: | ---: |\n",
        *rows,
        f"\nInputs were {how}.\n",
    ]
    return "".join([head, BEGIN, *table, END, tail])


if __name__ == "__main__":
    sys.exit(main())
