"""What a measure is given, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor, nn

    from normscope.spec import Spec

    from ..data import Data

    Series = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """A step at which something is measured.

    Attributes:
        step: Counted from 0.
        x: Inputs of the step's mini-batch.
        y: Its targets.
        next_x: Inputs of the next mini-batch.
        next_y: Its targets.
        start: The weights before the update, by name.
    """

    step: int
    x: Tensor
    y: Tensor
    next_x: Tensor
    next_y: Tensor
    start: Mapping[str, Tensor]


@dataclass
class Measure:
    """Measures a run at some of its steps, and sums up what it has found.

    Attributes:
        spec: What is trained.
        net: The net.
        task: Its data.
        loss_of: The net's loss on a mini-batch.
        seen: What has been found so far, by name.
    """

    spec: Spec
    net: nn.Module
    task: Data
    loss_of: Callable[[Tensor, Tensor], Tensor]
    seen: dict[str, list[float]] = field(default_factory=dict)

    def before(self, moment: Moment) -> Series:  # noqa: ARG002
        """What there is to show before the update, when gradients of the mini-batch are there."""
        return {}

    def after(self, moment: Moment) -> Series:  # noqa: ARG002
        """What there is to show after the update."""
        return {}

    def final(self) -> Iterable[Series]:
        """What there is to show after the last step; what takes long, from coarse to fine."""
        return ()

    def outcome(self) -> dict[str, float]:
        """Numbers that sum the run up."""
        return {}

    def note(self, **numbers: float) -> None:
        """Keep numbers for the outcome."""
        for name, number in numbers.items():
            self.seen.setdefault(name, []).append(float(number))

    def mean(self, name: str) -> float:
        """Of what was noted and is finite; NaN without any."""
        found = [v for v in self.seen.get(name, ()) if np.isfinite(v)]
        return float(np.mean(found)) if found else float("nan")

    def geometric_mean(self, name: str) -> float:
        """The same of logarithms, for what spans orders of magnitude; what is not positive is left out."""
        found = [v for v in self.seen.get(name, ()) if np.isfinite(v) and v > 0]
        return float(np.exp(np.mean(np.log(found)))) if found else float("nan")

    def largest(self, name: str) -> float:
        """The largest that was noted; NaN without any."""
        return max(self.seen.get(name, ()), default=float("nan"))
