"""Which modules of a model are watched, and where their outputs saturate."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from torch import nn

from .summary import NEVER

Choice: TypeAlias = str | Callable[[str, nn.Module], bool] | None
"""Every leaf (None), a glob over dotted names, or a function of name and module."""


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
