"""Internal covariate shift, both kinds: how far layers' inputs move, and how much their gradients change.

The first is what Ioffe and Szegedy 2015 (arXiv 1502.03167) call so: the change of the distribution of a layer's inputs.
The second is definition 2.1 of Santurkar et al. 2018 (arXiv 1805.11604). They are different quantities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from . import sketch
from .blocks import blocks_of, flat, set_weights
from .untouched import untouched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from .blocks import Block


@dataclass(frozen=True, slots=True)
class Drift:
    """How far apart two sets of activations are, each number a mean over units.

    Attributes:
        wasserstein: Wasserstein-1, in the values' unit.
        relative: The same over the mean of the units' standard deviations in the first set.
        kolmogorov_smirnov: The largest difference of the cumulative distributions, in [0, 1].
        jensen_shannon: Jensen–Shannon divergence in bits, in [0, 1], of all units together in the fixed bins.
        mean: |difference of means| over the mean of the standard deviations.
        log_variance: |difference of the variances' logarithms|, of units that vary in both.
    """

    wasserstein: float
    relative: float
    kolmogorov_smirnov: float
    jensen_shannon: float
    mean: float
    log_variance: float


def distances(before: Tensor, after: Tensor) -> Drift:
    """How far the distribution of each unit has moved.

    Per unit, because normalization fixes what all units together look like, whatever single ones do.

    Args:
        before: Activations, shape [batch, units], [batch, channels, …] or [n].
        after: As many, of the same shape.

    Raises:
        ValueError: If their shapes differ or there are none.
    """
    if before.shape != after.shape or not before.numel():
        raise ValueError(f"activations of shapes {list(before.shape)} and {list(after.shape)} cannot be compared")
    a, b = _by_unit(before), _by_unit(after)
    spread = a.std(0, correction=0).mean()
    # In one dimension the optimal transport of equally many samples is that of the sorted ones.
    moved = (a.sort(0).values - b.sort(0).values).abs().mean()
    shifted = (a.mean(0) - b.mean(0)).abs().mean()
    va, vb = a.var(0, correction=0), b.var(0, correction=0)
    vary = (va > 0) & (vb > 0)
    logs = (va[vary].log() - vb[vary].log()).abs().mean()
    joint = sketch.jensen_shannon(sketch.histogram(a.numpy()), sketch.histogram(b.numpy()))
    return Drift(
        wasserstein=moved.item(), relative=(moved / spread).item(), kolmogorov_smirnov=_kolmogorov_smirnov(a, b),
        jensen_shannon=joint, mean=(shifted / spread).item(), log_variance=logs.item(),
    )  # fmt: skip


def _by_unit(x: Tensor) -> Tensor:
    """Shape [values, units], float64, on the CPU."""
    x = x.detach().double().cpu()
    if x.dim() == 1:
        return x.unsqueeze(1)
    return x.flatten(2).transpose(1, 2).flatten(0, 1) if x.dim() > 2 else x


def _kolmogorov_smirnov(a: Tensor, b: Tensor) -> float:
    """The mean over columns of the two-sample statistic."""
    both = torch.cat([a, b]).T.contiguous()
    sides = [torch.searchsorted(x.T.contiguous().sort(1).values, both, right=True) / len(x) for x in (a, b)]
    return (sides[0] - sides[1]).abs().amax(1).mean().item()


def inputs(model: nn.Module, layers: Sequence[str], x: Tensor) -> dict[str, Tensor]:
    """What arrives at some modules when the model is given `x`, in the mode it is in, by name; no trace is left.

    Raises:
        AttributeError: If there is no such module.
    """
    found: dict[str, Tensor] = {}

    def taker(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        # Cloned: what comes later may work in place.
        return lambda _module, args: found.__setitem__(name, args[0].detach().clone())

    handles = [model.get_submodule(name).register_forward_pre_hook(taker(name)) for name in layers]
    try:
        with untouched(model), torch.no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


@dataclass(frozen=True, slots=True)
class GradientChange:
    """How much each layer's gradient changes when the layers before it move; each of shape [blocks].

    Attributes:
        l2: ‖G′ − G‖₂.
        relative: ‖G′ − G‖₂ / ‖G‖₂; NaN where the gradient is zero.
        cosine: Of the angle between G and G′; NaN where either is zero.
    """

    l2: NDArray[np.float64]
    relative: NDArray[np.float64]
    cosine: NDArray[np.float64]


def gradient_change(
    model: nn.Module,
    closure: Callable[[], Tensor],
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    blocks: Sequence[Block] | None = None,
) -> GradientChange:
    """Santurkar et al. 2018, arXiv 1805.11604, definition 2.1, for every layer.

    G is the gradient of the loss with respect to a layer's parameters at the weights before an update; G′ the same with
    the layers before it where the update has put them. Same batch, same mode, same dropout masks; the first layer's
    is exactly 0. Takes as many passes as there are blocks, and leaves no trace.

    Args:
        model: The net.
        closure: Computes the mini-batch's loss.
        before: Every parameter before the update, by name.
        after: The same after it, as the optimizer really set them.
        blocks: Names of the parameters of each layer, from the input on; as `blocks_of` has them unless given.
    """
    blocks = blocks_of(model) if blocks is None else blocks
    parameters = dict(model.named_parameters())
    rows = []
    with untouched(model) as rewind, torch.enable_grad():
        set_weights(model, before)

        def gradient(names: Block) -> list[Tensor]:
            rewind()
            wanted = [parameters[name] for name in names if parameters[name].requires_grad]
            found = torch.autograd.grad(closure(), wanted, allow_unused=True)
            return [torch.zeros_like(p) if g is None else g for p, g in zip(wanted, found, strict=True)]

        every = [name for block in blocks for name in block]
        known = dict(zip([n for n in every if parameters[n].requires_grad], gradient(every), strict=True))
        for i, block in enumerate(blocks):
            if i:
                set_weights(model, after, blocks[i - 1])
            then = flat(known[name] for name in block if name in known)
            now = flat(gradient(block)) if i else then
            rows.append(torch.stack([(now - then).norm(), then.norm(), now.norm(), now @ then]))
    change, length, other, product = torch.stack(rows).cpu().numpy().T
    with np.errstate(divide="ignore", invalid="ignore"):
        return GradientChange(change, change / length, product / (length * other))
