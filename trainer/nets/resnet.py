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
    arm: str,
    seed: int = 0,
    skip: bool = True,
    width: float = 1.0,
    inputs: int = 3,
    classes: int = 10,
    init: str = "he",
    init_scale: float = 1.0,
    **options: Unpack[Options],
) -> nn.Sequential:
    """ResNet-20 (He et al. 2016, arXiv 1512.03385, section 4.2), with its skip connections or without.

    Input shape [batch, inputs, h, w], 32×32 in the source, 8×8 as well; output shape [batch, classes]. With 16, 32 and
    64 channels times `width`; other arguments are those of `vgg_a`.
    """
    normalize, initial = Normalize(arm, seed, **options), Initial(seed, init, scale=init_scale)
    first, *_, last = stages = [max(1, round(channels * width)) for channels in (16, 32, 64)]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"], layers["norm"] = normalize(initial.conv(inputs, first), first, dimensions=2)
    layers["act"] = nn.ReLU()
    channels = first
    for stage, outputs in enumerate(stages, 1):
        for i in range(1, 4):
            stride = 2 if stage > 1 and i == 1 else 1
            layers[f"block{stage}_{i}"] = Block(channels, outputs, stride, skip, normalize, initial)
            channels = outputs
    layers["pool"], layers["flat"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    layers["out"] = initial.linear(last, classes)
    return nn.Sequential(layers)
