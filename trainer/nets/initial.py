"""Initial weights from a generator of their own: whatever a normalizer draws, the rest starts alike in all arms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch


def linear(inputs: int, outputs: int, generator: torch.Generator, std: float | None = None) -> nn.Linear:
    """A linear layer with normal weights and zero biases; He et al. 2015, arXiv 1502.01852, unless `std` is given."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=math.sqrt(2 / inputs) if std is None else std, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def conv(inputs: int, outputs: int, generator: torch.Generator, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """A padded square convolution with zero biases and weights as in He et al. 2015, arXiv 1502.01852, fan out."""
    layer = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2)
    nn.init.normal_(layer.weight, std=math.sqrt(2 / (outputs * size * size)), generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
