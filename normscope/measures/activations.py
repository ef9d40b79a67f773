"""What the layers of a model take and give on a batch of one's choosing, without a trace."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch

from ..capture.tensors import first_tensor
from .untouched import Untouched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor, nn


def inputs(model: nn.Module, layers: Iterable[str], run: Callable[[], object]) -> dict[str, Tensor]:
    """What some modules are given, in the mode the model is in: on a fixed probe batch, the drift's raw values.

    Args:
        model: The net; nothing of it is different afterwards.
        layers: Dotted names of modules.
        run: Calls the model, as in `lambda: model(x)`. With dropout, inputs at two steps are comparable if it calls
            `torch.manual_seed` first; the random state is put back.

    Returns:
        A copy of each module's input by its name, the first tensor of several, of its first call.

    Raises:
        ValueError: If there is no such module, or it is not called with a tensor.
    """
    return _seen(model, layers, run, "input")


def outputs(model: nn.Module, layers: Iterable[str], run: Callable[[], object]) -> dict[str, Tensor]:
    """What some modules give, in the mode the model is in; all else as in `inputs`."""
    return _seen(model, layers, run, "output")


def _seen(model: nn.Module, layers: Iterable[str], run: Callable[[], object], kind: str) -> dict[str, Tensor]:
    modules = dict(model.named_modules())
    layers = list(layers)
    for name in layers:
        if name not in modules:
            raise ValueError(f"layers: there is no {name!r}; there are {', '.join(filter(None, modules))}")
    seen: dict[str, Tensor] = {}

    def note(name: str, passing: Any) -> None:
        found = first_tensor([passing])
        if name not in seen and found is not None:
            seen[name] = found.detach().clone()  # the net may change it in place

    def before(name: str) -> Callable[..., None]:
        return lambda _module, args, kwargs: note(name, (args, kwargs))

    def after(name: str) -> Callable[..., None]:
        return lambda _module, _args, output: note(name, output)

    with Untouched(model), torch.no_grad(), ExitStack() as stack:
        for name in layers:
            if kind == "input":
                handle = modules[name].register_forward_pre_hook(before(name), with_kwargs=True)
            else:
                handle = modules[name].register_forward_hook(after(name))
            stack.callback(handle.remove)
        run()
    if missing := [name for name in layers if name not in seen]:
        raise ValueError(f"layers: {missing[0]!r} was not called, or has no tensor as {kind}")
    return seen
