"""Batch normalization of activations of any shape, and variants whose arithmetic torch's own kernel does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm


class BatchNorm(_BatchNorm):
    """torch's batch normalization (Ioffe and Szegedy 2015, arXiv 1502.03167): the base of its variants.

    y = γ (x − mean) / √(variance + ε) + β for each unit. The batch's variance is divided by the number of values, the
    one that is added to the running average by one less. Shapes, in and out: [batch, units], [batch, units, h, w], or
    with `dimensions` 0 [batch, tokens, units]; places and tokens count as batch.
    """

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, units: int, dimensions: int, affine: bool = True) -> None:
        super().__init__(units, affine=affine)
        self.axis = 1 if dimensions else -1

    def _check_input_dim(self, input: Tensor) -> None:
        """Any will do."""

    def forward(self, input: Tensor) -> Tensor:
        """The normalized activations."""
        return self.normalized(input.movedim(self.axis, 1)).movedim(1, self.axis)

    def normalized(self, x: Tensor) -> Tensor:
        """The same for shape [batch, units, …]: what variants do otherwise."""
        return super().forward(x)

    def normalized_by_running(self, x: Tensor) -> Tensor:
        """With running statistics in either mode, without a gradient through them; shapes [batch, units, …]."""
        mean, variance = self.running_mean.clone(), self.running_var.clone()  # backward needs them as they are now
        return batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)


class FrozenBatchNorm(BatchNorm):
    """Normalization with the first training batch's mean and variance for ever: an affine map of each unit.

    They are the running statistics, and constants to the gradient, for that first batch too. γ and β are learned.
    """

    def normalized(self, x: Tensor) -> Tensor:
        """With the statistics as they were found; before any training step, as they are."""
        if self.training and self.num_batches_tracked == 0:
            dims = [d for d in range(x.dim()) if d != 1]
            with torch.no_grad():
                self.running_mean.copy_(x.mean(dims))
                self.running_var.copy_(x.var(dims, correction=0))
                self.num_batches_tracked += 1
        return self.normalized_by_running(x)


class GhostBatchNorm(BatchNorm):
    """Batch normalization of parts of the batch, each by itself (Hoffer, Hubara and Soudry 2017, arXiv 1705.08741).

    A batch is cut into as many equal parts of at least `ghost` samples as it has, so that none is incomplete: 60
    samples are three ghosts of 20 for `ghost` 16. Running statistics take them up one after another, as in the
    source's algorithm 1.

    Raises:
        ValueError: If `ghost` is less than 1.
    """

    def __init__(self, units: int, dimensions: int, ghost: int) -> None:
        if ghost < 1:
            raise ValueError(f"ghost: {ghost} samples are no batch; it is at least 1")
        super().__init__(units, dimensions)
        self._ghost = ghost

    def normalized(self, x: Tensor) -> Tensor:
        """In eval mode the same as batch normalization."""
        ghosts = max(1, len(x) // self._ghost) if self.training else 1
        return torch.cat([BatchNorm.normalized(self, part) for part in x.tensor_split(ghosts)])


class PopulationBatchNorm(BatchNorm):
    """Normalization with running statistics in train mode too, as they were before this batch.

    So a sample's output does not depend on the others, and no gradient flows through the statistics. They begin at
    mean 0 and variance 1, that is without any effect, and take ten or twenty steps to arrive (momentum 0.1).
    """

    def normalized(self, x: Tensor) -> Tensor:
        """In eval mode the same as batch normalization."""
        y = self.normalized_by_running(x)
        if self.training:
            with torch.no_grad():
                super().normalized(x)  # for the sake of the running statistics
        return y
