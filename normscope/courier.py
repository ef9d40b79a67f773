"""The process beside training: makes frames of what was captured and delivers them.

It is a process because a thread would have to share the interpreter's lock with the training loop, which takes and
gives it at every operation: the same work on a thread made the steps of a small net two to three times as long.

It reads pickled records from its standard input and writes pickled news to its standard output. When its input closes
without an End, training has died; what it left is still delivered.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from . import wire
from .delivery import MEMORY, Delivery, Listener
from .ring import Ring
from .summary import Raw, Summaries, summarize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LINGER: Final = 10.0
"""Seconds in which a run that died may still hand over its last frames."""


@dataclass(slots=True)
class Start:
    """The first record: what is watched, and where frames go."""

    url: str
    hello: wire.Hello
    bounds: NDArray[np.float32]
    ring: str
    memory: int = MEMORY


class Step(NamedTuple):
    """What was captured at one step; the small tensors' values lie in the ring.

    A tuple, which takes a third of the time to pickle that a dataclass does.
    """

    step: int
    time: float
    series: dict[str, Any]
    rows: list[int]
    lengths: list[int]
    start: int
    end: int
    reduced_rows: list[int]
    reduced: Summaries | None


@dataclass(slots=True)
class Close:
    """Training has left its loop."""

    end: wire.End
    patience: float


def frame_of(step: Step, values: NDArray[np.float32], bounds: NDArray[np.float32], seq: int) -> wire.Frame:
    """The frame of a step; several forward passes through a layer become one summary."""
    raw = Raw(step.rows, step.lengths, values, step.reduced_rows, step.reduced)
    layers, s = summarize(raw, bounds)
    frame = wire.Frame(
        seq, step.step, step.step, step.time, layers=layers, kinds=layers * 0,
        moments=s.moments, counters=s.counters, bins=s.bins, counts=s.counts,
    )  # fmt: skip
    if len({*step.rows, *step.reduced_rows}) < len(layers):
        frame = wire.merge([frame])
        frame.level = 0
    frame.series = {name: wire.Series.of(value) for name, value in step.series.items()}
    return frame


class Courier:
    """Obeys the records of one run."""

    def __init__(self, start: Start, out: BinaryIO) -> None:
        self._bounds = start.bounds
        self._ring = Ring(start.ring)
        self._ring.unlink()
        self._out = out
        self._speaking = threading.Lock()
        self.delivery = Delivery(start.url, start.hello, Listener(self._say, self._say, self._say), start.memory)

    def obey(self, record: Step | Close | bool) -> bool:
        """Do what a record says; False after the last."""
        match record:
            case Step():
                if self.delivery.has_room():
                    values = self._ring.read(record.start, record.end)
                    frame = frame_of(record, values, self._bounds, self.delivery.seq)
                    self.delivery.put(wire.encode(frame))
                elif self.delivery.dropped % 100 == 1:
                    self._say(self.delivery.dropped)
                self._ring.release(record.end)
            case bool():
                self.delivery.state(record)
            case Close():
                self._say((self.delivery.close(record.end, record.patience), self.delivery.dropped))
                return False
        return True

    def _say(self, news: object) -> None:
        """Tell the training process, unless it has died."""
        with self._speaking, contextlib.suppress(OSError, ValueError):
            pickle.dump(news, self._out)
            self._out.flush()


def main() -> None:
    """Serve one run, from the records on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is training's to answer; its last frames are ours
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)  # training comes first
    source = sys.stdin.buffer
    courier = Courier(pickle.load(source), sys.stdout.buffer)  # noqa: S301  our own parent wrote it
    try:
        while courier.obey(pickle.load(source)):  # noqa: S301
            pass
    except (EOFError, pickle.UnpicklingError):
        courier.delivery.close(None, LINGER)
    # Threads that still wait for a server must not keep a finished process alive.
    os._exit(0)


if __name__ == "__main__":
    main()
