"""Forward hooks that see what each layer gives, and nothing else: no weight, random number or graph changes."""

from __future__ import annotations

import fnmatch
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from .summary import NEVER, SAMPLE, Summaries, join, reduce_tensor, summarize_arrays, unpack
from .wire import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Choice = str | Callable[[str, nn.Module], bool] | None

SATURATION: Final[Mapping[type[nn.Module], tuple[float, float]]] = {
    nn.Sigmoid: (0.01, 0.99),
    nn.Softmax: (0.01, 0.99),
    nn.Tanh: (-0.99, 0.99),
}
"""Below the first or above the second, an activation's slope has all but vanished."""


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
class Raw:
    """One step's activations on their way to summaries: small ones copied, others reduced where they are.

    Attributes:
        rows: The layer of each small tensor.
        lengths: How many values each has.
        values: Those values end to end, float32.
        reduced_rows: The layer of each reduced tensor.
        reduced: What `reduce_tensor` gave, stacked; perhaps still on its way from a device.
        arrived: Waits until it is there.
    """

    rows: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    values: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    reduced_rows: list[int] = field(default_factory=list)
    reduced: Tensor | None = None
    arrived: Callable[[], object] = lambda: None

    @property
    def nbytes(self) -> int:
        """Bytes held until the summaries are made."""
        return self.values.nbytes + (0 if self.reduced is None else self.reduced.nbytes)


class Capture:
    """Hooks on the chosen layers of a model.

    Small outputs are kept by reference until the step's end and copied then, all at once. If one has been
    written to meanwhile (an in-place activation), its layer is copied in the hook from then on.
    """

    def __init__(self, model: nn.Module, layers: Choice = None) -> None:
        modules = choose(model, layers)
        self.layers = tuple(Layer(name, type(m).__name__) for name, m in modules.items())
        self.active = False
        """Whether hooks look at what passes."""
        self.seconds = 0.0
        """Time spent in hooks so far."""
        bounds = [SATURATION.get(type(m), NEVER) for m in modules.values()]
        self._low, self._high = np.array(bounds, np.float32).T
        self._kept: list[tuple[int, Tensor, int]] = []
        self._reduced: list[tuple[int, Tensor]] = []
        self._copy = dict.fromkeys(range(len(bounds)), True)  # until a step has shown that it is not needed
        self._handles = [m.register_forward_hook(self._hook(i)) for i, m in enumerate(modules.values())]

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()
        self._kept.clear()
        self._reduced.clear()

    def _hook(self, index: int) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, _: Any, output: Any) -> None:
            if self.active and module.training:
                began = time.perf_counter()
                self._see(index, output)
                self.seconds += time.perf_counter() - began

        return hook

    def _see(self, index: int, output: Any) -> None:
        tensor = output if isinstance(output, Tensor) else _first_tensor(output)
        if tensor is None or not tensor.is_floating_point():
            return
        if tensor.numel() > SAMPLE or tensor.device.type != "cpu":
            low, high = float(self._low[index]), float(self._high[index])
            with torch.no_grad():
                self._reduced.append((index, reduce_tensor(tensor, low, high)))
        else:
            version = tensor._version
            if self._copy[index]:
                # Kept with the original, whose version tells at the step's end whether the copy was needed.
                self._kept.append((index, tensor.detach().clone(), 0))
                self._kept.append((~index, tensor, version))
            else:
                self._kept.append((index, tensor, version))

    def collect(self) -> Raw:
        """What was seen since the last call, off the graph and free of the activations themselves."""
        raw, arrays = Raw(), []
        for index, tensor, version in self._kept:
            changed = tensor._version != version
            if index < 0:
                self._copy[~index] = changed
                continue
            if changed and not self._copy[index]:  # the first time in many steps that somebody wrote to it
                self._copy[index] = True
                continue
            raw.rows.append(index)
            arrays.append(tensor.detach().to(torch.float32).numpy().reshape(-1))
            raw.lengths.append(len(arrays[-1]))
        if arrays:
            raw.values = np.concatenate(arrays)
        if self._reduced:
            raw.reduced_rows = [index for index, _ in self._reduced]
            raw.reduced, raw.arrived = _to_host(torch.stack([v for _, v in self._reduced]))
        self._kept.clear()
        self._reduced.clear()
        return raw

    def summarize(self, raw: Raw) -> tuple[NDArray[np.int64], Summaries]:
        """The layer of each summary, shape [n], and the summaries. May run on another thread than `collect`."""
        rows = np.array(raw.rows, np.int64)
        parts = [summarize_arrays(raw.values, np.array(raw.lengths, np.int64), self._low[rows], self._high[rows])]
        if raw.reduced is not None:
            raw.arrived()
            parts.append(unpack(raw.reduced.numpy()))
        return np.concatenate([rows, np.array(raw.reduced_rows, np.int64)]), join(parts)


def _first_tensor(output: Any) -> Tensor | None:
    """The first tensor among a module's several outputs."""
    values = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else ()
    return next((v for v in values if isinstance(v, Tensor)), None)


def _to_host(tensor: Tensor) -> tuple[Tensor, Callable[[], object]]:
    """The tensor on its way to the host, and what to call before reading it. The training thread does not wait."""
    if tensor.device.type != "cuda":
        host = tensor.cpu()
        return host, lambda: None
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return host, event.synchronize
