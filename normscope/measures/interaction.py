"""What a step does to the loss: on the batch it was made for and the next, and by layers alone and all at once.

Both look at the premise that a step is computed for each layer as if the others stood still and the data were the same
(Ioffe and Szegedy 2015, arXiv 1502.03167, section 2; I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016,
section 8.7.1, on coordinating updates across layers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .blocks import checked
from .untouched import Untouched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from .blocks import Blocks


@dataclass(frozen=True, slots=True)
class StepEffect:
    """What a step from w_t to w_{t+1} does to the loss of two batches; below zero it helps.

    Attributes:
        this: L(w_{t+1}; B_t) − L(w_t; B_t), on the batch the step was made for.
        following: L(w_{t+1}; B_{t+1}) − L(w_t; B_{t+1}), on the next.
    """

    this: float
    following: float


def next_batch_effect(
    model: nn.Module,
    this: Callable[[], Tensor],
    following: Callable[[], Tensor],
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
) -> StepEffect:
    """Whether a step that is good for its batch is good for the next; leaves no trace, takes four forward passes.

    Args:
        model: The net, at any weights.
        this: Computes the loss of the batch that the step was made for, without `backward`.
        following: The same of the next batch.
        before: The trainable weights before the step, by name, as `normscope.measures.untouched.snapshot` copies them.
        after: The same after it.

    Raises:
        ValueError: If weights are missing or of another shape.
    """
    with Untouched(model) as net:
        found = []
        for weights in (before, after):
            net.put(weights)
            found.append(torch.stack([net.loss(this), net.loss(following)]))
        change = (found[1] - found[0]).tolist()
    return StepEffect(*change)


@dataclass(frozen=True, slots=True)
class Interaction:
    """How far a step's effect is from the sum of its layers' effects.

    Attributes:
        names: The blocks of weights, in forward order.
        together: Change of the loss as all blocks move.
        alone: Change of the loss as only that block moves, shape [k].
        interaction: together − Σ alone; to second order η²Σ_{i<j} g_iᵀH_ij g_j for a step of −ηg.
        ratio: interaction / |Σ alone|; NaN if both are zero.
    """

    names: tuple[str, ...]
    together: float
    alone: NDArray[np.float64]
    interaction: float
    ratio: float


def interaction(
    model: nn.Module,
    closure: Callable[[], Tensor],
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    blocks: Blocks | None = None,
) -> Interaction:
    """Compare a step of all layers with steps of one layer each, on one batch; leaves no trace.

    Takes k + 2 forward passes for k blocks. Differences of losses have no more digits than the losses themselves: with
    float32 weights, an interaction below a millionth of the loss is rounding.

    Args:
        model: The net, at any weights.
        closure: Computes the loss of one batch, without `backward`.
        before: The trainable weights before the step, by name, as `normscope.measures.untouched.snapshot` copies them.
        after: The same after it.
        blocks: Names of weights by the name of their block; by default the model's layers. Weights in no block stay as
            they were before.

    Raises:
        ValueError: If weights are missing or of another shape, or a block names what is no trainable weight.
    """
    chosen = checked(model, blocks)
    with Untouched(model) as net:
        net.put(before)
        found = [net.loss(closure)]
        for names in chosen.values():
            net.put(after, names)
            found.append(net.loss(closure))
            net.put(before, names)
        net.put(after, (name for names in chosen.values() for name in names))
        found.append(net.loss(closure))
        losses = torch.stack(found).cpu().numpy()
    alone, together = losses[1:-1] - losses[0], losses[-1] - losses[0]
    total = alone.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (together - total) / np.abs(total)
    return Interaction(tuple(chosen), float(together), alone, float(together - total), float(ratio))
