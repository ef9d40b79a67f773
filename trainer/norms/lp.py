"""Normalization over the batch by other norms than the standard deviation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LpNorm(nn.Module):
    """y = γ (x − mean) / (mean |x|^p + ε)^{1/p} + β for each unit; for p = ∞ the divisor is max |x| + ε.

    Santurkar et al. 2018, arXiv 1805.11604, section 3.3, who take the norm of x before its mean is subtracted; with
    `shift_first` it is that of x − mean, and p = 2 is batch normalization. Mean and norm are the batch's in train mode,
    without a correction for its size, and their running averages in eval mode. Shapes, in and out: [batch, units],
    [batch, units, h, w], or with `dimensions` 0 [batch, tokens, units].
    """

    running_mean: Tensor
    running_norm: Tensor

    def __init__(
        self, units: int, dimensions: int, p: float, shift_first: bool, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.axis = 1 if dimensions else -1
        self._p, self._shift_first, self.eps, self.momentum = p, shift_first, eps, momentum
        self.weight, self.bias = nn.Parameter(torch.ones(units)), nn.Parameter(torch.zeros(units))
        self.register_buffer("running_mean", torch.zeros(units))
        self.register_buffer("running_norm", torch.ones(units))

    def forward(self, input: Tensor) -> Tensor:
        """The normalized activations."""
        x = input.movedim(self.axis, -1)
        mean, norm = self._statistics(x) if self.training else (self.running_mean, self.running_norm)
        return ((x - mean) * (self.weight / norm) + self.bias).movedim(-1, self.axis)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        dims = tuple(range(x.dim() - 1))
        mean = x.mean(dims)
        size = (x - mean if self._shift_first else x).abs()
        # ε inside the root, where a dead unit's gradient would be infinite without it.
        if math.isinf(self._p):
            norm = size.amax(dims) + self.eps
        else:
            norm = (size.pow(self._p).mean(dims) + self.eps).pow(1 / self._p)
        with torch.no_grad():
            # Not lerp_, which torch.func cannot batch.
            self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean)
            self.running_norm.mul_(1 - self.momentum).add_(self.momentum * norm)
        return mean, norm
