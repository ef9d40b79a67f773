"""What a step's tensors leave behind: records of the compiled core, or copies and numbers without it.

Both are written into memory that the process beside training shares. Nothing keeps a tensor alive, and no graph is
touched.
"""

from __future__ import annotations

import ctypes
import threading
from array import array
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from .. import native
from .reduction import flat, reduce_here
from .seen import Seen
from .summary import ALL, SAMPLE, merge_numbers
from .tensors import is_plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KINDS: Final = {getattr(torch, name): number for name, number in native.KINDS.items()}


Waiting: TypeAlias = "list[tuple[int, Tensor, int]]"
"""Slots, tensors that wait to be summarized, and the versions they were of."""


class Recorder(Protocol):
    """Summarizes dense tensors in this machine's memory, or prepares it."""

    most: int
    """Units of 4 bytes that a tensor needs at most."""
    packs: bool
    """Whether it makes records, which are far shorter than samples are."""

    def begin(self, memory: NDArray[np.float32], start: int, most: int) -> None:
        """Write the next step's tensors into at most so many units of `memory`, from an even one on."""

    def add(self, slot: int, x: Tensor) -> None:
        """Take what is needed of a dense tensor that belongs to a slot."""

    def add_plain(self, slot: int, output: Any) -> bool:
        """The same for anything, if it is a dense float32 tensor; whether it was."""

    def add_all(self, waiting: Waiting) -> Waiting:
        """The same for those that are small and have not changed since they were of their version.

        Gives back the others: changed, large, or of another kind.
        """

    @property
    def begun(self) -> bool:
        """Whether anything was recorded since `begin`."""

    def seen(self) -> set[int]:
        """The slots of which anything was ever recorded."""

    def take(self) -> Seen:
        """What was recorded since `begin`; the next step's comes after the next `begin`."""


def recorder(bounds: NDArray[np.float32]) -> Recorder:
    """The one for slots with these bounds of saturation, shape [2, slots]."""
    return Packing(bounds) if native.available() else Copying(bounds)


def _sorted(waiting: Waiting) -> tuple[Waiting, Waiting]:
    """Those that can be recorded as they are, and the others."""
    plain: Waiting = []
    others: Waiting = []
    for slot, x, version in waiting:
        fits = x._version == version and x.numel() <= ALL and is_plain(x)
        (plain if fits else others).append((slot, x, version))
    return plain, others


def _add_plain(recorder: Recorder, slot: int, output: Any) -> bool:
    plain = is_plain(output)
    if plain:
        recorder.add(slot, output)
    return plain


class Packing:
    """Makes records with the compiled core."""

    most: int = native.LARGEST
    packs: bool = True

    def __init__(self, bounds: NDArray[np.float32]) -> None:
        self._bounds = bounds
        self._pad = native.Pad(bounds)
        self._memory, self._address, self._start = bounds, 0, 0
        self._bare: dict[int, list[float]] = {}
        self._describer = native.describer()
        self._writing = threading.Lock()  # layers may be called by several threads; the core lets go of Python's lock

    def begin(self, memory: NDArray[np.float32], start: int, most: int) -> None:  # noqa: D102  as the protocol says
        if memory is not self._memory:
            self._memory, self._address = memory, int(memory.__array_interface__["data"][0])
        self._start = start
        self._pad.begin(self._address, start, start + most, torch.get_num_threads())
        if self._bare:
            self._bare = {}

    def add(self, slot: int, x: Tensor) -> None:  # noqa: D102
        kind = _KINDS.get(x.dtype)
        if kind is None:
            x, kind = x.float(), 0
        self._write(array("q", (x.data_ptr(), x.numel(), kind, slot)), 1)

    def add_plain(self, slot: int, output: Any) -> bool:  # noqa: D102
        if self._describer is None:
            return _add_plain(self, slot, output)
        if type(output) is not Tensor or output.is_inference():
            return False
        job = self._describer.describe_one(slot, output)
        if job is not None:
            self._write(job, 1)
        return job is not None

    def add_all(self, waiting: Waiting) -> Waiting:  # noqa: D102
        if self._describer is None:  # a torch from before its tensors could be lent
            plain, others = _sorted(waiting)
            jobs = array("q")
            for slot, x, _ in plain:
                jobs.extend((x.data_ptr(), x.numel(), 0, slot))
            self._write(jobs, len(plain))
            return others
        jobs, count, left = self._describer.describe(waiting)
        self._write(jobs, count)
        return [waiting[i] for i in left]

    def _write(self, jobs: array[int], count: int) -> None:
        with self._writing:
            self._add(jobs, count)

    def _add(self, jobs: array[int], count: int) -> None:
        while (done := self._pad.add(jobs, count)) < count:
            # One has found no room: a layer that is called many times in a step. Its numbers are kept at least.
            jobs, count = jobs[native.JOB * done :], count - done - 1
            slot = jobs[native.JOB - 1]
            found = native.numbers(jobs, (float(self._bounds[0, slot]), float(self._bounds[1, slot])))
            before = self._bare.get(slot)
            self._bare[slot] = merge_numbers(before, found) if before else found
            jobs = jobs[native.JOB :]

    @property
    def begun(self) -> bool:  # noqa: D102
        return self._pad.rows > 0 or bool(self._bare)

    def seen(self) -> set[int]:  # noqa: D102
        return self._pad.seen()

    def take(self) -> Seen:  # noqa: D102
        seen = Seen(self._memory, self._start, self._pad.end - self._start, self._pad.rows, packed=True)
        if self._bare:
            seen.slots, seen.numbers = list(self._bare), list(self._bare.values())
            seen.known = list(range(len(seen.slots)))
        return seen


