"""Residual nets."""

from __future__ import annotations

from collections import OrderedDict
from typing import Unpack

from torch import Tensor, nn
from torch.nn.functional import pad

from ..norms import Normalize, Options
from .initial import Initial


class Block(nn.Module):
    """Two convolutions and a shortcut: He et al. 2016, arXiv 1512.03385, with its parameter-free shortcut (option A).

    Input shape [batch, inputs, h, w], output shape [batch, outputs, h / stride, w / stride].
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, skip: bool, normalize: Normalize, initial: Initial
    ) -> None:
        super().__init__()
        self.conv1, self.norm1 = normalize(initial.conv(inputs, outputs, stride=stride), outputs, dimensions=2)
        self.act1 = nn.ReLU()
        self.conv2, self.norm2 = normalize(initial.conv(outputs, outputs), outputs, dimensions=2)
        self.act2 = nn.ReLU()
        self._skip, self._stride, self._more = skip, stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        y: Tensor = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        if self._skip:
            y = y + pad(x[:, :, :: self._stride, :: self._stride], (0, 0, 0, 0, 0, self._more))
        out: Tensor = self.act2(y)
        return out


def resnet20(
    arm: str, seed: int = 0, skip: bool = True, inputs: int = 3, classes: int = 10, **options: Unpack[Options]
) -> nn.Sequential:
    """ResNet-20 (He et al. 2016, arXiv 1512.03385, section 4.2), with its skip connections or without.

    Input shape [batch, inputs, h, w], 32×32 in the source, 8×8 as well; output shape [batch, classes].
    """
    normalize, initial = Normalize(arm, seed, **options), Initial(seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"], layers["norm"] = normalize(initial.conv(inputs, 16), 16, dimensions=2)
    layers["act"] = nn.ReLU()
    channels = 16
    for stage, outputs in enumerate((16, 32, 64), 1):
        for i in range(1, 4):
            stride = 2 if stage > 1 and i == 1 else 1
            layers[f"block{stage}_{i}"] = Block(channels, outputs, stride, skip, normalize, initial)
            channels = outputs
    layers["pool"], layers["flat"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    layers["out"] = initial.linear(64, classes)
    return nn.Sequential(layers)
