"""Directions in the space of a net's weights that span a plane worth looking at.

Two random directions that are scaled like the weights, filter by filter, or the two leading principal components of the
path that training has taken (Li, Xu, Taylor, Studer and Goldstein 2018, arXiv 1712.09913, sections 4 and 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .untouched import inner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    Floats = NDArray[np.float64]
    Direction = Mapping[str, Tensor]


def random_directions(model: nn.Module, seed: int, count: int = 2) -> tuple[dict[str, Tensor], ...]:
    """Filter-normalized random directions: d_ij ← d_ij / ‖d_ij‖ · ‖θ_ij‖ (Li et al. 2018, section 4).

    A filter is an entry along a weight's first axis: what one output unit or channel is computed with. Biases and
    normalizers' parameters, all weights with one axis, stay where they are, as do weights that are zero.

    Args:
        model: The net.
        seed: Of the directions; the same on every device, and nothing else draws from it.
        count: How many.

    Returns:
        Of each, a tensor for every trainable weight by name.
    """
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        {n: _scaled(p.detach(), generator) for n, p in model.named_parameters() if p.requires_grad}
        for _ in range(count)
    )


def _scaled(weight: Tensor, generator: torch.Generator) -> Tensor:
    if weight.dim() < 2:
        return torch.zeros_like(weight)
    drawn = torch.randn(weight.shape, generator=generator, device="cpu").to(weight).flatten(1)
    ratio = weight.flatten(1).norm(dim=1) / drawn.norm(dim=1)
    scaled: Tensor = drawn * ratio[:, None]
    return scaled.view_as(weight)


@dataclass(frozen=True, slots=True)
class Principal:
    """The plane that a path of weights keeps closest to.

    Attributes:
        directions: Two orthonormal directions, each a tensor for every weight by name; the second is zero if the path
            is straight.
        explained: Their shares of the path's variance, shape [2].
    """

    directions: tuple[dict[str, Tensor], dict[str, Tensor]]
    explained: Floats


def principal_directions(path: Sequence[Mapping[str, Tensor]]) -> Principal:
    """The two leading principal components of a path of weights (Li et al. 2018, section 7), about its mean.

    A path that drifts at random has much of its variance in two components, too, so the share alone shows little
    (Antognini and Sohl-Dickstein 2018, arXiv 1806.08805).

    Args:
        path: Weights by name, as `normscope.measures.untouched.snapshot` copies them, at three or more steps.

    Raises:
        ValueError: If there are fewer than three, or all are the same.
    """
    if len(path) < 3:
        raise ValueError(f"path: {len(path)} points have no two principal components; it takes 3")
    gram = np.zeros((len(path), len(path)))  # as many rows as points: weights may be many more
    for name in path[0]:
        x = _centred(path, name)
        gram += (x @ x.T).cpu().numpy()
    values, vectors = np.linalg.eigh(gram)
    variance = np.maximum(values[:-3:-1], 0)
    if variance[0] == 0:
        raise ValueError("path: all its points are the same")
    length = np.where(variance > 1e-12 * variance[0], np.sqrt(variance), np.inf)
    mixes = vectors[:, :-3:-1] / length
    mixes *= np.sign(mixes[-1]) + (mixes[-1] == 0)  # the path ends on the positive side: a sign is chance otherwise
    directions = tuple(
        {n: (torch.from_numpy(mix).to(w.device) @ _centred(path, n)).view_as(w).to(w.dtype) for n, w in path[0].items()}
        for mix in mixes.T
    )
    return Principal((directions[0], directions[1]), variance / values.sum())


def _centred(path: Sequence[Mapping[str, Tensor]], name: str) -> Tensor:
    x = torch.stack([weights[name].double().flatten() for weights in path])
    return x - x.mean(dim=0)


def projection(
    path: Sequence[Mapping[str, Tensor]], centre: Mapping[str, Tensor], directions: Sequence[Direction]
) -> Floats:
    """Where a path runs on the plane through `centre`: the nearest point to each of its points, shape [n, 2].

    Exact for points on the plane, also where the directions are not orthogonal, as random ones are not quite.
    """
    names = list(centre)
    d = [[direction[n] for n in names] for direction in directions]
    gram = torch.stack([torch.stack([inner(u, v) for v in d]) for u in d])
    rows = [torch.stack([inner(u, [weights[n] - centre[n] for n in names]) for u in d]) for weights in path]
    sides = torch.stack(rows).cpu().numpy()
    found: Floats = np.linalg.lstsq(gram.cpu().numpy(), sides.T)[0].T
    return found
