"""Initial weights from a generator of their own: whatever a normalizer draws, the rest starts alike in all arms."""

from __future__ import annotations

import math
from typing import Final, TypeVar

import torch
from torch import nn

INITS: Final = ("normal", "he", "glorot")
L = TypeVar("L", nn.Linear, nn.Conv2d)


class Initial:
    """Makes layers whose weights are normal, and whose biases, if they have any, are zero.

    The weights' standard deviation is `scale` times
    - for init "normal", `std`;
    - for "he" √(2 / inputs) (He et al. 2015, arXiv 1502.01852), of convolutions √(2 / (outputs · size²)), fan out;
    - for "glorot" √(2 / (inputs + outputs)), of convolutions with both times size² (Glorot and Bengio 2010, AISTATS).

    Raises:
        ValueError: If there is no such init.
    """

    def __init__(self, seed: int, init: str = "he", std: float = 0.1, scale: float = 1.0) -> None:
        if init not in INITS:
            raise ValueError(f"init: {init!r} is not one of {', '.join(INITS)}")
        self._generator = torch.Generator().manual_seed(seed)
        self._init, self._std, self._scale = init, std, scale

    def linear(self, inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
        """A linear layer."""
        return self._fill(nn.Linear(inputs, outputs, bias), inputs, inputs + outputs)

    def conv(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
        """A padded square convolution."""
        layer = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2)
        return self._fill(layer, outputs * size**2, (inputs + outputs) * size**2)

    def embedding(self, entries: int, width: int) -> nn.Embedding:
        """A table, whose standard deviation is `std` whatever `init` says."""
        table = nn.Embedding(entries, width)
        nn.init.normal_(table.weight, std=self._std * self._scale, generator=self._generator)
        return table

    def _fill(self, layer: L, fan: int, fans: int) -> L:
        std = {"normal": self._std, "he": math.sqrt(2 / fan), "glorot": math.sqrt(2 / fans)}[self._init]
        nn.init.normal_(layer.weight, std=std * self._scale, generator=self._generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        return layer
