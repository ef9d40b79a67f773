"""Numbers that a training loop shows over steps."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def scalar(name: str, value: Any) -> float | Tensor:
    """A number, or a tensor of one element, as a number; a tensor still where it is on another device.

    Raises:
        TypeError: If it is neither.
    """
    try:
        if not isinstance(value, Tensor):
            return float(value)
        if value.is_cpu:
            return float(value.item())  # which finds out by itself whether it is one number
        if value.numel() == 1 and not value.is_complex():
            # Reading a tensor on a GPU waits for it: it is read once it has arrived. This copy is one number.
            return value.detach().clone()
        raise TypeError(value.shape)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name}: {type(value).__name__} is not a number or a tensor of one element") from error
