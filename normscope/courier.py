"""The process beside training: makes frames of what was captured and delivers them.

It is a process because a thread would have to share the interpreter's lock with the training loop, which takes and
gives it at every operation: the same work on a thread made the steps of a small net two to three times as long.

It reads pickled records from its standard input and writes pickled news to its standard output. It looks for records
every few milliseconds rather than wait for each: waking a sleeping process costs the one that writes more than the
writing, and what came meanwhile is cheaper to encode together. When its input closes without an End, training has died;
what it left is still delivered.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import struct
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

import numpy as np

from . import wire
from .background import keep_freed_memory, step_back
from .delivery import MEMORY, Delivery, Listener
from .ring import Ring
from .summary import Raw, summarize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LINGER: Final = 10.0
"""Seconds in which a run that died may still hand over its last frames."""
LENGTH: Final = struct.Struct("<I")
"""Before each pickled record: how many bytes it has."""
_READ: Final = 1 << 20
_LOOK: Final = 0.004
"""Seconds between two looks for records."""
_AWAKE: Final = 0.1
"""Seconds without any record after which it sleeps until there is one."""
_TOGETHER: Final = 8
"""Frames that are encoded together at most: more would not stay in the processor's cache."""


@dataclass(slots=True)
class Start:
    """The first record: what is watched, and where frames go."""

    url: str
    hello: wire.Hello
    bounds: NDArray[np.float32]
    ring: str
    packed: bool
    """Whether the ring holds records of the compiled core."""
    memory: int = MEMORY


class Step(NamedTuple):
    """What was captured at one step; values lie in the ring."""

    step: int
    time: float
    series: dict[str, Any]
    layout: tuple[list[int], list[int]]
    """The layer of each tensor, and how many values each has there; None on the way if they are as before."""
    start: int
    end: int
    known: list[int]
    """Which of them are large, as positions."""
    numbers: list[list[float]]
    """The exact numbers of those."""


@dataclass(slots=True)
class Close:
    """Training has left its loop."""

    end: wire.End
    patience: float


def frame_of(
    step: Step, values: NDArray[np.float32], bounds: NDArray[np.float32], seq: int, packed: bool
) -> wire.Frame:
    """The frame of a step; several forward passes through a layer become one summary."""
    rows, lengths = step.layout
    s = summarize(Raw(rows, lengths, values, step.known, step.numbers, packed), bounds)
    layers = np.array(rows, np.int64)
    frame = wire.Frame(
        seq, step.step, step.step, step.time, layers=layers, kinds=layers * 0,
        moments=s.moments, counters=s.counters, bins=s.bins, counts=s.counts,
    )  # fmt: skip
    if len(set(rows)) < len(rows):
        frame = wire.merge([frame])
        frame.level = 0
    frame.series = {name: wire.Series.of(value) for name, value in step.series.items()}
    return frame


def records(source: int) -> Iterator[list[Any]]:
    """What has come in through a pipe, as often as something has, until it closes."""
    os.set_blocking(source, False)
    data, last = b"", time.monotonic()
    while True:
        try:
            found = os.read(source, _READ)
        except BlockingIOError:
            if time.monotonic() - last > _AWAKE:
                select.select([source], [], [])
            else:
                time.sleep(_LOOK)
            continue
        if not found:
            return
        data, last = data + found, time.monotonic()
        whole = []
        at = 0
        while at + LENGTH.size <= len(data):
            end = at + LENGTH.size + LENGTH.unpack_from(data, at)[0]
            if end > len(data):
                break
            whole.append(pickle.loads(data[at + LENGTH.size : end]))  # noqa: S301  our own parent wrote it
            at = end
        data = data[at:]
        if whole:
            yield whole


class Courier:
    """Obeys the records of one run."""

    def __init__(self, start: Start, out: BinaryIO) -> None:
        self._bounds, self._packed = start.bounds, start.packed
        self._ring = Ring(start.ring)
        self._ring.unlink()
        self._out = out
        self._layout: tuple[list[int], list[int]] = ([], [])
        self._speaking = threading.Lock()
        self._began = time.process_time_ns()
        self.delivery = Delivery(start.url, start.hello, Listener(self._say, self._say, self._say), start.memory)

    def obey(self, found: list[Any]) -> bool:
        """Do what records say; False after the last."""
        frames: list[wire.Frame] = []
        for record in found:
            if isinstance(record, tuple):
                frames += self._frame(Step(*record), self.delivery.seq + len(frames))
                if len(frames) < _TOGETHER:
                    continue
            self._deliver(frames)
            frames = []
            if isinstance(record, bool):
                self.delivery.state(record)
            elif isinstance(record, Close):
                self._say((self.delivery.close(record.end, record.patience), self.delivery.dropped))
                return False
        self._deliver(frames)
        self._ring.report(time.process_time_ns() - self._began)  # what it took to start, it took once
        return True

    def _frame(self, step: Step, seq: int) -> list[wire.Frame]:
        """The step's frame, if there is room for it."""
        self._layout = step.layout or self._layout
        found = []
        if self.delivery.has_room():
            values = self._ring.read(step.start, step.end)
            found.append(frame_of(step._replace(layout=self._layout), values, self._bounds, seq, self._packed))
        elif self.delivery.dropped % 100 == 1:
            self._say(self.delivery.dropped)
        self._ring.release(step.end)
        return found

    def _deliver(self, frames: list[wire.Frame]) -> None:
        for data in wire.encode_frames(frames):
            self.delivery.put(data)

    def _say(self, news: object) -> None:
        """Tell the training process, unless it has died."""
        with self._speaking, contextlib.suppress(OSError, ValueError):
            pickle.dump(news, self._out)
            self._out.flush()


def main() -> None:
    """Serve one run, from the records on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is training's to answer; its last frames are ours
    step_back()
    keep_freed_memory()
    courier: Courier | None = None
    for found in records(sys.stdin.fileno()):
        if courier is None:
            start, *found = found
            courier = Courier(start, sys.stdout.buffer)
        if not courier.obey(found):
            break
    else:
        if courier is not None:
            courier.delivery.close(None, LINGER)
    # Threads that still wait for a server must not keep a finished process alive.
    os._exit(0)


if __name__ == "__main__":
    main()
