"""The loss over a plane through the weights (Li, Xu, Taylor, Studer and Goldstein 2018, arXiv 1712.09913).

What spans the plane is in `normscope.measures.directions`.

Batch normalization uses what it uses in the mode the model is in: in training mode the batch's statistics, in
evaluation mode the running statistics of the weights at the centre, which are not those of weights elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import nn

from .untouched import Untouched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from .directions import Direction

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_VALUES: Final = 1 << 22
"""Weights, of all points together, that are evaluated at once at most."""
_POINTS: Final = 32
"""Points that are evaluated at once at most: with more, activations leave the caches."""
SPACINGS: Final = (4, 2, 1)
"""Of `refined`: first every fourth point along each side, at last every one."""


def surface(
    model: nn.Module,
    closure: Callable[[], Tensor],
    directions: Sequence[Direction],
    a: ArrayLike,
    b: ArrayLike,
    together: int | None = None,
) -> Floats:
    """The loss L(w + a·d_1 + b·d_2) on a grid about the weights w as they are, shape [len(a), len(b)].

    See `losses` for the arguments; the source has 51 × 51 points on [−1, 1]².
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    return losses(model, closure, directions, points, together).reshape(len(x), len(y))


def refined(
    model: nn.Module,
    closure: Callable[[], Tensor],
    directions: Sequence[Direction],
    a: ArrayLike,
    b: ArrayLike,
    together: int | None = None,
) -> Iterator[tuple[int, float, Floats]]:
    """`surface` from coarse to fine, so that it can be looked at while it is computed; in the end the same bit for bit.

    Gives a spacing, the share of all points that have been computed, and the losses at every so manyth of `a` and of
    `b`, for each of SPACINGS with which the last point of both is one of them. Each point is computed once. Between two
    of these the model is as it was, and may be called, but not changed.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    spacings = [s for s in SPACINGS if not ((len(x) - 1) % s or (len(y) - 1) % s)]
    finest = np.ones((len(x), len(y)), np.int64)
    for spacing in reversed(spacings):
        finest[::spacing, ::spacing] = spacing
    lanes = _fitting([p for p in model.parameters() if p.requires_grad]) if together is None else together
    found, computed = np.zeros(finest.size), 0
    for spacing, batches in zip(spacings, _batches(finest.ravel(), spacings, lanes), strict=True):
        for batch in batches:
            i, j = np.divmod(batch, len(y))
            found[batch] = losses(model, closure, directions, np.column_stack([x[i], y[j]]), together)
            computed += len(batch)
        yield spacing, computed / finest.size, found.reshape(finest.shape)[::spacing, ::spacing].copy()


def _batches(finest: Ints, spacings: Sequence[int], lanes: int) -> Iterator[list[Ints]]:
    """For each spacing the points to compute that it still needs, as `losses` takes them.

    What is computed at once depends, in its last bits, on its place among the others. So every point keeps the place
    that it has when all are computed in order, so many `lanes` at once, and those that are left over stay together.
    """
    whole = len(finest) - len(finest) % lanes
    rows = np.arange(whole).reshape(-1, lanes)
    rows = np.take_along_axis(rows, np.argsort(-finest[rows], axis=0, kind="stable"), axis=0)
    rest, done = np.arange(whole, len(finest)), 0
    for spacing in spacings:
        needed = int(np.flatnonzero((finest[rows] >= spacing).any(axis=1)).max(initial=-1)) + 1
        yield [batch for batch in (rest, rows[done:needed].ravel()) if len(batch)]
        rest, done = rest[:0], max(done, needed)


def losses(
    model: nn.Module,
    closure: Callable[[], Tensor],
    directions: Sequence[Direction],
    points: ArrayLike,
    together: int | None = None,
) -> Floats:
    """The losses at points of the plane through the weights as they are, shape [m]; leaves no trace.

    All on the same batch, in the mode the model is in, with the same dropout masks. Many points can be evaluated at
    once, as one batch of nets; each then has buffers of its own, as batch normalization updates running statistics in
    place. The two ways agree up to rounding.

    Args:
        model: The net.
        closure: Computes the loss of a batch by calling `model`, without `backward`.
        directions: Two, each a tensor for every trainable weight by name.
        points: Coordinates (a, b), shape [m, 2].
        together: Points to evaluate at once; 1 for one by one. By default many, but for convolutions, which that can
            make slower, and for closures that it is impossible for (they look at a value, as `item()` does).

    Raises:
        ValueError: If a direction lacks a weight or has it in another shape, or there are no two directions.
    """
    if len(directions) != 2:
        raise ValueError(f"directions: there are {len(directions)}, not 2")
    where = np.asarray(points, np.float64).reshape(-1, 2)
    with Untouched(model) as net:
        for direction in directions:
            net.put(direction)  # it complains of what does not fit
        net.put(net.start)
        most = _fitting(net.weights.values()) if together is None else together
        if most > 1:
            try:
                return _at_once(net, model, closure, directions, where, most)
            except RuntimeError:  # what torch.func cannot do; an error of the closure's own comes again below
                if together is not None:
                    raise
        found = []
        for x, y in where.tolist():
            net.move((x, directions[0]), (y, directions[1]))
            found.append(net.loss(closure))
        return torch.stack(found).cpu().numpy() if found else np.zeros(0)


def _fitting(weights: Collection[Tensor]) -> int:
    if any(p.dim() > 2 for p in weights):
        return 1
    return min(max(_VALUES // sum(p.numel() for p in weights), 1), _POINTS)


class _Holder(nn.Module):
    """Has the model as a part, so that `functional_call` gives it other weights while a closure calls it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, closure: Callable[[], Tensor]) -> Tensor:
        """The closure's loss."""
        return closure().double()


def _at_once(
    net: Untouched,
    model: nn.Module,
    closure: Callable[[], Tensor],
    directions: Sequence[Direction],
    points: Floats,
    most: int,
) -> Floats:
    holder = _Holder(model)
    canonical = {id(p): name for name, p in net.weights.items()}
    # Each place once, also of weights that modules share and of modules that are there twice: torch's own tying of
    # weights does not put the latter back.
    modules = list(holder.named_modules())
    places = [
        (n, canonical[id(p)]) for at, m in modules for n, p in m.named_parameters(at, False) if id(p) in canonical
    ]
    buffers = [(n, b) for at, m in modules for n, b in m.named_buffers(at, False)]

    def loss(tensors: dict[str, Tensor]) -> Tensor:
        found: Tensor = torch.func.functional_call(holder, tensors, closure, tie_weights=False)
        return found

    found = []
    for start in range(0, len(points), most):
        chunk = torch.from_numpy(points[start : start + most])
        moved = {}
        for name, w in net.start.items():
            x, y = chunk.T.to(w).view(2, -1, *[1] * w.dim())
            moved[name] = w + x * directions[0][name] + y * directions[1][name]
        tensors = {place: moved[name] for place, name in places}
        # Buffers too are one for each point: what is updated in place must be as many as what it is updated with.
        tensors |= {place: b.expand(len(chunk), *b.shape).clone() for place, b in buffers}
        net.rewind()
        with torch.no_grad():
            found.append(torch.func.vmap(loss, randomness="same")(tensors).reshape(-1))
    return torch.cat(found).cpu().numpy() if found else np.zeros(0)
