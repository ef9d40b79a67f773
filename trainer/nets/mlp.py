"""Fully connected nets."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from ..norms import norm
from .initial import linear

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
    generator = torch.Generator().manual_seed(spec.seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    units = inputs
    for i in range(1, spec.depth + 1):
        layers[f"fc{i}"] = linear(units, spec.width, generator, spec.init_std)
        layers[f"norm{i}"] = norm(spec.arm, spec.width)
        layers[f"act{i}"] = ACTIVATIONS[spec.activation]()
        units = spec.width
    layers["out"] = linear(units, outputs, generator, spec.init_std)
    return nn.Sequential(layers)
