"""What a module takes and gives: which tensor in it, and of what sort."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def is_plain(output: Any) -> bool:
    """Whether this is a dense float32 tensor of this machine, by what a tensor knows without torch's dispatcher.

    It is asked for every layer at every step; the dispatcher takes most of the time that `detach().numpy()` does.
    """
    return (
        type(output) is Tensor and output.dtype is torch.float32 and output.is_cpu
        and output.layout is torch.strided and output.is_contiguous() and not output.is_neg()
        and not output.is_inference()
    )  # fmt: skip


def is_of_transform(output: Any) -> bool:
    """Whether a tensor among this is what `torch.func` puts in a tensor's place (`grad`, `vmap`), without values."""
    return any(map(torch._C._functorch.is_functorch_wrapped_tensor, tensors_in(output)))


def first_tensor(output: Any) -> Tensor | None:
    """The first tensor in a module's output."""
    return next(tensors_in(output), None)


def local(x: Tensor | None) -> Tensor | None:
    """What of a tensor is in this process, if it is spread over several (a `DTensor`)."""
    to_local: Callable[[], Tensor] | None = getattr(x, "to_local", None)
    return x if to_local is None else to_local()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in what a module takes or gives, which may be a nest of sequences, dictionaries and dataclasses."""
    if isinstance(value, Tensor):
        yield value
        return
    if is_dataclass(value) and not isinstance(value, type):
        values: Iterable[Any] = (getattr(value, field.name) for field in fields(value))
    else:
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for part in values:
        yield from tensors_in(part)
