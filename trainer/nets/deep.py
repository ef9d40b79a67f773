"""A deep net of small layers."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from ..norms import norm
from .initial import linear


def narrow(arm: str, seed: int = 0, layers: int = 500, width: int = 16, classes: int = 10) -> nn.Sequential:
    """About `layers` modules: as many linear layers of `width` units as that takes, each with normalizer and ReLU.

    Input shape [batch, width], output shape [batch, classes].
    """
    generator = torch.Generator().manual_seed(seed)
    found: OrderedDict[str, nn.Module] = OrderedDict()
    for i in range(1, (layers - 1) // 3 + 1):
        found[f"fc{i}"], found[f"norm{i}"] = linear(width, width, generator), norm(arm, width)
        found[f"act{i}"] = nn.ReLU()
    found["out"] = linear(width, classes, generator)
    return nn.Sequential(found)
