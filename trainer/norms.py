"""The normalizers that an arm can put between a linear layer and its activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NORMS: Final[Mapping[str, Callable[[int], nn.Module]]] = {
    # Identity, so that a layer has the same name in every arm and rows can be compared.
    "none": lambda _: nn.Identity(),
    "batch": nn.BatchNorm1d,
}


def norm(arm: str, units: int) -> nn.Module:
    """The normalizer of an arm for activations of shape [batch, units].

    Raises:
        ValueError: For an arm that does not exist.
    """
    if arm not in NORMS:
        raise ValueError(f"unknown arm {arm!r}; there are {', '.join(NORMS)}")
    return NORMS[arm](units)
