"""Plain convolutional nets."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import torch
from torch import nn

from ..norms import norm
from .initial import conv, linear

VGG_A: Final = (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool")


def vgg_a(arm: str, seed: int = 0, width: float = 1.0, inputs: int = 3, classes: int = 10) -> nn.Sequential:
    """VGG-A (configuration A of Simonyan and Zisserman 2015, arXiv 1409.1556) for 32×32 images, one linear layer last.

    The layers are named conv1, norm1, act1, pool1, …, flat, out. Input shape [batch, inputs, 32, 32], output shape
    [batch, classes].

    Args:
        arm: The normalizer after each convolution.
        seed: Of the initial weights.
        width: Times the usual number of channels.
        inputs: Channels of the images.
        classes: Outputs.
    """
    return _stack(VGG_A, arm, seed, width, inputs, classes, side=32)


def small_cnn(arm: str, seed: int = 0, inputs: int = 1, classes: int = 10, side: int = 8) -> nn.Sequential:
    """Three convolutions of 16, 32 and 32 channels and one pooling, for images as small as the digits' 8×8.

    Input shape [batch, inputs, side, side], output shape [batch, classes]; layers are named as in `vgg_a`.
    """
    return _stack((16, 32, "pool", 32), arm, seed, 1.0, inputs, classes, side)


def _stack(
    plan: tuple[int | str, ...], arm: str, seed: int, width: float, inputs: int, classes: int, side: int
) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    convolutions = pools = 0
    channels = inputs
    for entry in plan:
        if isinstance(entry, str):
            pools += 1
            layers[f"pool{pools}"] = nn.MaxPool2d(2)
            side //= 2
            continue
        convolutions += 1
        outputs = max(1, round(entry * width))
        layers[f"conv{convolutions}"] = conv(channels, outputs, generator)
        layers[f"norm{convolutions}"] = norm(arm, outputs, dimensions=2)
        layers[f"act{convolutions}"] = nn.ReLU()
        channels = outputs
    layers["flat"] = nn.Flatten()
    layers["out"] = linear(channels * side * side, classes, generator)
    return nn.Sequential(layers)
