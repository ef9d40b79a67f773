"""The loss and its gradient along the gradient: how far ahead a step's view is good.

At weights w with loss L and gradient g = ∇L(w), for step lengths η: the loss L(w − ηg), the *gradient
predictiveness* ‖∇L(w − ηg) − g‖₂ and the *effective β-smoothness* ‖∇L(w − ηg) − g‖₂ / ‖ηg‖₂, whose largest value
over η is the β of the step (Santurkar, Tsipras, Ilyas and Mądry, 2018, arXiv 1805.11604, section 3.1 and figure 4).
All on the same mini-batch, in the mode the net is in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from .untouched import Untouched, norm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

FACTORS: Final = tuple(float(f) for f in np.geomspace(0.5, 4, 8))
"""Step lengths in learning rates, as for the VGG nets of the source."""


@dataclass(frozen=True, slots=True)
class AlongGradient:
    """What was found along the gradient.

    Attributes:
        eta: Step lengths, shape [n].
        loss: L(w − ηg), shape [n].
        predictiveness: ‖∇L(w − ηg) − g‖₂, shape [n].
        beta: ‖∇L(w − ηg) − g‖₂ / ‖ηg‖₂, shape [n]; NaN where the gradient is zero.
    """

    eta: NDArray[np.float64]
    loss: NDArray[np.float64]
    predictiveness: NDArray[np.float64]
    beta: NDArray[np.float64]


def along_gradient(
    model: nn.Module, closure: Callable[[], Tensor], rate: float, factors: Sequence[float] = FACTORS
) -> AlongGradient:
    """Sample the loss along the gradient at the weights as they are, and leave no trace.

    Weights, their `.grad`, buffers (running statistics, counters) and the random state are bit for bit afterwards
    what they were before, even if the closure raises; every evaluation sees the same random numbers.

    Args:
        model: The net.
        closure: Computes the loss of that batch, without `backward`.
        rate: The learning rate, the unit of `factors`.
        factors: η / rate.

    Raises:
        ValueError: If rate or factors are out of range.
    """
    check(rate, factors)
    with Untouched(model) as net:
        # Not from `.grad`: behind it were other dropout masks, other noise, and where a net normalizes by them other
        # running statistics than in the evaluations that g is compared with.
        _, gradient = net.gradient(closure)
        eta = rate * np.asarray(factors, dtype=np.float64)
        found = []
        for step in eta:
            net.move((-float(step), gradient))
            loss, ahead = net.gradient(closure)
            found.append(torch.stack([loss, norm(ahead[name] - g for name, g in gradient.items())]))
        length = norm(gradient.values())
        # One transfer for all: on a GPU each would wait for the device.
        table = torch.stack([*found, torch.stack([length, length])]).cpu().numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = table[:-1, 1] / (eta * table[-1, 0])
    return AlongGradient(eta, table[:-1, 0], table[:-1, 1], beta)


def check(rate: float, factors: Sequence[float]) -> None:
    """Refuse what cannot be a learning rate and multiples of it.

    Raises:
        ValueError: If rate or factors are out of range.
    """
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(f"rate: {rate!r} is not a finite number of at least 0")
    if not len(factors) or not all(math.isfinite(f) and f > 0 for f in factors):
        raise ValueError(f"factors: {factors!r} are not positive numbers")
