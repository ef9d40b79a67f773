"""The largest eigenvalue of the loss's Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .untouched import untouched

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Sharpness:
    """The largest eigenvalue of the Hessian, and how exact it is.

    Attributes:
        value: Signed: of a loss that is concave everywhere it is negative.
        residual: ‖Hv − λv‖₂ of the eigenvector v of length 1: an eigenvalue lies within this of `value`.
        iterations: Hessian-vector products that it took.
    """

    value: float
    residual: float
    iterations: int


def sharpness(
    model: nn.Module, closure: Callable[[], Tensor], iterations: int = 30, tolerance: float = 1e-3, seed: int = 0
) -> Sharpness:
    """The largest eigenvalue of ∇²L at the present weights, on the closure's batch, in the mode the model is in.

    C. Lanczos, 1950, with full reorthogonalization, on Hessian-vector products (B. Pearlmutter, 1994). It is
    what Cohen et al. 2021 (arXiv 2103.00065) call sharpness: gradient descent on a quadratic diverges where it exceeds
    2/η. Leaves no trace; the first vector is drawn from a generator of its own.

    Args:
        model: The net; parameters that need no gradient are left out.
        closure: Computes the loss.
        iterations: At most so many products.
        tolerance: Stop when the residual is below this share of the eigenvalue.
        seed: Of the first vector.

    Raises:
        ValueError: If there is nothing to be differentiated, or `iterations` is not positive.
    """
    weights = [p for p in model.parameters() if p.requires_grad]
    if not weights or iterations < 1:
        raise ValueError(f"{len(weights)} parameters and {iterations} iterations give no eigenvalue")
    with untouched(model), torch.enable_grad():
        gradient = _flat(torch.autograd.grad(closure(), weights, create_graph=True, allow_unused=True), weights)

        def product(vector: Tensor) -> Tensor:
            if not gradient.requires_grad:  # a loss that is linear in the weights
                return torch.zeros_like(vector)
            found = torch.autograd.grad(gradient @ vector, weights, retain_graph=True, allow_unused=True)
            return _flat(found, weights).detach()

        generator = torch.Generator().manual_seed(seed)
        first = torch.randn(gradient.numel(), generator=generator, dtype=torch.float64).to(gradient)
        return _lanczos(product, first / first.norm(), min(iterations, gradient.numel()), tolerance)


def _flat(gradients: tuple[Tensor | None, ...], weights: list[nn.Parameter]) -> Tensor:
    pairs = zip(gradients, weights, strict=True)
    return torch.cat([torch.zeros(p.numel()).to(p) if g is None else g.reshape(-1) for g, p in pairs])


def _lanczos(product: Callable[[Tensor], Tensor], vector: Tensor, iterations: int, tolerance: float) -> Sharpness:
    basis = [vector]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        image = product(basis[-1])
        diagonal.append(float(image @ basis[-1]))
        known = torch.stack(basis)
        for _ in range(2):  # once is not enough in single precision
            image = image - (known @ image) @ known
        length = float(image.norm())
        small = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
        small += torch.diag(torch.tensor(beside, dtype=torch.float64), 1)
        values, vectors = torch.linalg.eigh(small, UPLO="U")
        value, residual = float(values[-1]), length * abs(float(vectors[-1, -1]))
        if len(basis) >= iterations or residual <= tolerance * abs(value):
            return Sharpness(value, residual, len(basis))
        beside.append(length)
        basis.append(image / length)
