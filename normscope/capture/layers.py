"""Which modules of a model are watched, what of each, and where their outputs saturate."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import numpy as np
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear as Uncalled

from ..wire import KINDS
from .summary import NEVER, Slot

Choice: TypeAlias = str | Callable[[str, nn.Module], bool] | None
"""Every leaf (None), a glob over dotted names, or a function of name and module."""
_COMPILED: Final = "_orig_mod"
_WRAPPED: Final = ("_fsdp_wrapped_module", "_checkpoint_wrapped_module", _COMPILED)
"""What wrappers of torch's call what is in them."""
STATISTICS: Final = KINDS[-4:]
"""What "statistics" stands for: those of a mini-batch and those that batch normalization keeps."""


def choose(model: nn.Module, layers: Choice) -> dict[str, nn.Module]:
    """The modules to watch, by dotted name: leaves, or those that a glob or a predicate picks from all modules.

    Raises:
        TypeError: If `layers` is none of these.
        ValueError: If nothing is left to watch.
    """
    if layers is None:
        chosen = {name: m for name, m in _named(model) if _is_leaf(name, m)}
    elif isinstance(layers, str):
        chosen = {name: m for name, m in _named(model) if fnmatch.fnmatchcase(name, layers)}
    elif callable(layers):
        chosen = {name: m for name, m in _named(model) if layers(name, m)}
    else:
        raise TypeError(f"layers: {layers!r} is not None, a glob or a function of a name and a module")
    if not chosen:
        raise ValueError(f"layers: {layers!r} leaves no module of {type(model).__name__} to watch")
    return chosen


def unwrapped(model: nn.Module) -> nn.Module:
    """The net that someone wrote, without what spreads it over processes (`DistributedDataParallel`)."""
    while isinstance(model, nn.parallel.DistributedDataParallel):
        model = model.module
    return model


def name_of(model: nn.Module) -> str:
    """What the net that someone wrote is called: its class, also where `torch.compile` has wrapped it."""
    while isinstance(written := model._modules.get(_COMPILED), nn.Module):
        model = written
    return type(model).__name__


def _named(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """All modules by their dotted names, the same with and without wrappers; a wrapper comes before its own."""
    for name, module in model.named_modules():
        yield ".".join(part for part in name.split(".") if part not in _WRAPPED), module


def _is_leaf(name: str, module: nn.Module) -> bool:
    """Whether a module has no parts but those that compute its own weights (`torch.nn.utils.parametrize`).

    Nor counts the part of `torch.nn.MultiheadAttention` that only holds weights, which attention reads without a call.
    """
    own = "parametrizations"
    if own in name.split(".") or isinstance(module, Uncalled):
        return False
    return all(child == own or isinstance(part, Uncalled) for child, part in module.named_children())


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


def check_kinds(kinds: str | Iterable[str]) -> tuple[str, ...]:
    """What is to be watched of each layer, in the order of KINDS.

    Raises:
        ValueError: If there is nothing, or something unknown.
    """
    wanted = [kinds] if isinstance(kinds, str) else list(kinds)
    known = (*KINDS, "statistics")
    for kind in wanted:
        if kind not in known:
            raise ValueError(f"kinds: {kind!r} is none of {', '.join(known)}")
    if not wanted:
        raise ValueError(f"kinds: there is none; choose from {', '.join(known)}")
    return tuple(k for k in KINDS if k in wanted or ("statistics" in wanted and k in STATISTICS))


def slots_of(modules: Iterable[nn.Module], kinds: Iterable[str]) -> list[Slot]:
    """What is summarized of these: of each what it has.

    Raises:
        ValueError: If there is nothing at all.
    """
    kinds = tuple(kinds)
    found = [
        Slot(i, kind, *(saturation(m) if kind == "output" else NEVER))
        for i, m in enumerate(modules)
        for kind in kinds
        if _has(m, kind)
    ]
    if not found:
        raise ValueError(f"kinds: no layer has any {' or '.join(kinds)}")
    return found


def _has(module: nn.Module, kind: str) -> bool:
    if kind in STATISTICS:
        if kind.startswith("batch"):
            return isinstance(module, _NormBase) or _keeps(module, "running_mean")
        return _keeps(module, kind.replace("variance", "var"))
    if kind.startswith(("weight", "bias")):
        return bool(parameters(module, kind.removesuffix("_gradient")))
    return True


def _keeps(module: nn.Module, statistic: str) -> bool:
    return isinstance(getattr(module, statistic, None), Tensor)


def parameters(module: nn.Module, kind: str) -> list[nn.Parameter]:
    """A module's own parameters: those called bias something, or all others, which count as its weights."""
    parts = [module, *(part for part in module.children() if isinstance(part, Uncalled))]
    own = [(name, p) for part in parts for name, p in part._parameters.items() if p is not None]
    return [p for name, p in own if (name.startswith("bias") or name.endswith("_bias")) == (kind == "bias")]


def resting(module: nn.Module, kind: str) -> list[Tensor]:
    """What a module has of a kind whether it is called or not: parameters, their gradients, running statistics."""
    if kind.startswith("running"):
        kept: list[Tensor | None] = [getattr(module, kind.replace("variance", "var"))]
    else:
        kept = list(parameters(module, kind.removesuffix("_gradient")))
        if kind.endswith("gradient"):
            kept = [p.grad for p in kept if p is not None]
    return [x for x in kept if x is not None]
