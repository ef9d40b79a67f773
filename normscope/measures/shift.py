"""Two shifts that are not the same: of a layer's inputs, and of its gradient.

*Distributional drift* compares a layer's inputs at two steps (Ioffe and Szegedy 2015, arXiv 1502.03167, who call its
cause internal covariate shift). *Gradient change* compares a layer's gradient before and after the layers below it have
moved (Santurkar, Tsipras, Ilyas and Mądry 2018, arXiv 1805.11604, definition 2.1, who give it the same name).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .. import sketch
from .blocks import checked
from .untouched import Untouched, inner, norm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from .blocks import Blocks

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one distribution is from an earlier one; NaN where there is nothing to measure it by.

    Attributes:
        wasserstein: Wasserstein-1 distance ∫ |F_a − F_b| dx, in the values' unit.
        wasserstein_relative: The same in standard deviations of the earlier values.
        jensen_shannon: Jensen–Shannon divergence over the fixed bins of `normscope.sketch`, in bits, in [0, 1].
        kolmogorov_smirnov: max |F_a − F_b|, in [0, 1].
        mean: |Δ mean| in standard deviations of the earlier values.
        log_variance: Natural logarithm of the later variance over the earlier one; it has a sign.
    """

    wasserstein: float
    wasserstein_relative: float
    jensen_shannon: float
    kolmogorov_smirnov: float
    mean: float
    log_variance: float


def distances(a: ArrayLike | Tensor, b: ArrayLike | Tensor) -> Drift:
    """The drift from values `a` to values `b`, of any shapes, all of a tensor's values together.

    Exact but for Jensen–Shannon. Values that are not finite are left out. A distribution without any spread (all values
    equal, before or after) has no logarithm of a variance, and before, nothing to measure a distance relative to.
    """
    one, other = (x[np.isfinite(x)][:, None] for x in (_array(a).ravel(), _array(b).ravel()))
    if not len(one) or not len(other):
        return Drift(*[float("nan")] * 6)
    return Drift(*(float(column[0]) for column in _columns(one, other)))


def unit_distances(a: ArrayLike | Tensor, b: ArrayLike | Tensor, axis: int = 1) -> Drift:
    """The drift of each unit by itself, averaged over the units: what normalizing each unit would take away.

    Args:
        a: Values whose `axis` counts units or channels.
        b: The same units later; other axes may differ in length.
        axis: Which one.

    Returns:
        Means over those units for which a number is defined.

    Raises:
        ValueError: If there are not equally many units, or values that are not finite.
    """
    one, other = (rows.T.astype(np.float64) for rows in _units(a, b, axis))
    return Drift(*(_mean(column) for column in _columns(one, other)))


def unit_wasserstein(a: ArrayLike | Tensor, b: ArrayLike | Tensor, axis: int = 1) -> Floats:
    """The Wasserstein-1 distance alone, of each unit, shape [units]; arguments and errors as of `unit_distances`.

    Of as many values before as after it is the mean distance of the sorted ones, which takes a small part of the time
    of the rest.
    """
    one, other = _units(a, b, axis)
    if one.shape != other.shape:
        return _columns(one.T.astype(np.float64), other.T.astype(np.float64))[0]
    found: Floats = np.abs(np.sort(one).astype(np.float64) - np.sort(other)).mean(axis=1)
    return found


