"""What depends on which samples there are: mini-batches, and dense and sparse regions. Claims 14 and 15."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

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
    """The loss where training inputs are densest and sparsest, and which is learned first."""

    def after(self, moment: Moment) -> Series:
        """The mean loss over the densest tenth and over the sparsest."""
        assert self.task.deciles is not None, "these data have no known density"
        with Untouched(self.net), torch.no_grad():
            self.net.eval()
            losses = torch.nn.functional.cross_entropy(
                self.net(self.task.train), self.task.train_targets, reduction="none"
            )
            self.net.train()
        dense = losses[self.task.deciles == 9].mean().item()
        sparse = losses[self.task.deciles == 0].mean().item()
        for name, loss in (("dense", dense), ("sparse", sparse)):
            if loss < self.spec.target and name not in self.seen:
                self.note(**{name: moment.step + 1})
        return {"density.dense": dense, "density.sparse": sparse}

    def outcome(self) -> dict[str, float]:
        """Steps until each is learned, all of them where it is not, and their ratio."""
        steps = {name: self.seen.get(name, [float(self.spec.steps)])[0] for name in ("dense", "sparse")}
        learned = any(name in self.seen for name in ("dense", "sparse"))
        order = steps["sparse"] / steps["dense"] if learned else math.nan
        return {"steps_dense": steps["dense"], "steps_sparse": steps["sparse"], "density_order": order}
