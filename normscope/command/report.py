"""What a command says: a bar while nets train, and the finding as a table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

from ..words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ENDED: Final = ("finished", "stopped", "failed")
_BAR: Final = 30
_HEAD: Final = ("criterion", "effect [95 % interval]", "wanted", "verdict")


def say(sentence: str) -> None:
    """Say what came of a command."""
    sys.stdout.write(f"{one_line(sentence)}\n")


def warn(sentence: str) -> int:
    """Say what is wrong; 1, the exit status of a command that ends so."""
    sys.stderr.write(f"normscope: {one_line(sentence)}\n")
    return 1


class Bar:
    """How far something is: a bar in a terminal, elsewhere a line for each tenth."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._tenth = -1

    def move(self, share: float, words: str) -> None:
        """Say so."""
        words = one_line(words)
        if self._terminal:
            self._stream.write(f"\r[{'#' * int(_BAR * share):.<{_BAR}}] {words}\x1b[K")
        elif int(10 * share) > self._tenth:
            self._tenth = int(10 * share)
            self._stream.write(f"{words}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Make room for a line that is to stand there."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def end(self) -> None:
        """Leave the bar as it is."""
        if self._terminal:
            self._stream.write("\n")


class Progress(Bar):
    """How far runs are."""

    def show(self, runs: Sequence[Mapping[str, Any]]) -> None:
        """Say how far these are."""
        share = sum(_share(run) for run in runs) / len(runs)
        ended = sum(run["status"] in ENDED for run in runs)
        if ended < len(runs):
            share = min(share, 0.99)  # a run that has taken its last step has not ended yet: the whole is for those
        self.move(share, f"{ended} of {len(runs)} runs, {int(100 * share)}%")


def _share(run: Mapping[str, Any]) -> float:
    return 1.0 if run["status"] in ENDED else (run["last_step"] + 1) / run["steps"]


def table(finding: Mapping[str, Any]) -> str:
    """The evidence, what the verdict rests on first; then the verdict."""
    evidence = sorted(finding["evidence"], key=lambda found: not found["decisive"])
    rows = [_HEAD, *(_row(found) for found in evidence)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    seeds = finding["seeds"]
    return "\n".join(
        [*lines, "", f"{finding['verdict']}: {finding['reason']}", f"{seeds['done']} of {seeds['planned']} seeds done"]
    )


def _row(found: Mapping[str, Any]) -> tuple[str, ...]:
    verdict = found["verdict"] if found["decisive"] else f"({found['verdict']})"
    return found["name"], " ".join(_effect(found)), f"{found['relation']} {found['threshold']:g}", verdict


def _effect(found: Mapping[str, Any]) -> Iterator[str]:
    yield "—" if found["estimate"] is None else f"{found['estimate']:.3g}"
    if found["unit"]:
        yield found["unit"]
    if found["low"] is not None and found["high"] is not None:
        yield f"[{found['low']:.3g}, {found['high']:.3g}]"
