"""Forward hooks that see what each layer gives, and nothing else: no weight, random number or graph changes."""

from __future__ import annotations

import ctypes
import fnmatch
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from .reduction import reduce_tensor
from .summary import NEVER, Summaries, unpack
from .wire import Layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from numpy.typing import NDArray

    Choice = str | Callable[[str, nn.Module], bool] | None

log = logging.getLogger("normscope")

SMALL: Final = 1 << 16
"""Values up to which a tensor is handed over whole; a larger one is reduced at once."""
MOST: Final = 1 << 18
"""Values that one step may keep (1 MiB); what a step sees beyond them is reduced at once."""


def saturation(module: nn.Module) -> tuple[float, float]:
    """Below the first or above the second, the slope of this activation has all but vanished."""
    match module:
        case nn.Sigmoid() | nn.Softmax():
            return 0.01, 0.99
        case nn.Tanh():
            return -0.99, 0.99
        case nn.Hardtanh(min_val=low, max_val=high):  # ReLU6 is one; its bounds themselves are saturated
            inside = np.float32(np.inf)
            return float(np.nextafter(np.float32(low), inside)), float(np.nextafter(np.float32(high), -inside))
        case _:
            return NEVER


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


def choose(model: nn.Module, layers: Choice) -> dict[str, nn.Module]:
    """The modules to watch, by dotted name: leaves, or those that a glob or a predicate picks from all modules.

    Raises:
        TypeError: If `layers` is none of these.
        ValueError: If nothing is left to watch.
    """
    if layers is None:
        chosen = {name: m for name, m in model.named_modules() if not any(m.children())}
    elif isinstance(layers, str):
        chosen = {name: m for name, m in model.named_modules() if fnmatch.fnmatchcase(name, layers)}
    elif callable(layers):
        chosen = {name: m for name, m in model.named_modules() if layers(name, m)}
    else:
        raise TypeError(f"layers: {layers!r} is not None, a glob or a function of a name and a module")
    if not chosen:
        raise ValueError(f"layers: {layers!r} leaves no module of {type(model).__name__} to watch")
    return chosen


@dataclass(slots=True)
class Seen:
    """What one step's hooks have seen.

    Attributes:
        rows: The layer of each small tensor.
        lengths: How many values each has.
        memory: Where the capture was told to put those values, until `settle` copies them out of there.
        start: Where in it they begin.
        count: How many there are.
        reduced_rows: The layer of each reduced tensor.
        reduced: What `reduce_tensor` gave for them, stacked; perhaps still on its way from a device.
        events: What has to happen before it is there.
    """

    rows: list[int]
    lengths: list[int]
    memory: NDArray[np.float32]
    start: int
    count: int
    reduced_rows: list[int] = field(default_factory=list)
    reduced: Tensor | None = None
    events: list[torch.cuda.Event] = field(default_factory=list)

    @property
    def values(self) -> NDArray[np.float32]:
        """The small tensors' values end to end, shape [count]."""
        return self.memory[self.start : self.start + self.count]

    def ready(self) -> bool:
        """Whether everything is on the host; never waits."""
        return all(event.query() for event in self.events)  # type: ignore[no-untyped-call]

    def settle(self) -> None:
        """Make the values our own, for a step that has to wait for a device while their place is filled anew."""
        self.memory, self.start = self.values.copy(), 0

    def summaries(self) -> Summaries | None:
        """Of the reduced tensors. Waits for the device if it must."""
        for event in self.events:
            event.synchronize()
        return None if self.reduced is None else unpack(self.reduced.numpy())


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
        self._reduced: list[tuple[int, Tensor]] = []
        self.write_to(np.zeros(MOST, np.float32), 0)
        self.border = Border("watching failed")
        self._handles = [m.register_forward_hook(self._hook(i)) for i, m in enumerate(modules.values())]

    def write_to(self, memory: NDArray[np.float32], start: int) -> None:
        """Say where the next step's values go: at most MOST of them, from `start` on."""
        if start + MOST > len(memory):
            raise ValueError(f"{len(memory) - start} values have room there, {MOST} are needed")
        self._memory, self._start = memory, start
        self._address = int(memory.__array_interface__["data"][0])
        self._at = start

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()
        self.active = False
        self.forget()

    def forget(self) -> None:
        """Let go of what was seen."""
        self._rows, self._lengths, self._reduced, self._at = [], [], [], self._start

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
        if not source or count > SMALL or at + count > self._start + MOST:
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
        tensor, at = found.detach(), self._at
        count = tensor.numel()
        if count > SMALL or at + count > self._start + MOST or not tensor.is_cpu:
            self._reduced.append((index, reduce_tensor(tensor, *self.bounds[:, index].tolist())))
            return
        self._memory[at : at + count] = tensor.float().resolve_neg().numpy().reshape(-1)
        self._at = at + count
        self._rows.append(index)
        self._lengths.append(count)

    def collect(self) -> Seen:
        """What was seen since the last call, off the graph."""
        seen = Seen(self._rows, self._lengths, self._memory, self._start, self._at - self._start)
        if self._reduced:
            with self.border:
                reduced, events = _to_host([vector for _, vector in self._reduced])
                seen.reduced_rows, seen.reduced, seen.events = [i for i, _ in self._reduced], reduced, events
        self.forget()
        return seen


def _first_tensor(output: Any) -> Tensor | None:
    """The first tensor in a module's output, which may be a nest of sequences and dictionaries."""
    values = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else ()
    return next((t for v in values if (t := v if isinstance(v, Tensor) else _first_tensor(v)) is not None), None)


def _to_host(vectors: list[Tensor]) -> tuple[Tensor, list[torch.cuda.Event]]:
    """These on their way to the host, stacked, and what to wait for before reading. The training thread does not."""
    pinned = any(v.is_cuda for v in vectors)
    host = torch.empty((len(vectors), len(vectors[0])), dtype=vectors[0].dtype, pin_memory=pinned)
    events = []
    for device in {v.device for v in vectors}:
        # One copy for each device that a model is spread over.
        rows = [i for i, v in enumerate(vectors) if v.device == device]
        stacked = torch.stack([vectors[i] for i in rows])
        if device.type == "cuda" and len(rows) == len(vectors):
            host.copy_(stacked, non_blocking=True)
        else:
            host[rows] = stacked.cpu()
        if device.type == "cuda":
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(device))
            events.append(event)
    return host, events
