"""The nets. Initial weights depend on the seed alone, not on the arm."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from .norms import norm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from normscope.spec import Spec

ACTIVATIONS: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}


def mlp(spec: Spec, inputs: int, outputs: int) -> nn.Sequential:
    """A fully connected net: linear, normalizer, activation for each hidden layer, then a linear layer.

    The layers are named fc1, norm1, act1, …, out. For depth 3 and width 100 this is the net of Ioffe and Szegedy
    2015, arXiv 1502.03167, section 4.1. Input shape [batch, inputs], output shape [batch, outputs].
    """
    # A generator of its own: whatever a normalizer draws, the linear layers start alike in all arms.
    generator = torch.Generator().manual_seed(spec.seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    units = inputs
    for i in range(1, spec.depth + 1):
        layers[f"fc{i}"] = _linear(units, spec.width, spec.init_std, generator)
        layers[f"norm{i}"] = norm(spec.arm, spec.width)
        layers[f"act{i}"] = ACTIVATIONS[spec.activation]()
        units = spec.width
    layers["out"] = _linear(units, outputs, spec.init_std, generator)
    return nn.Sequential(layers)


def _linear(inputs: int, outputs: int, std: float, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=std, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
