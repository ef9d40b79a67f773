"""The sharpness of the loss: the largest eigenvalue of its Hessian.

At a rate η gradient descent on a full batch drives it up to 2/η, where it hovers (Cohen, Kaur, Li, Kolter and Talwalkar
2021, arXiv 2103.00065).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .untouched import Untouched

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Sharpness:
    """The largest eigenvalue λ of the Hessian H, with what it can be trusted by.

    Attributes:
        value: λ, with its sign: below zero only if all eigenvalues are. NaN if the loss or its derivatives are not
            finite.
        residual: ‖Hv − λv‖₂ for the unit vector v that was found: some eigenvalue is within this distance of λ.
        iterations: Products of the Hessian with a vector until it was found; as many as were allowed if λ has not
            settled.
    """

    value: float
    residual: float
    iterations: int


def sharpness(
    model: nn.Module, closure: Callable[[], Tensor], iterations: int = 100, tolerance: float = 1e-3, seed: int = 0
) -> Sharpness:
    """Find the largest eigenvalue of ∇²L at the weights as they are, on one batch; leaves no trace.

    C. Lanczos' method (1950, doi:10.6028/jres.045.026) with full reorthogonalization, on products Hv by differentiating
    twice (B. Pearlmutter 1994, doi:10.1162/neco.1994.6.1.147), in the mode the model is in: in training mode, that is
    the Hessian of the loss with batch normalization's dependence on the batch. Keeps a vector of the weights' size for
    each iteration. Where a piecewise linear activation has a kink, its second derivative counts as zero.

    Args:
        model: The net.
        closure: Computes the loss of one batch, without `backward`; all its operations need second derivatives.
        iterations: Products at most.
        tolerance: Stop once the residual is at most this share of |λ|.
        seed: Of the vector to begin with.

    Raises:
        ValueError: If there are no iterations, or the model has no trainable weights.
    """
    if iterations < 1:
        raise ValueError(f"iterations: {iterations!r} is not at least 1")
    with Untouched(model) as net:
        weights = list(net.weights.values())
        if not weights:
            raise ValueError(f"model: {type(model).__name__} has no trainable weights")
        size, dtype = sum(p.numel() for p in weights), torch.promote_types(weights[0].dtype, torch.float32)
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(size, generator=generator, dtype=torch.float64, device="cpu").to(weights[0].device, dtype)
        with torch.enable_grad():
            loss = closure()
            product = _hessian(loss, weights)
        basis, vector, done = _lanczos(product, start, min(iterations, size), tolerance)
        if vector is None:
            return Sharpness(math.nan, math.nan, done)
        v = torch.stack(basis).T @ torch.from_numpy(vector).to(start)
        v /= v.norm()
        hv = product(v)
        value = v @ hv
        residual = (hv - value * v).norm()
        return Sharpness(float(value), float(residual), done)


def _hessian(loss: Tensor, weights: list[nn.Parameter]) -> Callable[[Tensor], Tensor]:
    """The product of the Hessian with a vector of all weights end to end."""
    found = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    sizes = [p.numel() for p in weights]
    curved = [i for i, g in enumerate(found) if g is not None and g.requires_grad]
    gradients = [found[i] for i in curved]

    def product(v: Tensor) -> Tensor:
        parts: tuple[Tensor, ...] = v.split(sizes)  # type: ignore[no-untyped-call]
        along = [parts[i].view_as(weights[i]).to(weights[i].dtype) for i in curved]
        if not curved:
            return torch.zeros_like(v)
        rows = torch.autograd.grad(gradients, weights, along, retain_graph=True, allow_unused=True)
        return torch.cat(
            [(torch.zeros_like(p) if r is None else r).reshape(-1) for p, r in zip(weights, rows, strict=True)]
        ).to(v.dtype)

    return product


def _lanczos(
    product: Callable[[Tensor], Tensor], start: Tensor, iterations: int, tolerance: float
) -> tuple[list[Tensor], NDArray[np.float64] | None, int]:
    """An orthonormal basis, in it the eigenvector of the largest eigenvalue (None if not finite), and the products."""
    basis = [start / start.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        w = product(basis[-1])
        diagonal.append(float(w @ basis[-1]))
        for q in (*basis, *basis):  # twice is enough: what the first pass leaves by rounding, the second takes
            w = w - (q @ w) * q
        beside.append(float(w.norm()))
        if not math.isfinite(diagonal[-1] + beside[-1]):
            return basis, None, len(diagonal)
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1))
        if len(diagonal) == iterations or beside[-1] * abs(vectors[-1, -1]) <= tolerance * abs(values[-1]):
            return basis, vectors[:, -1], len(diagonal)
        basis.append(w / beside[-1])
