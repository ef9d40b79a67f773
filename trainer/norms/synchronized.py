"""Batch normalization with the statistics of the batches of all processes that train together."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, distributed, nn

from .halves import MeasuredBatchNorm


class SyncBatchNorm(MeasuredBatchNorm, nn.SyncBatchNorm):
    """torch's own on a GPU; it refuses tensors on the CPU, where the same is computed here over any backend (gloo).

    Without `torch.distributed`, or in a group of one, it is batch normalization. As with torch's, the gradient of the
    input is that of the sum of all processes' losses, and each process has its own share of γ's and β's.
    """

    def normalized(self, x: Tensor) -> Tensor:
        """Shapes [batch, units, …]."""
        alone = not (distributed.is_available() and distributed.is_initialized())
        if alone or x.device.type != "cpu" or not self.training:
            return super().normalized(x)
        x = x.movedim(1, -1)
        mean, variance = self.statistics(x)
        return ((x - mean) * (self.weight * (variance + self.eps).rsqrt()) + self.bias).movedim(-1, 1)

    def measure(self, x: Tensor) -> tuple[Tensor, Tensor, float]:
        """Of all processes' batches together, which may differ in size."""
        dims = tuple(range(x.dim() - 1))
        count = _total(x.new_tensor([x.numel() / x.shape[-1]])).item()
        mean = _total(x.sum(dims)) / count
        variance = _total((x - mean).square().sum(dims)) / count
        return mean, variance, count


def _total(x: Tensor) -> Tensor:
    return cast(Tensor, _Total.apply(x))  # type: ignore[no-untyped-call]


class _Total(torch.autograd.Function):
    """The sum over all processes, of a tensor and, backward, of its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004  torch's signature
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Total.forward(ctx, gradient)
