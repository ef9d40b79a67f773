"""Internal covariate shift, both kinds, and what mini-batches add: claims 2, 4, 5, 8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from normscope.measures.activations import inputs
from normscope.measures.shift import gradient_change
from normscope.measures.untouched import Untouched, snapshot

from .moment import Measure, Moment
from .taps import distance, weight_layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from .moment import Series

PROBE = 256
"""Samples of the fixed batch."""


class Drift(Measure):
    """How far the inputs of each layer on a fixed batch move from one measurement to the next.

    The first layer's inputs are the data and never move; it is left out, but where tokens become vectors before it.
    """

    def before(self, moment: Moment) -> Series:  # noqa: ARG002
        """`distance`: Wasserstein-1 in spreads, by layer."""
        now = _inputs(self, self.task.train[:PROBE])
        if not hasattr(self, "_last"):
            self._last: Mapping[str, Tensor] = now
            return {}
        found = [distance(self._last[name], now[name]) for name in now]
        self._last = now
        self.note(mean=float(np.mean(found)), first=found[0], last=found[-1])
        return {"drift.distance": found}

    def outcome(self) -> dict[str, float]:
        """Means over time: of all layers, of the second and of the last one; and their ratio."""
        first, last = self.mean("first"), self.mean("last")
        growth = last / first if first > 0 else float("nan")
        return {"drift": self.mean("mean"), "drift_first": first, "drift_last": last, "drift_growth": growth}


class Sampling(Measure):
    """How far the inputs of each layer differ between two mini-batches at the same weights."""

    def before(self, moment: Moment) -> Series:
        """`distance`: Wasserstein-1 in spreads, by layer from the second."""
        here, there = _inputs(self, moment.x), _inputs(self, moment.next_x)
        found = [distance(here[name], there[name]) for name in here]
        self.note(mean=float(np.mean(found)))
        return {"sampling.distance": found}

    def outcome(self) -> dict[str, float]:
        """The mean over layers and steps."""
        return {"sampling": self.mean("mean")}


def _inputs(measure: Measure, x: Tensor) -> Mapping[str, Tensor]:
    names = list(weight_layers(measure.net))[0 if measure.task.tokens else 1 :]
    return inputs(measure.net, names, lambda: measure.net(x))


class GradientChange(Measure):
    """How much each layer's gradient changes when the layers before it are moved as the optimizer moves them."""

    def after(self, moment: Moment) -> Series:
        """Relative change and cosine, by layer from the second; the first layer's gradient cannot change."""
        found = gradient_change(self.net, lambda: self.loss_of(moment.x, moment.y), moment.start, snapshot(self.net))
        relative, cosine = found.relative[1:], found.cosine[1:]
        self.note(
            relative=float(np.exp(np.mean(np.log(np.maximum(relative, 1e-30))))),
            l2=float(np.mean(found.l2[1:])),
            cosine=float(np.mean(cosine)),
        )
        return {"gradient_change.relative": relative, "gradient_change.cosine": cosine}

    def outcome(self) -> dict[str, float]:
        """Geometric means over layers and steps of the relative change; means of the cosine."""
        return {
            "gradient_change": self.geometric_mean("relative"),
            "gradient_change_l2": self.mean("l2"),
            "gradient_cosine": self.mean("cosine"),
        }


class InitialGradients(Measure):
    """How the gradient with respect to layers' outputs grows towards the input before the first step."""

    def before(self, moment: Moment) -> Series:
        """‖∂L/∂h‖ of each layer's output, in order, at the first step."""
        if moment.step:
            return {}
        outputs: list[Tensor] = []

        def keep(_module: object, _inputs: object, output: Tensor) -> None:
            outputs.append(output)

        modules = [m for name, m in weight_layers(self.net).items() if name != "out"]
        handles = [module.register_forward_hook(keep) for module in modules]
        try:
            with Untouched(self.net):
                gradients = torch.autograd.grad(self.loss_of(moment.x, moment.y), outputs)
        finally:
            for handle in handles:
                handle.remove()
        norms = np.array([g.double().norm().item() for g in gradients])
        if len(norms) > 1 and (norms > 0).all():
            slope = np.polynomial.Polynomial.fit(np.arange(len(norms)), np.log(norms), 1).convert().coef[1]
            self.note(growth=float(np.exp(-2 * slope)))
        return {"initial_gradients.norm": norms}

    def outcome(self) -> dict[str, float]:
        """By what factor the squared norm grows per layer towards the input."""
        return {"gradient_growth": self.mean("growth")}
