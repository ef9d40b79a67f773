"""The normalizers that an arm can put between a linear layer and its activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NORMS: Final[Mapping[str, Callable[[int, int], nn.Module]]] = {
    # Identity, so that a layer has the same name in every arm and rows can be compared.
    "none": lambda _units, _dimensions: nn.Identity(),
    "batch": lambda units, dimensions: BATCH[dimensions](units),
    "layer": lambda units, dimensions: nn.GroupNorm(1, units) if dimensions else nn.LayerNorm(units),
}


class TokenBatchNorm(nn.BatchNorm1d):
    """Batch normalization of each feature over all tokens of all samples. Shapes [batch, tokens, features]."""

    def forward(self, input: Tensor) -> Tensor:
        """The normalized tokens."""
        return super().forward(input.flatten(0, -2)).view_as(input)


BATCH: Final[Mapping[int, type[nn.Module]]] = {0: TokenBatchNorm, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


def norm(arm: str, units: int, dimensions: int = 1) -> nn.Module:
    """The normalizer of an arm.

    Args:
        arm: Its name.
        units: Features or channels.
        dimensions: 1 for activations of shape [batch, units], 2 for images [batch, units, h, w], 0 for tokens
            [batch, tokens, units].

    Raises:
        ValueError: For an arm that does not exist.
    """
    if arm not in NORMS:
        raise ValueError(f"unknown arm {arm!r}; there are {', '.join(NORMS)}")
    return NORMS[arm](units, dimensions)
