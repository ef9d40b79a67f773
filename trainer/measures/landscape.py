"""The loss around the weights, and what steps do there: claims 6, 7, 9, 16."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from normscope.measures.curvature import sharpness
from normscope.measures.interaction import interaction, next_batch_effect
from normscope.measures.landscape import along_gradient
from normscope.measures.untouched import snapshot

from .moment import Measure, Moment

if TYPE_CHECKING:
    from torch import Tensor

    from normscope.measures.landscape import AlongGradient as Along

    from .moment import Series

_SAMPLES = 2000
"""Of which the sharpness is found: all of the digits, and the first of larger sets."""
_LENGTHS = tuple(float(f) for f in np.geomspace(0.5, 4, 8))


class AlongGradient(Measure):
    """Sums up the looks along the gradient that the loop makes."""

    def take(self, found: Along) -> None:
        """Keep a look."""
        self.note(
            range=float(np.ptp(found.loss)),
            predictiveness=float(np.max(found.predictiveness)),
            beta=float(np.nanmax(found.beta)) if np.isfinite(found.beta).any() else math.nan,
        )

    def outcome(self) -> dict[str, float]:
        """Geometric means over steps: they span orders of magnitude."""
        return {
            "loss_range": self.geometric_mean("range"),
            "predictiveness": self.geometric_mean("predictiveness"),
            "beta": self.geometric_mean("beta"),
        }


class Matched(Measure):
    """The same for steps whose length is a share of the weights' length, whatever the gradient's is."""

    def before(self, moment: Moment) -> Series:
        """`range` of losses for steps of ½ to 4 % of the weights' length."""
        weights = [p for p in self.net.parameters() if p.requires_grad and p.grad is not None]
        length = math.sqrt(sum(p.detach().double().square().sum().item() for p in weights))
        steepness = math.sqrt(sum(p.grad.double().square().sum().item() for p in weights if p.grad is not None))
        if not steepness:
            return {}
        rate = 0.01 * length / steepness
        found = along_gradient(self.net, lambda: self.loss_of(moment.x, moment.y), rate, _LENGTHS)
        extent = float(np.ptp(found.loss))
        self.note(range=extent, predictiveness=float(np.max(found.predictiveness)) / steepness)
        return {"matched.range": extent}

    def outcome(self) -> dict[str, float]:
        """Geometric means over steps; predictiveness relative to the gradient's length."""
        return {
            "matched_range": self.geometric_mean("range"),
            "matched_predictiveness": self.geometric_mean("predictiveness"),
        }


class NextBatch(Measure):
    """Whether a step helps the next mini-batch too, and how much of it is layers moving at once."""

    def after(self, moment: Moment) -> Series:
        """Changes of both losses, and the interaction of layers relative to the sum of what they do alone."""
        end = snapshot(self.net)

        def this() -> Tensor:
            return self.loss_of(moment.x, moment.y)

        def following() -> Tensor:
            return self.loss_of(moment.next_x, moment.next_y)

        effect = next_batch_effect(self.net, this, following, moment.start, end)
        here, there = effect.this, effect.following
        together = interaction(self.net, this, moment.start, end)
        self.note(harmful=here < 0 < there, next=there < 0, interaction=abs(together.ratio))
        return {"next_batch.this": here, "next_batch.next": there, "next_batch.interaction": abs(together.ratio)}

    def outcome(self) -> dict[str, float]:
        """Shares of steps; the median of the interaction."""
        found = [ratio for ratio in self.seen.get("interaction", ()) if np.isfinite(ratio)]
        return {
            "harmful": self.mean("harmful"),
            "helped_next": self.mean("next"),
            "interaction": float(np.median(found)) if found else math.nan,
        }


class Sharpness(Measure):
    """The largest eigenvalue of the loss's Hessian against what gradient descent can bear.

    Of the loss over the training data, whatever the mini-batch is: that of a mini-batch is sharper by chance alone.
    """

    def before(self, moment: Moment) -> Series:  # noqa: ARG002
        """Sharpness times half the rate, and how exact it is."""
        x, y = self.task.train[:_SAMPLES], self.task.train_targets[:_SAMPLES]
        found = sharpness(self.net, lambda: self.loss_of(x, y), iterations=30, seed=self.spec.seed)
        edge = found.value * self.spec.rate / 2
        self.note(edge=edge)
        return {"sharpness.edge": edge, "sharpness.residual": found.residual}

    def outcome(self) -> dict[str, float]:
        """The median of the last third, and the largest."""
        edges = self.seen.get("edge", [])
        last = edges[-max(1, len(edges) // 3) :]
        return {"edge": float(np.median(last)) if last else math.nan, "edge_largest": self.largest("edge")}
