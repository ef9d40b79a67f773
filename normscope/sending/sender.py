"""What was captured, on its way out of the training process: never blocks training for long, and never breaks it."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .. import native, wire
from ..words import one_line
from .backlog import MEMORY
from .beside import beside
from .company import Address, Lost, Stop
from .note import Writer
from .pipe import LENGTH, Close, Nonfinite, Start
from .ring import SMALLEST, Ring

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..alerts import Rule
    from ..capture.seen import Seen
    from ..capture.summary import Slot
    from ..ranks import Place

log = logging.getLogger("normscope")

_RECORDS: Final = (1 << 18, 768)
"""Units of 4 bytes in a ring of records: 1 MB, and 3 KB for each slot. A step may have a quarter of it."""
_VALUES: Final = 8192
"""Values of a slot that a ring of values has room for: four steps of layers of two thousand."""
_PATIENCE: Final = 2.0
"""Seconds that a step waits at most for a courier that lags behind; then frames are dropped until there is room."""


def _note(slots: int) -> int:
    """Units for what is said of a step beside its values: a surface of 51 × 51 points, or the numbers of every slot."""
    return 6144 + 24 * slots


class Sender:
    """The training process's end of a courier.

    Args:
        url: The server's address.
        hello: Introduces the run.
        slots: What is summarized.
        welcome: Hears every Welcome, on a thread of the sender's.
        control: Hears every Control, likewise.
        memory: Bytes of frames that may wait for the server.
        file: Takes the frames instead of the server, if given.
        rules: What people are to be told of.
        alert: Hears every Alert that begins, likewise.
        place: This process's among the ranks that train together, if there are several.
    """

    def __init__(
        self,
        url: str,
        hello: wire.Hello,
        slots: Sequence[Slot],
        welcome: Callable[[wire.Welcome], None],
        control: Callable[[wire.Control], None],
        memory: int = MEMORY,
        file: Path | None = None,
        rules: Sequence[Rule] = (),
        alert: Callable[[wire.Alert], None] = lambda _: None,
        place: Place | None = None,
    ) -> None:
        self.file = file
        """Where the frames go, if not to the server."""
        self._welcome, self._control, self._alert, self._place = welcome, control, alert, place
        self._speaking = threading.Lock()
        # A step of a net of many small layers is to fit into a quarter of it.
        count = len(slots)
        records = _RECORDS[0] + _RECORDS[1] * -(-count // 8) * 8
        values = max(SMALLEST, 1 << (count * _VALUES - 1).bit_length())
        self._ring = Ring.create(records if native.available() else values, _note(count))
        self._notes = Writer()
        self._over = self._closing = False
        self._result: bool | None = None
        self._late = self._left_out = False
        self._private: NDArray[np.float32] | None = None
        self._dropped = self._dropped_there = 0
        self.nonfinite: Nonfinite | None = None
        """Where values that are not finite were seen first, if any were."""
        self.run: str | None = None
        """What the server calls this run, once it has answered."""
        self._process = beside()
        self._hearing = threading.Thread(target=self._hear, name="normscope-hear", daemon=True)
        self._hearing.start()
        company = place.company() if place else None
        ring = (self._ring.path, _note(count))
        self._say(Start(url, hello, list(slots), ring, memory, file, list(rules), company))
        if place is not None and not place.first:
            place.find(self._say)

    @property
    def dropped(self) -> int:
        """Frames that found no room."""
        return self._dropped + self._dropped_there

    @property
    def last(self) -> int | None:
        """The step behind which all ranks stop, once they have agreed on one."""
        return self._ring.last

    def made(self, steps: int) -> None:
        """So many steps have been made, and what was seen of them has been put."""
        self._ring.steps = steps

    def stop(self, after: int) -> None:
        """Propose to the other ranks that all stop behind this step."""
        self._say(Stop(after))

    @property
    def courier_seconds(self) -> float:
        """Processor time that the courier has spent."""
        return self._ring.reader_seconds

    def place(self) -> tuple[NDArray[np.float32], int, int]:
        """Memory where the next step's values go, where in it, and how many at most; good until they are put."""
        start = self._ring.room()
        if start is not None:
            return self._ring.values, start, self._ring.most
        if self._private is None:
            self._private = np.zeros(self._ring.most, np.float32)
        return self._private, 0, self._ring.most

    def put(self, step: int, when: float, series: dict[str, Any], seen: Seen) -> None:
        """Send what was captured at a step. Waits a moment if the courier lags behind, then drops it."""
        if seen.edges:
            self._say(wire.Graph(seen.edges[: wire.MOST_EDGES]))
        if seen.away:
            seen.finish(self._ring.most)
        more = (seen.slots, seen.lengths, seen.known, seen.numbers) if seen.slots else None
        note = self._notes.write(step, when, series, seen.records, more)
        if len(note) > self._ring.longest:
            note = self._shortened(step, when, series, seen.records, more)
        if seen.memory is self._ring.values and not self._over:
            self._ring.commit(seen.count, note)
        elif not self._copied(seen, note):
            self._dropped += 1

    def _shortened(self, step: int, when: float, series: dict[str, Any], records: int, more: Any) -> bytes:
        """The note without the longest vectors, which are more than there is room for; said once."""
        kept = dict(series)
        for name in sorted(series, key=lambda name: np.size(series[name]), reverse=True):
            del kept[name]
            note = self._notes.write(step, when, kept, records, more)
            if len(note) <= self._ring.longest:
                break
        if not self._left_out:
            self._left_out = True
            names = ", ".join(sorted(series.keys() - kept.keys()))
            log.warning(
                "normscope: at step %d there are more numbers than a step has room for; left out: %s", step, names
            )
        return note

    def _copied(self, seen: Seen, note: bytes) -> bool:
        """Copy the values into the ring, once there is room; False if there was none for too long."""
        deadline = time.monotonic() + (0 if self._late else _PATIENCE)
        while not self._over and seen.count <= self._ring.most:
            if self._ring.write(seen.values, note):
                self._late = False
                return True
            if time.monotonic() >= deadline:
                self._late = True
                break
            time.sleep(0.0005)
        return False

    def state(self, paused: bool) -> None:
        """Tell the server that training is held at a step, or goes on."""
        self._say(paused)

    def close(self, end: wire.End, patience: float) -> bool:
        """Send what is left and the End; whether the server has committed it all within `patience` seconds."""
        self._closing = True
        self._say(Close(end, patience))
        self._hearing.join(patience + 1)
        self._over = True
        if self._hearing.is_alive():
            self._process.kill()
            self._hearing.join()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except OSError:  # it had left before it read everything
                log.debug("normscope: the courier left early")
        self._process.wait()
        self._ring.unlink()
        if self._place is not None:
            self._place.leave()
        return bool(self._result)

    def _say(self, record: object) -> None:
        """Tell the courier."""
        if self._over:
            return
        data = pickle.dumps(record, pickle.HIGHEST_PROTOCOL)
        rest = memoryview(LENGTH.pack(len(data)) + data)
        with self._speaking:
            try:
                while rest:  # a pipe takes what it has room for
                    rest = rest[self._process.stdin.write(rest) :]
            except (OSError, ValueError):  # it has gone, or been closed
                self._over = True  # the one who hears it will say so

    def _hear(self) -> None:
        """What the courier has to say, until it leaves."""
        while True:
            try:
                news = pickle.load(self._process.stdout)  # noqa: S301  our own child wrote it
            except (EOFError, pickle.UnpicklingError, ValueError):
                if not self._closing:
                    self._over = True
                    log.warning("normscope: watching has ended: its process is gone; training goes on")
                return
            match news:
                case Nonfinite():
                    self.nonfinite = news
                case wire.Alert():
                    self._hear_alert(news)
                case wire.Welcome():
                    self.run = news.run
                    self._welcome(news)
                case wire.Control():
                    self._control(news)
                case Address() if self._place is not None:
                    self._place.publish(news)
                case Lost() if self._place is not None:
                    self._place.find(self._say)
                case str():
                    log.warning("normscope: %s", one_line(news))  # a server may have said it
                case int():
                    self._dropped_there = news
                case (bool() as done, int() as dropped):
                    self._result, self._dropped_there = done, dropped

    def _hear_alert(self, alert: wire.Alert) -> None:
        """Log an alert, as one rank of those that hear of it, and have the loop told when it begins."""
        sends = self._place is None or self._place.sends
        if sends and alert.cleared is None:
            log.warning("normscope: %s", alert.sentence)
        elif sends:
            log.info("normscope: over at step %d: %s", alert.cleared, alert.sentence)
        if alert.cleared is None:
            self._alert(alert)
