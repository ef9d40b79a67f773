"""How well a net learns: what every run tells at its end."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from normscope.spec import Spec

    from ..data import Data

_SMOOTH: Final = 20
"""Steps whose mean loss is compared with the target: single mini-batches are easy or hard by chance."""
_AT_ONCE: Final = 1 << 18
"""Values of all samples that are evaluated at once: what convolutions make of more does not fit into caches."""


_OF_A_TOKEN: Final = 64
"""Values that a token counts as: it becomes that many at once."""


@dataclass
class Progress:
    """Follows the loss of a run.

    Attributes:
        spec: What is trained.
        losses: Of every step.
        learned_at: The first step before which the mean loss of the last few was below the target; None until then.
    """

    spec: Spec
    losses: list[float] = field(default_factory=list)
    learned_at: int | None = None
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=_SMOOTH))

    def note(self, loss: float) -> None:
        """Take a step's loss into account."""
        self.losses.append(loss)
        self._recent.append(loss)
        if self.learned_at is None and sum(self._recent) < self.spec.target * _SMOOTH and len(self._recent) == _SMOOTH:
            self.learned_at = len(self.losses)

    @property
    def diverged(self) -> bool:
        """Whether the last loss is not finite."""
        return bool(self.losses) and not math.isfinite(self.losses[-1])

    def outcome(self) -> dict[str, float]:
        """Of the losses.

        Gives `mean_loss` of all steps; `final_loss`, of the last tenth; `steps_to_loss`, all steps where the target was
        not reached; `learned` and `diverged`, 0 or 1, the first being whether the last few losses lie below the target.
        """
        last = self.losses[-max(1, len(self.losses) // 10) :]
        with np.errstate(invalid="ignore", over="ignore"):
            final, recent = float(np.mean(last)), float(np.mean(self._recent))
        return {
            "mean_loss": float(np.mean(self.losses)) if self.losses else float("nan"),
            "final_loss": final,
            "steps_to_loss": float(self.spec.steps if self.learned_at is None else self.learned_at),
            "learned": float(recent < self.spec.target),
            "diverged": float(self.diverged),
        }


def evaluate(
    net: nn.Module, x: Tensor, targets: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, float | Tensor]:
    """`loss`, and of classes `accuracy`, of samples in evaluation mode; what is on a GPU stays there."""
    net.eval()
    with torch.no_grad():
        values = x[0].numel() * (1 if x.is_floating_point() else _OF_A_TOKEN)
        outputs = torch.cat([net(chunk) for chunk in torch.split(x, max(1, _AT_ONCE // values))])
    net.train()
    whole = loss(outputs, targets)
    found: dict[str, float | Tensor] = {"loss": whole.item() if whole.is_cpu else whole}
    if not targets.is_floating_point():
        found["accuracy"] = accuracy(outputs, targets)
    return found


def generalization(net: nn.Module, task: Data, loss: Callable[[Tensor, Tensor], Tensor]) -> dict[str, float]:
    """`train_loss`, `test_loss`, and of classes both accuracies and their `gap`, of all samples, in evaluation mode."""
    train = evaluate(net, task.train, task.train_targets, loss)
    test = evaluate(net, task.test, task.test_targets, loss)
    found = {f"train_{name}": float(value) for name, value in train.items()}
    found |= {f"test_{name}": float(value) for name, value in test.items()}
    if "accuracy" in train:
        found["gap"] = found["train_accuracy"] - found["test_accuracy"]
    return found


def accuracy(outputs: Tensor, labels: Tensor) -> float | Tensor:
    """Share of rows of `outputs` (shape [n, …, classes]) whose largest entry is at the label (shape [n, …]).

    A tensor where they are on a GPU: a number would have to be waited for.
    """
    if not outputs.is_cpu:
        share: Tensor = (outputs.detach().argmax(-1) == labels).double().mean()
        return share
    found = outputs.detach().numpy().argmax(-1)  # by numpy, which takes a fifth of torch's time for so few
    return float(np.count_nonzero(found == labels.numpy()) / found.size)
