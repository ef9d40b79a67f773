"""Forward hooks that see what each layer gives, and nothing else: no weight, random number or graph changes."""

from __future__ import annotations

import ctypes
import time
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from . import native
from .hooks import Border, hook_for
from .layers import Choice, choose, saturation
from .reduction import flat, reduce_here, reduce_there, stride
from .seen import Seen, to_host
from .summary import NUMBERS, SAMPLE
from .wire import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray
    from torch.utils.hooks import RemovableHandle

SMALL: Final = 1 << 14
"""Values up to which all of a tensor are counted into its histogram; of a larger one, a sample is."""
_in_backward: Final[Callable[[], int]] = getattr(torch._C, "_current_graph_task_id", lambda: -1)
"""Which backward pass is running, -1 for none: there, checkpointing calls layers again."""
_KINDS: Final = {getattr(torch, name): name for name in native.KINDS}


class _Way(Enum):
    """When a layer's small outputs are summarized."""

    UNKNOWN = 0
    AT_ONCE = 1
    """Something changes them in place."""
    LATER = 2
    """With the others, at the end of the model's forward pass."""


class Capture:
    """Hooks on the chosen layers of a model.

    An output is summarized by the compiled core: a large one in its hook, while the caches hold it, a small one at the
    end of the model's forward pass, unless something changes it in place before. Without the core, it is copied then.
    Nothing keeps it alive longer. What comes of it is written into memory that the process beside training shares. An
    error of ours ends watching, not training.
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
        self._all = frozenset(range(len(modules)))
        self._unseen = set(self._all)
        self._rows: list[int] = []
        self._lengths: list[int] = []
        self._known: list[int] = []
        self._numbers: list[list[float]] = []
        self._away: list[tuple[int, Tensor]] = []
        self.packed = native.available()
        """Whether what is handed over are records of the compiled core."""
        self._keep = self._summarize if self.packed else self._copy
        self._ways = [_Way.UNKNOWN] * len(modules)
        self._put_off: list[tuple[int, Tensor, int]] = []
        self._tried: list[tuple[int, Tensor, int]] = []
        self._pairs: list[tuple[float, float]] = bounds
        self._most = native.LARGEST if self.packed else SAMPLE
        self._memory = np.zeros(0, np.float32)
        self.write_to(np.zeros(self._most * len(self.layers), np.float32), 0, self._most * len(self.layers))
        self.border = Border("watching failed")
        kind = hook_for(model)
        self._hooks = [(m, kind(self._hook(i))) for i, m in enumerate(modules.values())]
        self._hooks.append((model, kind(lambda *_: self._end_forward())))
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
        if memory is not self._memory:
            self._address = int(memory.__array_interface__["data"][0])
        self._memory, self._start, self._stop = memory, start, start + most
        self._at = start
        self._share = min(most // len(self.layers), self._most)

    def _room(self, index: int) -> int:
        """Units of memory for this layer now, if each layer that has not been seen yet is to have its share."""
        self._unseen.discard(index)
        return max(0, self._stop - self._at - self._share * len(self._unseen))

    def close(self) -> None:
        """Remove the hooks, for good."""
        self.detach()
        self._hooks = []
        self.active = False
        self.forget()

    def forget(self) -> None:
        """Let go of what was seen."""
        self._rows, self._lengths, self._at = [], [], self._start
        self._unseen = set(self._all)
        self._known, self._numbers, self._away = [], [], []
        self._put_off.clear()
        self._tried.clear()

    def _hook(self, index: int) -> Callable[[nn.Module, Any, Any], None]:
        clock = time.perf_counter

        ways, put_off, most = self._ways, self._put_off, 2 * len(self.layers) + 16

        def hook(module: nn.Module, _: Any, output: Any) -> None:
            if not self.active or not module.training or _in_backward() != -1:
                return
            try:
                way = ways[index]
                if (
                    way is _Way.LATER
                    and type(output) is Tensor
                    and output.numel() <= SMALL
                    and not output.is_inference()
                ):
                    put_off.append((index, output, output._version))
                    if len(put_off) >= most:
                        self._catch_up()
                    return
                self._catch_up()  # layers are to come in the order in which they are called
                began = clock()
                if _is_plain(output):
                    self._keep(index, output)
                    if way is _Way.UNKNOWN and output.numel() <= SMALL and len(self._tried) < most:
                        self._tried.append((index, output, output._version))
                else:
                    self._see(index, output)
                self.seconds += clock() - began
            except Exception as error:  # noqa: BLE001  the border: it is counted, and must not reach training
                self.border.note(error)
                self.active = False

        return hook

    def _end_forward(self) -> None:
        """Find out which layers may be put off from now on, and summarize those that were.

        What watching costs a small net is mostly that Python and the net's own operations take turns: each finds its
        caches cold. So a small output waits for the others until the model's forward pass ends, if it does not matter
        that it does: the first time a layer is seen, it is summarized at once, and whether anything has changed the
        tensor in place by then tells how to go on.
        """
        for index, output, version in self._tried:
            self._ways[index] = _Way.LATER if output._version == version else _Way.AT_ONCE
        self._tried.clear()
        self._catch_up()

    def _catch_up(self) -> None:
        """Summarize what was put off."""
        if not self._put_off:
            return
        began = time.perf_counter()
        try:
            for index, output, version in self._put_off:
                if output._version != version:  # what it was is lost, this once
                    self._ways[index] = _Way.AT_ONCE
                elif _is_plain(output):
                    self._keep(index, output)
                else:
                    self._see(index, output)
        except Exception as error:  # noqa: BLE001  as in the hooks
            self.border.note(error)
            self.active = False
        self._put_off.clear()
        self.seconds += time.perf_counter() - began

    def _see(self, index: int, output: Any) -> None:
        """Summarize the first tensor of any output."""
        found = output if isinstance(output, Tensor) else _first_tensor(output)
        if found is None or not found.is_floating_point() or found.is_inference() or found.layout is not torch.strided:
            return
        x = flat(found)
        if x.is_cpu:
            self._keep(index, x)
        else:
            self._away.append((index, reduce_there(x, *self._pairs[index], min(self._share, SAMPLE))))

    def _summarize(self, index: int, x: Tensor) -> None:
        """Write the record of a dense tensor. Nothing but a pointer is taken, so no graph is touched."""
        kind = _KINDS.get(x.dtype)
        if kind is None:
            x, kind = x.float(), "float32"
        count, at = x.numel(), self._at
        every = 1 if count <= SMALL else stride(count)
        bounds = self._pairs[index]
        size = native.look(x.data_ptr(), count, kind, bounds, every, self._address + 4 * at, self._room(index))
        if not size:  # a layer that is called many times in a step
            bare = np.zeros(native.HEAD, np.float32)
            native.look(x.data_ptr(), count, kind, bounds, every, bare.ctypes.data, len(bare))
            self._known.append(len(self._rows))
            self._numbers.append(bare[: 2 * len(NUMBERS)].view(np.float64).tolist())
        self._at = at + size
        self._rows.append(index)
        self._lengths.append(size)

    def _copy(self, index: int, x: Tensor) -> None:
        """Copy a dense tensor as bytes if it is small, else its numbers and a sample."""
        x = flat(x).float()
        count, room = x.numel(), self._room(index)
        if count <= min(SMALL, room):
            ctypes.memmove(self._address + 4 * self._at, x.data_ptr(), 4 * count)
        else:
            place = self._memory[self._at : self._at + min(room, SAMPLE)]
            numbers, count = reduce_here(x, *self._pairs[index], place)
            self._known.append(len(self._rows))
            self._numbers.append(numbers)
        self._at += count
        self._rows.append(index)
        self._lengths.append(count)

    def collect(self) -> Seen:
        """What was seen since the last call, off the graph."""
        self._end_forward()
        seen = Seen(
            self._rows, self._lengths, self._memory, self._start, self._at - self._start, self._known, self._numbers,
            self.packed,
        )  # fmt: skip
        if self._away:
            with self.border:
                seen.away, seen.events = to_host(self._away)
        self.forget()
        return seen


def _is_plain(output: Any) -> bool:
    """Whether this is a dense float32 tensor of this machine, by what a tensor knows without torch's dispatcher.

    It is asked for every layer at every step; the dispatcher takes most of the time that `detach().numpy()` does.
    """
    return (
        type(output) is Tensor and output.dtype is torch.float32 and output.is_cpu
        and output.layout is torch.strided and output.is_contiguous() and not output.is_neg()
        and not output.is_inference()
    )  # fmt: skip


def _first_tensor(output: Any) -> Tensor | None:
    """The first tensor in a module's output, which may be a nest of sequences, dictionaries and dataclasses."""
    if is_dataclass(output) and not isinstance(output, type):
        values: Iterable[Any] = (getattr(output, field.name) for field in fields(output))
    else:
        values = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else ()
    return next((t for v in values if (t := v if isinstance(v, Tensor) else _first_tensor(v)) is not None), None)
