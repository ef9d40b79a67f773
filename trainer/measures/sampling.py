"""What depends on which samples there are: mini-batches, and dense and sparse regions. Claims 14 and 15."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from scipy.stats import spearmanr

from normscope.measures.sampling import output_spread
from normscope.measures.untouched import Untouched

from .moment import Measure, Moment

if TYPE_CHECKING:
    from .moment import Series

_INPUTS = 4
"""How many inputs are followed."""


class OutputSpread(Measure):
    """How much the outputs for some inputs depend on the mini-batch that they are in."""

    def before(self, moment: Moment) -> Series:  # noqa: ARG002
        """Variance over 64 random mini-batches, as the net trains and as it is evaluated."""
        size = min(self.spec.batch, len(self.task.train))
        found = {}
        for mode in ("train", "eval"):
            self.net.train(mode == "train")
            spread = output_spread(self.net, self.task.test[:_INPUTS], self.task.train, size, seed=self.spec.seed)
            found[mode] = float(spread.mean())
        self.net.train()
        self.note(**found)
        return {f"output_spread.{mode}": value for mode, value in found.items()}

    def outcome(self) -> dict[str, float]:
        """The mean of what was seen in training, the largest in evaluation."""
        return {"spread_train": self.mean("train"), "spread_eval": self.largest("eval")}


class Density(Measure):
    """The loss of each tenth of the training inputs, by how densely they lie there, and which is learned first."""

    def after(self, moment: Moment) -> Series:
        """`loss`: the mean over each tenth, the sparsest first; `dense` and `sparse` are the last and the first."""
        deciles = self.task.deciles
        assert deciles is not None, "these data have no known density"
        with Untouched(self.net), torch.no_grad():
            self.net.eval()
            losses = torch.nn.functional.cross_entropy(
                self.net(self.task.train), self.task.train_targets, reduction="none"
            )
            self.net.train()
        tenths = [losses[deciles == tenth].mean().item() for tenth in range(_TENTHS)]
        for tenth, loss in enumerate(tenths):
            if loss < self.spec.target and f"tenth_{tenth}" not in self.seen:
                self.note(**{f"tenth_{tenth}": moment.step + 1})
        return {"density.dense": tenths[-1], "density.sparse": tenths[0], "density.loss": tenths}

    def outcome(self) -> dict[str, float]:
        """Steps until tenths are learned, all of them where one is not.

        Gives those of the sparsest and of the densest; their ratio, `density_order`; and `density_rank`, the rank
        correlation, over all tenths, of how sparse one is and how many steps it takes (C. Spearman, 1904): 1 where each
        tenth takes longer than all that are denser.
        """
        steps = [self.seen.get(f"tenth_{tenth}", [float(self.spec.steps)])[0] for tenth in range(_TENTHS)]
        sparse, dense = steps[0], steps[-1]
        order = sparse / dense if any(f"tenth_{tenth}" in self.seen for tenth in (0, _TENTHS - 1)) else math.nan
        rank = math.nan if len(set(steps)) < 2 else -float(spearmanr(range(_TENTHS), steps).statistic)
        return {"steps_dense": dense, "steps_sparse": sparse, "density_order": order, "density_rank": rank}


_TENTHS = 10
