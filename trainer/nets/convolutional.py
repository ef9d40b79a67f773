"""Plain convolutional nets."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Unpack

from torch import nn

from ..norms import Normalize, Options
from .initial import Initial

VGG_A: Final = (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool")
VGG_D: Final = (
    *(64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool"),
)


def vgg_a(
    arm: str,
    seed: int = 0,
    width: float = 1.0,
    inputs: int = 3,
    classes: int = 10,
    side: int = 32,
    init: str = "he",
    init_scale: float = 1.0,
    **options: Unpack[Options],
) -> nn.Sequential:
    """VGG-A (configuration A of Simonyan and Zisserman 2015, arXiv 1409.1556), with one linear layer last.

    The layers are named conv1, norm1, act1, pool1, …, flat, out. Input shape [batch, inputs, side, side], output shape
    [batch, classes]. Five poolings fit 32×32 images; on smaller ones those are left out that would leave a convolution
    a single pixel, or the linear layer none: 8×8 keep the first, the second and the last.

    Args:
        arm: The normalizer after each convolution.
        seed: Of the initial weights and of normalizers' noise.
        width: Times the usual number of channels.
        inputs: Channels of the images.
        classes: Outputs.
        side: Of the images.
        init: he, glorot or normal; see `Initial`.
        init_scale: Times the weights' standard deviation.
        options: Of the normalizer.

    Raises:
        ValueError: For an arm or init that does not exist.
    """
    return _stack(
        VGG_A, Normalize(arm, seed, **options), Initial(seed, init, scale=init_scale), width, inputs, classes, side
    )


def vgg_16(
    arm: str,
    seed: int = 0,
    width: float = 1.0,
    inputs: int = 3,
    classes: int = 10,
    side: int = 32,
    init: str = "he",
    init_scale: float = 1.0,
    **options: Unpack[Options],
) -> nn.Sequential:
    """VGG-16 (configuration D of the same source): thirteen convolutions; else as `vgg_a`."""
    return _stack(
        VGG_D, Normalize(arm, seed, **options), Initial(seed, init, scale=init_scale), width, inputs, classes, side
    )


def small_cnn(
    arm: str, seed: int = 0, inputs: int = 1, classes: int = 10, side: int = 8, **options: Unpack[Options]
) -> nn.Sequential:
    """Three convolutions of 16, 32 and 32 channels and one pooling, for images as small as the digits' 8×8.

    Input shape [batch, inputs, side, side], output shape [batch, classes]; layers are named as in `vgg_a`.
    """
    return _stack((16, 32, "pool", 32), Normalize(arm, seed, **options), Initial(seed), 1.0, inputs, classes, side)


def _stack(
    plan: tuple[int | str, ...],
    normalize: Normalize,
    initial: Initial,
    width: float,
    inputs: int,
    classes: int,
    side: int,
) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    convolutions = pools = 0
    channels = inputs
    for place, entry in enumerate(plan, 1):
        if isinstance(entry, str):
            pools += 1
            if side >= (2 if place == len(plan) else 4):
                layers[f"pool{pools}"] = nn.MaxPool2d(2)
                side //= 2
            continue
        convolutions += 1
        outputs = max(1, round(entry * width))
        convolution, normalizer = normalize(initial.conv(channels, outputs), outputs, dimensions=2)
        layers[f"conv{convolutions}"], layers[f"norm{convolutions}"] = convolution, normalizer
        layers[f"act{convolutions}"] = nn.ReLU()
        channels = outputs
    layers["flat"] = nn.Flatten()
    layers["out"] = initial.linear(channels * side * side, classes)
    return nn.Sequential(layers)
