"""Batch normalization of which one half is left out, computed from statistics that autograd sees."""

from __future__ import annotations

import torch
from torch import Tensor

from .batch import BatchNorm


class MeasuredBatchNorm(BatchNorm):
    """The base of variants that need the batch's statistics themselves."""

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each unit, shape [units]: the batch's in train mode, the running ones in eval mode.

        The batch's are added to the running averages.

        Args:
            x: Shape [batch, …, units].

        Raises:
            ValueError: For a single value of each unit in train mode.
        """
        if not self.training:
            return self.running_mean, self.running_var
        mean, variance, count = self.measure(x)
        if count < 2:
            raise ValueError(f"an input of shape {tuple(x.shape)} has one value of each unit, and so no variance")
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        return mean, variance

    def measure(self, x: Tensor) -> tuple[Tensor, Tensor, float]:
        """Mean and variance of each unit of the batch, and how many values they are of."""
        variance, mean = torch.var_mean(x, tuple(range(x.dim() - 1)), correction=0)
        return mean, variance, x.numel() / x.shape[-1]


class MeanOnlyBatchNorm(MeasuredBatchNorm):
    """y = x − mean + β for each unit (Salimans and Kingma 2016, arXiv 1602.07868, section 4).

    There is no γ, as in the source: where nothing is divided it would only multiply the weights before. The source
    has weight normalization there too; here it is an arm of its own.
    """

    def __init__(self, units: int, dimensions: int) -> None:
        super().__init__(units, dimensions)
        self.register_parameter("weight", None)

    def normalized(self, x: Tensor) -> Tensor:
        """Shapes [batch, units, …]."""
        x = x.movedim(1, -1)
        mean, _ = self.statistics(x)
        return (x - mean + self.bias).movedim(-1, 1)


class VarianceOnlyBatchNorm(MeasuredBatchNorm):
    """y = γ x / √(variance + ε) + β for each unit, the variance being around the mean that is left where it is."""

    def normalized(self, x: Tensor) -> Tensor:
        """Shapes [batch, units, …]."""
        x = x.movedim(1, -1)
        _, variance = self.statistics(x)
        return (x * (self.weight * (variance + self.eps).rsqrt()) + self.bias).movedim(-1, 1)
