"""Where derivatives are known: a quadratic; and the whole Hessian of a tiny net."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


class Quadratic(nn.Module):
    """½ wᵀHw in float64, of two blocks of weights, `w` (4) and `v` (2)."""

    def __init__(self, eigenvalues: list[float] | None = None) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        a = torch.randn(6, 6, generator=generator, dtype=torch.float64)
        self.hessian = a + a.T
        if eigenvalues is not None:
            axes = torch.linalg.qr(a)[0]
            self.hessian = axes @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ axes.T
        self.w = nn.Parameter(torch.randn(4, generator=generator, dtype=torch.float64))
        self.v = nn.Parameter(torch.randn(2, generator=generator, dtype=torch.float64))

    def forward(self) -> Tensor:
        w = torch.cat([self.w, self.v])
        loss: Tensor = w @ self.hessian @ w / 2
        return loss


def full_hessian(model: nn.Module, closure: Callable[[], Tensor]) -> NDArray[np.float64]:
    """The Hessian of a loss with respect to all weights, end to end, one row at a time."""
    weights = list(model.parameters())
    gradient = torch.autograd.grad(closure(), weights, create_graph=True)
    rows = []
    for entry in torch.cat([g.reshape(-1) for g in gradient]):
        row: Any = torch.autograd.grad(entry, weights, retain_graph=True, allow_unused=True)
        filled = [torch.zeros_like(p) if r is None else r for p, r in zip(weights, row, strict=True)]
        rows.append(np.concatenate([r.numpy().ravel() for r in filled]))
    return np.stack(rows)


def flat(weights: Mapping[str, Tensor]) -> NDArray[np.float64]:
    """Weights by name, end to end."""
    return np.concatenate([w.numpy().ravel() for w in weights.values()]).astype(np.float64)
