"""What one step's hooks have seen, on its way to a summary."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor

from .. import native
from .summary import NUMBERS, Raw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(slots=True)
class Seen:
    """What one step's hooks have seen.

    Attributes:
        memory: Where the step's values are, until `settle` copies them out of there.
        start: Where in it they begin.
        count: How many there are.
        records: How many records they are. This and the next four are as in `normscope.capture.summary.Raw`.
        slots, lengths, known, numbers: As there.
        packed: Whether what comes from other devices is to become records.
        away: The slots of tensors on other devices, and what `reduce_there` gave, perhaps still on its way.
        events: What has to happen before it is here.
        edges: Which layer takes what another gives, at the step that made it known, as `Wiring.edges`.
    """

    memory: NDArray[np.float32]
    start: int
    count: int
    records: int
    slots: Sequence[int] = ()
    lengths: Sequence[int] = ()
    known: Sequence[int] = ()
    numbers: Sequence[list[float]] = ()
    packed: bool = False
    away: Sequence[tuple[int, Tensor]] = ()
    events: Sequence[torch.cuda.Event] = ()
    edges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def nothing(cls) -> Self:
        """Of a step that is told of without one of its layers."""
        return cls(np.zeros(0, np.float32), 0, 0, 0)

    @property
    def values(self) -> NDArray[np.float32]:
        """The tensors' values end to end, shape [count]."""
        return self.memory[self.start : self.start + self.count]

    def ready(self) -> bool:
        """Whether everything is on the host; never waits."""
        return all(event.query() for event in self.events)  # type: ignore[no-untyped-call]

    def settle(self) -> None:
        """Make the values our own, for a step that has to wait for a device while their place is filled anew."""
        self.memory, self.start = self.values.copy(), 0

    def wait(self) -> None:
        """Until everything is on the host."""
        for event in self.events:
            event.synchronize()

    def finish(self, most: int | None = None) -> None:
        """Take in what came from other devices. Waits for them if it must.

        Where records would need more than `most` units of 4 bytes in all, the last ones lack a histogram.
        """
        self.wait()
        if not self.away:
            return
        arrived = [self.values]
        room = sys.maxsize if most is None else most - self.count - native.HEAD * len(self.away)
        for slot, found in self.away:
            numbers, sample = found[: len(NUMBERS)].tolist(), found[len(NUMBERS) :].float().numpy()
            if self.packed:
                sample = native.record(slot, sample, numbers, native.HEAD + max(room, 0))
                room -= len(sample) - native.HEAD
                self.records += 1
            else:
                self.known = [*self.known, len(self.slots)]
                self.numbers = [*self.numbers, numbers]
                self.slots, self.lengths = [*self.slots, slot], [*self.lengths, len(sample)]
            arrived.append(sample)
        self.memory, self.start, self.away = np.concatenate(arrived), 0, ()
        self.count = len(self.memory)

    def raw(self) -> Raw:
        """All of it, as a summary takes it."""
        self.finish()
        return Raw(self.values, self.records, self.slots, self.lengths, self.known, self.numbers)


def numbers_to_host(series: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Numbers beside a step, those on a GPU on their way to the host; that they are here, what was seen waits for.

    To read them where they are would wait for all that the GPU was given since, which is the next step.
    """
    there = {name: value for name, value in series.items() if isinstance(value, Tensor) and value.is_cuda}
    arriving = {
        name: torch.empty(x.shape, dtype=x.dtype, pin_memory=True).copy_(x, non_blocking=True)
        for name, x in there.items()
    }
    for device in {x.device for x in there.values()}:
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(device))
        seen.events = (*seen.events, event)
    return series | arriving


def to_host(away: list[tuple[int, Tensor]]) -> tuple[list[tuple[int, Tensor]], list[torch.cuda.Event]]:
    """These on their way to the host, and what to wait for before reading. The training thread does not."""
    events: list[torch.cuda.Event] = []
    arriving: list[tuple[int, Tensor]] = []
    for device in {x.device for _, x in away}:
        # One copy for each device that a model is spread over.
        rows = [i for i, x in away if x.device == device]
        found = [x for _, x in away if x.device == device]
        joined = torch.cat(found)
        if device.type == "cuda":
            host = torch.empty(joined.shape, dtype=joined.dtype, pin_memory=True).copy_(joined, non_blocking=True)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(device))
            events.append(event)
        else:
            host = joined.cpu()
        arriving += zip(rows, torch.split(host, [x.numel() for x in found]), strict=True)
    return arriving, events
