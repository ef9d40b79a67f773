"""Forward hooks that see what each layer gives, and nothing else: no weight, random number or graph changes."""

from __future__ import annotations

import ctypes
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from .layers import Choice, choose, saturation
from .reduction import flat, reduce_here, reduce_there
from .summary import NUMBERS, SAMPLE, Raw
from .wire import Layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from numpy.typing import NDArray
    from torch.utils.hooks import RemovableHandle

log = logging.getLogger("normscope")

SMALL: Final = 1 << 14
"""Values up to which a tensor is handed over whole; of a larger one, its numbers and a sample are."""


class Border:
    """What fails on the far side of it does not reach training: it is counted, and logged the first time."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.failures = 0

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        self.note(error)
        return True

    def note(self, error: Exception) -> None:
        """Count an error that was stopped here."""
        self.failures += 1
        if self.failures == 1:
            log.warning("normscope: %s; training goes on without it", self._what, exc_info=error)


@dataclass(slots=True)
class Seen:
    """What one step's hooks have seen.

    Attributes:
        rows: The layer of each tensor.
        lengths: How many of its values are in `memory`: all of a small tensor, a sample of a large one.
        memory: Where the capture was told to put those values, until `settle` copies them out of there.
        start: Where in it they begin.
        count: How many there are.
        known: Which of the tensors are large, as positions in `rows`.
        numbers: What `reduce_here` gave for each of those.
        away: The layers of tensors on other devices, and what `reduce_there` gave, perhaps still on its way.
        events: What has to happen before it is here.
    """

    rows: list[int]
    lengths: list[int]
    memory: NDArray[np.float32]
    start: int
    count: int
    known: list[int]
    numbers: list[list[float]]
    away: list[tuple[int, Tensor]] = field(default_factory=list)
    events: list[torch.cuda.Event] = field(default_factory=list)

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

    def finish(self) -> None:
        """Take in what came from other devices. Waits for them if it must."""
        for event in self.events:
            event.synchronize()
        samples = [self.values]
        for row, found in self.away:
            numbers, sample = found[: len(NUMBERS)].tolist(), found[len(NUMBERS) :].float().numpy()
            self.known.append(len(self.rows))
            self.numbers.append(numbers)
            self.rows.append(row)
            self.lengths.append(len(sample))
            samples.append(sample)
        if self.away:
            self.memory, self.start, self.away = np.concatenate(samples), 0, []
            self.count = len(self.memory)

    def raw(self) -> Raw:
        """All of it, as a summary takes it."""
        self.finish()
        return Raw(self.rows, self.lengths, self.values, self.known, self.numbers)


class Capture:
    """Hooks on the chosen layers of a model.

    A small output is copied in the hook, into memory that the process beside training shares: this takes less time
    than keeping the tensor would cost training, which then could not use its memory again; and no in-place activation
    can change it later. An error of ours ends watching, not training.
    """

    def __init__(self, model: nn.Module, layers: Choice = None) -> None:
        modules = choose(model, layers)
        self.layers = tuple(Layer(name, type(m).__name__) for name, m in modules.items())
        self.active = False
        """Whether hooks look at what passes."""
        self.seconds = 0.0
        """Time spent in hooks so far."""
        bounds = [saturation(m) for m in modules.values()]
        self.bounds = np.array(bounds, np.float32).T
        """Each layer's bounds of saturation, shape [2, layers]."""
        self._rows: list[int] = []
        self._lengths: list[int] = []
        self._known: list[int] = []
        self._numbers: list[list[float]] = []
        self._away: list[tuple[int, Tensor]] = []
        self._share = 0
        self.write_to(np.zeros(SAMPLE * len(self.layers), np.float32), 0, SAMPLE * len(self.layers))
        self.border = Border("watching failed")
        self._hooks = [(m, self._hook(i)) for i, m in enumerate(modules.values())]
        self._handles: list[RemovableHandle] = []
        self.attach()

    def attach(self) -> None:
        """Put the hooks where they belong; does nothing if they are there."""
        if not self._handles:
            self._handles = [module.register_forward_hook(hook) for module, hook in self._hooks]

    def detach(self) -> None:
        """Take the hooks away: a module without any is called several microseconds sooner."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def write_to(self, memory: NDArray[np.float32], start: int, most: int) -> None:
        """Say where the next step's values go: at most so many of them, from `start` on."""
        self._memory, self._start, self._stop = memory, start, start + most
        self._address = int(memory.__array_interface__["data"][0])
        self._at = start
        self._share = min(most // len(self.layers), SAMPLE)

    def _room(self) -> int:
        """Values that may be handed over now, if each layer that has not been seen yet is to have its share."""
        kept = self._share * max(0, len(self.layers) - len(self._rows) - 1)
        return max(0, self._stop - self._at - kept)

    def close(self) -> None:
        """Remove the hooks, for good."""
        self.detach()
        self._hooks = []
        self.active = False
        self.forget()

    def forget(self) -> None:
        """Let go of what was seen."""
        self._rows, self._lengths, self._at = [], [], self._start
        self._known, self._numbers, self._away = [], [], []

    def _hook(self, index: int) -> Callable[[nn.Module, Any, Any], None]:
        clock = time.perf_counter

        def hook(module: nn.Module, _: Any, output: Any) -> None:
            if not self.active or not module.training:
                return
            began = clock()
            try:
                if not self._copy(index, output):
                    self._see(index, output)
            except Exception as error:  # noqa: BLE001  the border: it is counted, and must not reach training
                self.border.note(error)
                self.active = False
            self.seconds += clock() - began

        return hook

    def _copy(self, index: int, output: Any) -> bool:
        """Copy a small, plain float32 tensor as bytes; False for anything else.

        This runs for every layer at every step: it asks only what a tensor knows without torch's dispatcher, which
        takes most of the time that `detach().numpy()` does. Nothing but a pointer is taken, so no graph is touched.
        """
        if (
            type(output) is not Tensor or output.dtype is not torch.float32 or not output.is_cpu
            or output.layout is not torch.strided or not output.is_contiguous() or output.is_neg()
            or output.is_inference()
        ):  # fmt: skip
            return False
        count, at = output.numel(), self._at
        source = output.data_ptr()
        if not source or count > SMALL or count > self._room():
            return False
        ctypes.memmove(self._address + 4 * at, source, 4 * count)
        self._at = at + count
        self._rows.append(index)
        self._lengths.append(count)
        return True

    def _see(self, index: int, output: Any) -> None:
        """Copy or reduce the first tensor of any output."""
        found = output if isinstance(output, Tensor) else _first_tensor(output)
        if found is None or not found.is_floating_point() or found.is_inference() or found.layout is not torch.strided:
            return
        x = flat(found)
        low, high = self.bounds[:, index].tolist()
        if not x.is_cpu:
            self._away.append((index, reduce_there(x, low, high, self._share)))
            return
        count, room = x.numel(), self._room()
        place = self._memory[self._at : self._at + min(room, SMALL)]
        if count <= len(place):
            place[:count] = x.float().numpy()
        else:
            numbers, count = reduce_here(x, low, high, place[:SAMPLE])
            self._known.append(len(self._rows))
            self._numbers.append(numbers)
        self._at += count
        self._rows.append(index)
        self._lengths.append(count)

    def collect(self) -> Seen:
        """What was seen since the last call, off the graph."""
        seen = Seen(
            self._rows, self._lengths, self._memory, self._start, self._at - self._start, self._known, self._numbers
        )
        if self._away:
            with self.border:
                seen.away, seen.events = _to_host(self._away)
        self.forget()
        return seen


def _first_tensor(output: Any) -> Tensor | None:
    """The first tensor in a module's output, which may be a nest of sequences and dictionaries."""
    values = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else ()
    return next((t for v in values if (t := v if isinstance(v, Tensor) else _first_tensor(v)) is not None), None)


def _to_host(away: list[tuple[int, Tensor]]) -> tuple[list[tuple[int, Tensor]], list[torch.cuda.Event]]:
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
