"""What a module takes and gives: which tensor in it, and of what sort."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_plain(output: Any) -> bool:
    """Whether this is a dense float32 tensor of this machine, by what a tensor knows without torch's dispatcher.

    It is asked for every layer at every step; the dispatcher takes most of the time that `detach().numpy()` does.
    """
    return (
        type(output) is Tensor and output.dtype is torch.float32 and output.is_cpu
        and output.layout is torch.strided and output.is_contiguous() and not output.is_neg()
        and not output.is_inference()
    )  # fmt: skip


def first_tensor(output: Any) -> Tensor | None:
    """The first tensor in a module's output, which may be a nest of sequences, dictionaries and dataclasses."""
    if is_dataclass(output) and not isinstance(output, type):
        values: Iterable[Any] = (getattr(output, field.name) for field in fields(output))
    else:
        values = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else ()
    return next((t for v in values if (t := v if isinstance(v, Tensor) else first_tensor(v)) is not None), None)
