"""TensorBoard's logs, given to a server: each folder with event files as a run."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from .. import wire
from ..api import Client, UnreachableError
from ..errors import NormscopeError
from ..eventlog import Log, logs
from .giving import UnansweredError, UnfinishedError, give
from .report import ENDED, Bar, say, warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_SETTLED: Final = 180.0
"""Seconds after which a log is whole that nobody has written to: TensorBoard's writers write at least every two
minutes, in the middle of a step if it so happens."""


def import_logs(
    root: Path, url: str, token: str | None, renamed: Sequence[tuple[str, str]] = (), *, finished: bool = False
) -> int:
    """Import every run under a folder, and say of each what was new; the exit status.

    Args:
        root: The folder, or one event file.
        url: The server's.
        token: What it asks for.
        renamed: Tags of scalars and what they are to be called.
        finished: Whether logs are whole even if they were written to a moment ago.

    Raises:
        OSError: If something cannot be read.
        NormscopeError: If there is no log, or the server does not answer.
    """
    found = logs(root, warn)
    if not found:
        raise NormscopeError(f"there are no event files of TensorBoard in {root}")
    importing = Importing(Client(url, token), token, dict(renamed), sum(log.size for log in found), finished=finished)
    for log in found:
        with closing(log):
            try:
                importing.take(log)
            except (UnreachableError, UnansweredError):
                raise
            except NormscopeError as error:  # others may be well
                importing.fail(str(error))
    importing.conclude()
    return int(importing.damaged)


class Importing:
    """Gives logs to a server, one after the other.

    Args:
        client: Asks the server.
        token: What it asks for.
        called: What tags of scalars are to be called, by what they are called.
        size: Bytes of all logs.
        finished: Whether they are whole even if they were written to a moment ago.
    """

    def __init__(
        self, client: Client, token: str | None, called: Mapping[str, str], size: int, *, finished: bool
    ) -> None:
        self._client = client
        self._token = token
        self._called = called
        self._finished = finished
        self._bar = Bar(sys.stderr)
        self._size, self._done = max(size, 1), 0.0
        self._skipped: Counter[str] = Counter()
        self.damaged = False
        """Whether a file was, or a log could not be given."""

    def take(self, log: Log) -> None:
        """Read a log, and give the server what it does not have of it."""
        log.read(lambda done: self._move(log, done / 2))
        self._skipped.update(log.skipped)
        for sentence in log.damage:
            self.fail(f"{sentence}; what comes before it is imported")
        if log.index.values():
            self._give(log)
        self._done += log.size

    def fail(self, sentence: str) -> None:
        """Say what is wrong with a log."""
        self.damaged = True
        self._say(sentence)

    def _move(self, log: Log, done: float) -> None:
        """Reading is half of what there is to do, and giving the other."""
        share = min((self._done + done) / self._size, 1.0)
        self._bar.move(share, f"{share:.0%}, {log.name}")

    def _give(self, log: Log) -> None:
        key = log.key
        known: dict[str, Any] = next(iter(self._client.get(f"/api/runs?key={key}")["runs"]), {})
        after, before = known.get("last_step", -1), known.get("last_seq", -1) + 1
        layers = [layer["name"] for layer in known.get("layers", ())]
        layers += [name for name in log.histograms if name not in layers]
        last, held = self._last(log)
        new = log.index.count(after, last)
        if new or known.get("status", "finished") not in ENDED:  # all but its end may have arrived
            named = tuple(wire.Layer(name, "histogram") for name in layers)
            name = wire.made_text(log.name[-200:], 200)
            hello = wire.Hello(key, name, named, self._token, {"source": "TensorBoard"})

            def frames(seq: int) -> Iterable[bytes]:
                if seq != before:
                    raise UnfinishedError(f"the server has {log.name} in an experiment that was deleted; restore that")
                return log.frames(seq, after, last, layers, self._called)

            end = wire.End("stopped", "the log was still being written") if held else wire.End("finished")
            size = log.size
            given = lambda seq: self._move(log, size * (1 + (seq - before) / max(new, 1)) / 2)  # noqa: E731
            give(hello, frames, end, self._client.url, (0, before + new), told=given)
        self._tell(log, new, before + new)
        if held:
            self._say(
                f"{log.name} was written to a moment ago: its newest step is left for the next time (or --finished)"
            )
        if late := self._late(log, known):
            self._say(f"{log.name}: the server has these steps already, so what was added to them is left out: {late}")

    def _last(self, log: Log) -> tuple[int, bool]:
        """The last step to import, and whether one after it is left."""
        last = log.index.newest()
        held = not self._finished and time.time() - log.newest < _SETTLED
        return last - held, held

    def _tell(self, log: Log, new: int, whole: int) -> None:
        tags = f"tags: {len(log.scalars)} of scalars, {len(log.histograms)} of histograms"
        odd = "".join(f"; {count:,} values left out: {why}" for why, count in log.odd.items())
        again = log.index.taken - log.index.values()
        odd += f"; {again:,} values were written again later, which count" if again else ""
        self._bar.clear()
        say(f"{log.name}: {new:,} of {whole:,} steps were new; {tags}{odd}")

    def _late(self, log: Log, known: Mapping[str, Any]) -> str:
        """The tags of which there is more in steps that the server had before than the server has."""
        if known.get("last_step", -1) < 0:
            return ""
        merged = list(self._client.history(known["id"], last_step=known["last_step"], points=1).frames())
        there: Counter[tuple[str, bool]] = Counter()
        for frame in merged:
            there.update({(name, False): one.samples for name, one in frame.series.items()})
            for layer, count in zip(frame.layers.tolist(), frame.counters[:, 0].tolist(), strict=True):
                there[known["layers"][layer]["name"], True] += count
        late = [
            name
            for (name, is_histogram), (count, total) in log.until(known["last_step"]).items()
            if (total - count / 2 if is_histogram else count) > there[self._called.get(name, name), is_histogram]
        ]
        return ", ".join(late)

    def conclude(self) -> None:
        """Say what was left out because it is neither a scalar nor a histogram."""
        self._bar.end()
        if self._skipped:
            counted = ", ".join(f"{count:,} {what}" for what, count in sorted(self._skipped.items()))
            say(f"skipped, as these are neither scalars nor histograms: {counted}")

    def _say(self, sentence: str) -> None:
        self._bar.clear()
        warn(sentence)
