"""The normalizers that an arm can put between a layer and its activation, exchangeable in every net.

- `none`: nothing; an identity, so that a layer has the same name in every arm and rows can be compared.
- `batch`: batch normalization, torch's own.
- `batch_plain`: the same without γ and β.
- `batch_mean`: only the batch's mean is subtracted.
- `batch_variance`: only divided by the batch's standard deviation.
- `batch_frozen`: with the first training batch's statistics for ever.
- `batch_ghost`: with the statistics of a few samples of the batch at a time.
- `batch_noisy`: batch normalization, and then noise that makes distributions unstable.
- `noise`: that noise alone.
- `batch_population`: with running statistics in train mode too.
- `sync_batch`: with the statistics of the batches of all processes together.
- `layer`: with statistics of each sample (each token) over all units.
- `group`: with statistics of each sample over groups of units.
- `instance`: with statistics of each channel of each image.
- `rms`: each sample (each token) divided by its root mean square.
- `weight`: no activation is touched; the weights of the layer beside are reparametrized by length and direction.
- `l1`, `l2`, `linf`: centred, and divided by the batch's mean absolute value, root mean square, largest absolute value.

Those over the batch use its statistics in train mode and running ones in eval mode, if nothing else is said. A unit
that is the same for all samples gives zeros (β), not NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar, Unpack, cast

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from .batch import BatchNorm, FrozenBatchNorm, GhostBatchNorm, PopulationBatchNorm
from .halves import MeanOnlyBatchNorm, VarianceOnlyBatchNorm
from .lp import LpNorm
from .noise import Noise, NoisyBatchNorm
from .sample import group, instance, layer, rms
from .synchronized import SyncBatchNorm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["NORMS", "Normalize", "Options", "norm"]

L = TypeVar("L", bound=nn.Module)


class Options(TypedDict, total=False):
    """What some normalizers can be told; the others do not mind.

    Attributes:
        ghost: Samples of the smallest ghost batch, 16 unless given.
        shift_first: Whether ℓp norms are of the values after their mean is subtracted; before unless given.
    """

    ghost: int
    shift_first: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a normalizer stands, and what it was told; see `norm`."""

    units: int
    dimensions: int
    seed: int
    ghost: int = 16
    shift_first: bool = False

    def batch(self, affine: bool = True) -> nn.Module:
        match self.dimensions:
            case 1:
                return nn.BatchNorm1d(self.units, affine=affine)
            case 2:
                return nn.BatchNorm2d(self.units, affine=affine)
            case _:
                return BatchNorm(self.units, self.dimensions, affine)

    def lp(self, p: float) -> nn.Module:
        return LpNorm(self.units, self.dimensions, p, self.shift_first)


NORMS: Final[Mapping[str, Callable[[_Place], nn.Module]]] = {
    "none": lambda _: nn.Identity(),
    "batch": lambda at: at.batch(),
    "batch_plain": lambda at: at.batch(affine=False),
    "batch_mean": lambda at: MeanOnlyBatchNorm(at.units, at.dimensions),
    "batch_variance": lambda at: VarianceOnlyBatchNorm(at.units, at.dimensions),
    "batch_frozen": lambda at: FrozenBatchNorm(at.units, at.dimensions),
    "batch_ghost": lambda at: GhostBatchNorm(at.units, at.dimensions, at.ghost),
    "batch_noisy": lambda at: NoisyBatchNorm(at.units, at.dimensions, at.seed),
    "noise": lambda at: Noise(at.dimensions, at.seed),
    "batch_population": lambda at: PopulationBatchNorm(at.units, at.dimensions),
    "sync_batch": lambda at: SyncBatchNorm(at.units, at.dimensions),
    "layer": lambda at: layer(at.units, at.dimensions),
    "group": lambda at: group(at.units, at.dimensions),
    "instance": lambda at: instance(at.units, at.dimensions),
    "rms": lambda at: rms(at.units, at.dimensions),
    "weight": lambda _: nn.Identity(),
    "l1": lambda at: at.lp(1),
    "l2": lambda at: at.lp(2),
    "linf": lambda at: at.lp(math.inf),
}


def norm(arm: str, units: int, dimensions: int = 1, seed: int = 0, **options: Unpack[Options]) -> nn.Module:
    """The normalizer of an arm.

    Args:
        arm: Its name.
        units: Features or channels.
        dimensions: 1 for activations of shape [batch, units], 2 for images [batch, units, h, w], 0 for tokens
            [batch, tokens, units].
        seed: Of its noise, if it makes any.
        options: See `Options`.

    Raises:
        ValueError: For an arm that does not exist, or makes no sense with these dimensions or options.
    """
    if arm not in NORMS:
        raise ValueError(f"unknown arm {arm!r}; there are {', '.join(NORMS)}")
    return NORMS[arm](_Place(units, dimensions, seed, **options))


class Normalize:
    """Gives the layers of one net their arm's normalizers.

    Every normalizer that makes noise gets a seed of its own, which the net's seed decides.
    """

    def __init__(self, arm: str, seed: int = 0, **options: Unpack[Options]) -> None:
        self._arm, self._options = arm, options
        self._seeds = torch.Generator().manual_seed(seed)

    def __call__(self, layer: L, units: int, dimensions: int = 1) -> tuple[L, nn.Module]:
        """A layer with weights, as it stands in this arm, and the normalizer that goes with it.

        Weight normalization is torch's own (Salimans and Kingma 2016, arXiv 1602.07868): w = g v / ‖v‖ for each
        unit, g and v such that the weights stay what they were but for the last digits (4 units in the last place). It
        pickles as a state dict only. Arguments and errors are those of `norm`.
        """
        seed = int(torch.randint(2**62, (), generator=self._seeds))
        normalizer = norm(self._arm, units, dimensions, seed, **self._options)
        return cast(L, weight_norm(layer)) if self._arm == "weight" else layer, normalizer