class Copying:
    """Copies small tensors; of a large one, takes the exact numbers and a sample."""

    most: int = SAMPLE
    packs: bool = False

    def __init__(self, bounds: NDArray[np.float32]) -> None:
        self._bounds: list[tuple[float, float]] = [(float(low), float(high)) for low, high in bounds.T]
        self._seen: set[int] = set()
        self.begin(np.zeros(0, np.float32), 0, 0)

    def begin(self, memory: NDArray[np.float32], start: int, most: int) -> None:  # noqa: D102
        self._memory, self._start, self._stop = memory, start, start + most
        self._address: Any = memory.__array_interface__["data"][0]
        self._at = start
        self._share = min(most // len(self._bounds), self.most)
        self._unseen = set(range(len(self._bounds)))
        self._slots: list[int] = []
        self._lengths: list[int] = []
        self._known: list[int] = []
        self._numbers: list[list[float]] = []
        self._bare: dict[int, int] = {}  # of which there are numbers and no sample, and where in `_numbers`

    def add(self, slot: int, x: Tensor) -> None:  # noqa: D102
        self._unseen.discard(slot)
        self._seen.add(slot)
        # Each slot that has not been seen yet is to find its share.
        room = max(0, self._stop - self._at - self._share * len(self._unseen))
        x = flat(x).float()
        count = x.numel()
        if count <= min(ALL, room):
            ctypes.memmove(self._address + 4 * self._at, x.data_ptr(), 4 * count)
        else:
            place = self._memory[self._at : self._at + min(room, SAMPLE)]
            numbers, count = reduce_here(x, *self._bounds[slot], place)
            before = self._bare.get(slot)
            if not count and before is not None:
                self._numbers[before] = merge_numbers(self._numbers[before], numbers)
                return
            if not count:
                self._bare[slot] = len(self._numbers)
            self._known.append(len(self._slots))
            self._numbers.append(numbers)
        self._at += count
        self._slots.append(slot)
        self._lengths.append(count)

    def add_plain(self, slot: int, output: Any) -> bool:  # noqa: D102
        return _add_plain(self, slot, output)

    def add_all(self, waiting: Waiting) -> Waiting:  # noqa: D102
        plain, others = _sorted(waiting)
        for slot, x, _ in plain:
            self.add(slot, x)
        return others

    @property
    def begun(self) -> bool:  # noqa: D102
        return bool(self._slots)

    def seen(self) -> set[int]:  # noqa: D102
        return self._seen

    def take(self) -> Seen:  # noqa: D102
        return Seen(
            self._memory, self._start, self._at - self._start, 0, self._slots, self._lengths, self._known, self._numbers
        )
