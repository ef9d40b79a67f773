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
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from .. import native, wire
from ..alerts import MOST, Sight
from ..background import keep_freed_memory, step_back
from ..capture.summary import Raw, summarize
from . import note
from .company import Address, Stop
from .delivery import Delivery, Listener
from .filing import Filing
from .notices import Notices
from .pipe import Close, Inbox, Start
from .ring import Record, Ring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..capture.summary import Slot
    from .note import Step
    from .pipe import Nonfinite
    from .together import Together

LINGER: Final = 10.0
"""Seconds in which a run that died may still hand over its last frames."""
_LOOK: Final = (0.004, 0.2)
"""Seconds between two looks into the ring, while someone looks at the run and, if the ring has room for it, else."""
_FILL: Final = 1 / 8
"""Share of the ring that may be filled from one look to the next."""
_AWAKE: Final = 0.1
"""Seconds without any record after which it looks less often."""
_REST: Final = 0.02
"""How often then."""


class Places:
    """Of each slot, where its summaries belong: its layer, its kind, its bounds of saturation."""

    def __init__(self, slots: list[Slot]) -> None:
        self.layers = np.array([s.layer for s in slots], np.int64)
        self.kinds = np.array([wire.KINDS.index(s.kind) for s in slots], np.int64)
        self.bounds = np.array([(s.low, s.high) for s in slots], np.float32).T
        self.framer = native.Framer(self.layers, self.kinds)
        self._slots = {(s.layer, kind): i for i, (s, kind) in enumerate(zip(slots, self.kinds.tolist(), strict=True))}

    def of(self, frame: wire.Frame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The slots in a frame, increasing, and their numbers as a `Sight` has them."""
        places = zip(frame.layers.tolist(), frame.kinds.tolist(), strict=True)
        slots = np.array([self._slots.get(place, -1) for place in places], np.int64)
        order = np.argsort(slots)
        order = order[slots[order] >= 0]  # other ranks may have been told to watch more
        return slots[order], np.hstack([frame.counters, frame.moments])[order]


def frame_of(step: Step, values: NDArray[np.float32], places: Places, seq: int) -> wire.Frame:
    """The frame of a step; several tensors of a slot become one summary."""
    s = summarize(Raw(values, step.records, *(step.more or ())), places.bounds)
    frame = wire.Frame(
        seq, step.step, step.step, step.time, layers=places.layers[s.slots], kinds=places.kinds[s.slots],
        moments=s.moments, counters=s.counters, bins=s.bins, counts=s.counts,
    )  # fmt: skip
    if not np.all(s.slots[1:] > s.slots[:-1]):
        frame = wire.merge([frame])
        frame.level = 0
    frame.series = {name: wire.Series.of(value) for name, value in step.series.items()}
    return frame


def encoded(
    step: Step, values: NDArray[np.float32], places: Places, seq: int
) -> tuple[bytes, NDArray[np.int64], NDArray[np.float64]]:
    """The frame of a step as bytes; the slots in it, increasing, and their numbers as a `Sight` has them."""
    if step.records and step.more is None and (made := places.framer.body(values, step.records)):
        data = wire.encode_step(seq, step.step, step.time, step.series, step.records, made[0])
        return data, *places.framer.numbers(values, step.records)
    frame = frame_of(step, values, places, seq)
    return wire.encode(frame), *places.of(frame)


class Courier:
    """Obeys the records of one run."""

    def __init__(self, start: Start, out: BinaryIO) -> None:
        self._places = Places(start.slots)
        self._notices = Notices(start, self._tell)
        self._ring = Ring(*start.ring)
        self._ring.unlink()
        self._out = out
        self._often = _LOOK[0]
        self._speaking = threading.Lock()
        self._unread = 0
        self._began = time.process_time_ns()
        listener = Listener(self._say, self._say, self._say)

        def make() -> Delivery | Filing:
            if start.file is not None:
                return Filing(start.file, start.hello, listener)
            return Delivery(start.url, start.hello, listener, start.memory)

        self._together: Together | None = None
        if start.company is not None:
            from .together import together  # a server of its own, which most couriers are spared

            self._together = together(start.company, make, listener, self._ring, self._say, self._look_at)
        self.delivery = self._together.delivery if self._together else make()
        self._merges = start.company is not None and start.company.mode == "merge"

    def serve(self, inbox: Inbox, messages: list[Any]) -> bool:
        """Deliver what is written into the ring and obey messages; False if training went without a word."""
        last, modest = time.monotonic(), False
        close: Close | None = None
        while True:
            # In this order: what stands in the ring was written before the message that came after it.
            messages, gone, steps = messages + inbox.take(), inbox.closed, self._ring.steps
            busy = self._look()
            if self._together is not None:
                self._together.tend(steps)
            if not modest and self.delivery.reached:  # until then, someone waits for the first point
                step_back()
                modest = True
            for message in messages:
                if isinstance(message, Close):
                    close = message
                elif isinstance(message, Address | Stop):
                    assert self._together is not None
                    self._together.hear(message)
                else:
                    self.delivery.say(message if isinstance(message, wire.Graph) else wire.State(message))
            if close is not None and (self._together is None or self._together.ready):
                self._say((self.delivery.close(close.end, close.patience), self.delivery.dropped))
                if self._together is not None:
                    self._together.part()
                return True
            if gone:
                return False
            now = time.monotonic()
            if busy or messages:
                self._ring.report(time.process_time_ns() - self._began)  # what it took to start, it took once
                last, messages = now, []
            if now - last > max(_AWAKE, 2 * self._often):
                self._often = _LOOK[0]
                inbox.wait(_REST)
            else:
                inbox.wait(min(self._often, _LOOK[not self.delivery.viewed]))

    def _look(self) -> bool:
        """Make frames of what has come, some at a time; whether there was anything."""
        count = 0
        filled = self._ring.filled
        if filled:
            # Each look takes the processor from training for a moment: they are to be as few as the ring allows.
            self._often = min(max(self._often * min(2.0, _FILL / filled), _LOOK[0]), _LOOK[1])
        seen: list[Sight] = []
        for record in self._ring.records():
            count += 1
            seen += self._deliver(record)
        self._notices.look(seen)
        return count > 0

    def _deliver(self, record: Record) -> Sequence[Sight]:
        """Make the frame of a step, if there is room for it; what people may have to be told of is to be seen in it."""
        step = note.read(record.note)
        if self.delivery.has_room():
            try:
                data, slots, numbers = encoded(step, record.values, self._places, self.delivery.seq)
            except ValueError as error:  # one step's, which must not end all
                self._ring.release(record)
                if self._unread % 100 == 0:
                    self._say(f"step {step.step} is left out: {error}")
                self._unread += 1
                return ()
            self.delivery.put(data)
            self._ring.release(record)
            return () if self._merges else (Sight(step.step, step.series, slots, numbers),)
        if self.delivery.dropped % 100 == 1:
            self._say(self.delivery.dropped)
        self._ring.release(record)
        return ()

    def _look_at(self, data: bytes) -> None:
        """Look at the frame of all ranks, which is what rules are about where there are several."""
        frame = wire.outline(data)
        series = {name: float(one.mean[0]) for name, one in frame.series.items() if len(one.mean) == 1}
        self._notices.look([Sight(frame.last_step, series, *self._places.of(frame))])

    def _tell(self, news: wire.Alert | Nonfinite) -> None:
        """Tell both sides, and the other ranks."""
        if isinstance(news, wire.Alert):
            self.delivery.say(news)
        self._say(news)
        if self._together is not None:
            self._together.tell(news)
        if isinstance(news, wire.Alert) and news.number == MOST - 1 and news.cleared is None:
            self._say(f"there have been {MOST:,} alerts; no more are told")

    def _say(self, news: object) -> None:
        """Tell the training process, unless it has died."""
        with self._speaking, contextlib.suppress(OSError, ValueError):
            pickle.dump(news, self._out)
            self._out.flush()


def main() -> None:
    """Serve one run, from the records on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is training's to answer; its last frames are ours
    keep_freed_memory()
    inbox = Inbox(sys.stdin.fileno())
    first: list[Any] = []
    while not (first or inbox.closed):
        inbox.wait(LINGER)
        first = inbox.take()
    if first:
        courier = Courier(first[0], sys.stdout.buffer)
        if not courier.serve(inbox, first[1:]):
            courier.delivery.close(None, LINGER)
    # Threads that still wait for a server must not keep a finished process alive.
    os._exit(0)


if __name__ == "__main__":
    main()