def _units(a: ArrayLike | Tensor, b: ArrayLike | Tensor, axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Each unit's values as a row, in the precision they have."""
    one, other = (
        np.ascontiguousarray(np.moveaxis(x, axis, 0)).reshape(x.shape[axis], -1) for x in (_given(a), _given(b))
    )
    if len(one) != len(other):
        raise ValueError(f"units: there are {len(one)} in a and {len(other)} in b")
    if not np.isfinite(one).all() or not np.isfinite(other).all():
        raise ValueError("values: some are not finite")
    return one, other


def _mean(values: Floats) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _array(values: ArrayLike | Tensor) -> Floats:
    return np.asarray(_given(values), dtype=np.float64)


def _given(values: ArrayLike | Tensor) -> NDArray[Any]:
    if not isinstance(values, Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    return (values if values.dtype in (torch.float32, torch.float64) else values.double()).numpy()


def _columns(a: Floats, b: Floats) -> tuple[Floats, ...]:
    """The numbers of a Drift, each for all columns of `a` (shape [n, units]) and `b` (shape [m, units])."""
    n, m = len(a), len(b)
    both = np.concatenate([a, b])
    order = np.argsort(both, axis=0)
    widths = np.diff(np.take_along_axis(both, order, axis=0), axis=0)
    # Steps of m and -n in whole numbers, divided last: their sums have no residue.
    gap = np.abs(np.cumsum(np.where(order < n, m, -n), axis=0)[:-1]) / (n * m)
    wasserstein = np.sum(gap * widths, axis=0)
    smirnov = np.max(gap * (widths > 0), axis=0, initial=0.0)  # among equal values the sums mean nothing
    # About one of the values, so that equal values have a variance of exactly zero.
    variance_a, variance_b = (np.var(x - x[0], axis=0) for x in (a, b))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(variance_a > 0, np.sqrt(variance_a), np.nan)
        moved = np.abs(b.mean(axis=0) - a.mean(axis=0)) / spread
        grown = np.where((variance_a > 0) & (variance_b > 0), np.log(variance_b / variance_a), np.nan)
    shannon = [sketch.jensen_shannon(sketch.histogram(p), sketch.histogram(q)) for p, q in zip(a.T, b.T, strict=True)]
    return wasserstein, wasserstein / spread, np.array(shannon), smirnov, moved, grown


@dataclass(frozen=True, slots=True)
class GradientChange:
    """How much each layer's gradient changes because the layers before it move.

    Attributes:
        names: The blocks of weights, in forward order.
        l2: ‖G′ − G‖₂ for each, shape [k]; exactly zero for the first, which has none before it.
        relative: ‖G′ − G‖₂ / ‖G‖₂, shape [k]: comparable between nets whose gradients differ in scale, as those with
            and without a normalizer do.
        cosine: cos(G, G′), shape [k]; NaN where either is zero.
    """

    names: tuple[str, ...]
    l2: Floats
    relative: Floats
    cosine: Floats


def gradient_change(
    model: nn.Module,
    closure: Callable[[], Tensor],
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    blocks: Blocks | None = None,
) -> GradientChange:
    """Compare each block's gradient with what it becomes once the blocks before it have moved; leaves no trace.

    With weights W_1 … W_k at step t, for block i: G = ∇_{W_i} L(W_1ᵗ, …, W_kᵗ; x, y) and
    G′ = ∇_{W_i} L(W_1ᵗ⁺¹, …, W_{i−1}ᵗ⁺¹, W_iᵗ, …, W_kᵗ; x, y) on the same batch, in the mode the model is in, with the
    same dropout masks (Santurkar, Tsipras, Ilyas and Mądry 2018, arXiv 1805.11604, definition 2.1). Takes k forward
    passes, and as many backward passes of which each ends at its block.

    Args:
        model: The net, at any weights.
        closure: Computes the loss of step t's batch, without `backward`.
        before: The trainable weights at t, by name, as `normscope.measures.untouched.snapshot` copies them.
        after: The same at t + 1, as the optimizer has really set them.
        blocks: Names of weights by the name of their block, in forward order; by default the model's layers, each with
            the γ and β of the normalizer that follows it. Weights in no block stay as they were before.

    Raises:
        ValueError: If weights are missing or of another shape, or a block names what is no trainable weight.
    """
    chosen = checked(model, blocks)
    order = list(chosen)
    rows = []
    with Untouched(model) as net:
        net.put(before)
        _, whole = net.gradient(closure)
        for i, block in enumerate(order):
            names = chosen[block]
            old = new = [whole[name] for name in names]
            if i:
                net.put(after, chosen[order[i - 1]])
                new = list(net.gradient(closure, names)[1].values())
            change = norm(b - a for a, b in zip(old, new, strict=True))
            rows.append(torch.stack([change, norm(old), norm(new), inner(old, new)]))
        change_, old_, new_, product = torch.stack(rows).cpu().numpy().T
    with np.errstate(divide="ignore", invalid="ignore"):
        return GradientChange(tuple(order), change_, change_ / old_, product / (old_ * new_))
