"""What a step does: to the mini-batch it was made for, to the next one, and because all layers move at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .blocks import blocks_of, set_weights
from .untouched import untouched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from .blocks import Block


@dataclass(frozen=True, slots=True)
class Interaction:
    """The change of the loss when layers move, together and one by one.

    Attributes:
        together: When all of them move.
        alone: When only one does, shape [blocks].
    """

    together: float
    alone: NDArray[np.float64]

    @property
    def ratio(self) -> float:
        """(together − Σ alone) / |Σ alone|: 0 where layers do not interact; NaN where they do nothing alone.

        To second order the numerator is Σ over pairs of layers of Δᵢᵀ Hᵢⱼ Δⱼ.
        """
        total = float(self.alone.sum())
        return (self.together - total) / abs(total) if total else math.nan


def next_batch_effect(
    model: nn.Module,
    this: Callable[[], Tensor],
    following: Callable[[], Tensor],
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
) -> tuple[float, float]:
    """What an update does to the loss of its own mini-batch and to that of the next: L(after) − L(before) of both.

    In the mode that the model is in, with the same dropout masks; no trace is left.
    """
    with untouched(model) as rewind, torch.no_grad():
        losses = []
        for weights in (before, after):
            set_weights(model, weights)
            for closure in (this, following):
                rewind()
                losses.append(closure().double().reshape(()))
        a, b, c, d = torch.stack(losses).tolist()
    return c - a, d - b


def interaction(
    model: nn.Module,
    closure: Callable[[], Tensor],
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    blocks: Sequence[Block] | None = None,
) -> Interaction:
    """How much of an update's effect on a mini-batch's loss comes from layers moving at once; leaves no trace.

    Args:
        model: The net.
        closure: Computes the mini-batch's loss.
        before: Every parameter before the update, by name.
        after: The same after it.
        blocks: Names of the parameters of each layer; as `blocks_of` has them unless given.
    """
    blocks = blocks_of(model) if blocks is None else blocks
    every = [name for block in blocks for name in block]
    with untouched(model) as rewind, torch.no_grad():
        losses = []
        for moved in ([], every, *blocks):
            set_weights(model, before)
            set_weights(model, after, moved)
            rewind()
            losses.append(closure().double().reshape(()))
        start, together, *alone = torch.stack(losses).tolist()
    return Interaction(together - start, np.array(alone) - start)
