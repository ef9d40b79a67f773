"""Whether layers still learn: units and values that pass nothing on, gradients, updates, ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .blocks import checked
from .untouched import norm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from .blocks import Blocks


def dead_share(outputs: Tensor) -> float:
    """The share of units that are silent on a whole batch: never above zero, or the same for every sample and position.

    Of an activation like ReLU's, whose slope is zero below zero: such a unit passes no gradient on.

    Args:
        outputs: An activation's output, shape [batch, units, …].
    """
    x = outputs.detach().transpose(0, 1).flatten(1)
    low, high = x.aminmax(dim=1)
    return float(((high <= 0) | (low == high)).double().mean())


def saturated_share(outputs: Tensor, low: float = 0.01, high: float = 0.99) -> float:
    """The share of values below `low` or above `high`, where an activation's slope has all but vanished.

    The bounds of a module are `normscope.capture.layers.saturation(module)`; the defaults are a sigmoid's. Any shape.
    """
    return float(((outputs < low) | (outputs > high)).double().mean())


def gradient_norms(model: nn.Module, blocks: Blocks | None = None) -> NDArray[np.float64]:
    """‖g‖₂ of the gradients that the weights hold now, for each block, shape [k]; NaN where none is held.

    Args:
        model: The net, after `backward`.
        blocks: Names of weights by the name of their block; by default the model's layers.

    Raises:
        ValueError: If a block names what is no trainable weight.
    """
    weights = dict(model.named_parameters())
    found = []
    for names in checked(model, blocks).values():
        grads = [g for name in names if (g := weights[name].grad) is not None]
        found.append(
            norm(grads) if grads else torch.full((), torch.nan, dtype=torch.float64, device=weights[names[0]].device)
        )
    return torch.stack(found).cpu().numpy()


def update_ratios(before: Mapping[str, Tensor], after: Mapping[str, Tensor], blocks: Blocks) -> NDArray[np.float64]:
    """‖ΔW‖₂ / ‖W‖₂ of a step for each block, shape [k].

    Args:
        before: Weights by name, as `normscope.measures.untouched.snapshot` copies them.
        after: The same after the step.
        blocks: Names of weights by the name of their block, as `normscope.measures.blocks.blocks_of` gives them.
    """
    rows = [
        torch.stack([norm(after[n] - before[n] for n in names), norm(before[n] for n in names)])
        for names in blocks.values()
    ]
    change, length = torch.stack(rows).cpu().numpy().T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(change / length)


def rank_measure(outputs: Tensor) -> float:
    """tr(M)² / ‖M‖²_F with M = HHᵀ/N: a smooth lower bound of a representation's rank, between 1 and it.

    Daneshmand, Kohler, Bach, Hofmann and Lucchi 2020, arXiv 2003.01652: without normalization it falls to 1 with depth.
    NaN if all values are zero.

    Args:
        outputs: Hᵀ, shape [N, units], or [batch, units, …] where each position counts as a sample.
    """
    h = outputs.detach().transpose(0, 1).flatten(1).double()
    h = h / h.abs().max()  # the measure has no scale; squares of squares should not overflow
    # HHᵀ and HᵀH have the same eigenvalues but for zeros: the smaller one will do.
    m = h @ h.T if len(h) <= h.shape[1] else h.T @ h
    return float(m.trace().square() / m.square().sum())
