"""Deep linear nets twice: in torch, and in plain numpy with the backward pass written out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Layer = dict[str, Floats]  # "weight"; with a normalizer, "gamma" and "beta"

EPS = 1e-3


def net(batch_norm: bool, depth: int = 4, width: int = 5) -> tuple[nn.Sequential, Tensor, Tensor]:
    """A net in float64, all layers but the last with a normalizer or none, a batch of 12 and its targets."""
    generator = torch.Generator().manual_seed(depth)
    parts: list[nn.Module] = []
    for i in range(depth):
        parts.append(nn.Linear(width, width, bias=False, dtype=torch.float64))
        if batch_norm and i < depth - 1:
            parts.append(nn.BatchNorm1d(width, eps=EPS, dtype=torch.float64))
    model = nn.Sequential(*parts)
    for p in model.parameters():
        p.data = 0.5 * torch.randn(p.shape, generator=generator, dtype=torch.float64) + (p.dim() == 1)
    x, y = torch.randn(2, 12, width, generator=generator, dtype=torch.float64)
    return model, x, y


def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    found: Tensor = (model(x) - y).square().sum() / 2
    return found


def weights_of(model: nn.Module, values: dict[str, Tensor] | None = None) -> list[Layer]:
    layers: list[Layer] = []
    for name, p in (values or dict(model.named_parameters())).items():
        array = p.detach().numpy().copy()
        if array.ndim == 2:
            layers.append({"weight": array})
        else:
            layers[-1]["gamma" if name.endswith("weight") else "beta"] = array
    return layers


def loss_and_gradient(layers: list[Layer], x: Floats, y: Floats) -> tuple[float, list[Layer]]:
    """½‖f(x) − y‖² and its gradient; batch normalization backward as Ioffe and Szegedy 2015, section 3, derive it."""
    kept: list[Any] = []
    h = x
    for layer in layers:
        a = h @ layer["weight"].T
        if "gamma" not in layer:
            kept.append((h, None, None))
            h = a
            continue
        sigma = np.sqrt(a.var(axis=0) + EPS)
        unit = (a - a.mean(axis=0)) / sigma
        kept.append((h, unit, sigma))
        h = layer["gamma"] * unit + layer["beta"]
    value, g = float(np.sum((h - y) ** 2) / 2), h - y
    gradient: list[Layer] = []
    for layer, (into, unit, sigma) in zip(reversed(layers), reversed(kept), strict=True):
        found: Layer = {}
        if unit is not None:
            found = {"gamma": (g * unit).sum(axis=0), "beta": g.sum(axis=0)}
            m = len(g)
            g = layer["gamma"] / (m * sigma) * (m * g - g.sum(axis=0) - unit * (g * unit).sum(axis=0))
        gradient.append({"weight": g.T @ into, **found})
        g = g @ layer["weight"]
    return value, gradient[::-1]


def difference(one: list[Layer], other: list[Layer]) -> list[Layer]:
    return [{n: a[n] - b[n] for n in a} for a, b in zip(one, other, strict=True)]


def length(layers: list[Layer]) -> float:
    return math.sqrt(sum(float(np.sum(v**2)) for layer in layers for v in layer.values()))
