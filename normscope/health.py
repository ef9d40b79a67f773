"""How well a layer is: units that do nothing, gradients and updates, and how many directions it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from .blocks import Block


def effective_rank(activations: Tensor) -> float:
    """tr(M)² / ‖M‖²_F with M = HᵀH / N of activations H, shape [N, units]: between 1 and the number of units.

    How many directions the second moment is spread over, if it were spread evenly; N where all inputs are alike
    orthogonal. Daneshmand et al. 2020, arXiv 2003.01652. NaN of activations that are all zero.
    """
    h = activations.detach().double()
    moment = h.T @ h / len(h)
    return float(moment.trace() ** 2 / moment.square().sum())


def dead_units(activations: Tensor) -> float:
    """Share of units whose output is the same for every input, activations having shape [batch, units, …]."""
    h = activations.detach().transpose(0, 1).flatten(1)
    return float((h.amax(1) == h.amin(1)).double().mean())


def gradient_norms(gradients: Mapping[str, Tensor], blocks: list[Block]) -> list[float]:
    """‖∂L/∂W‖₂ of each block of parameters, from their gradients by name."""
    return [_norm([gradients[name] for name in block if name in gradients]) for block in blocks]


def update_ratios(before: Mapping[str, Tensor], after: Mapping[str, Tensor], blocks: list[Block]) -> list[float]:
    """‖ΔW‖₂ / ‖W‖₂ of each block of parameters over an update; NaN where the weights were zero."""
    found = []
    for block in blocks:
        length = _norm([before[name] for name in block])
        moved = _norm([after[name] - before[name] for name in block])
        found.append(moved / length if length else float("nan"))
    return found


def _norm(tensors: list[Tensor]) -> float:
    return float(sum(torch.sum(t.detach().double().square()) for t in tensors) ** 0.5)
