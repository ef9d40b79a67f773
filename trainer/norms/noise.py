"""The noise that makes distributions unstable, with normalization before it and without."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from .batch import BatchNorm

MEAN: Final = 0.5
"""Largest absolute mean of a unit's shift, n_μ."""
SPREAD: Final = 1.25
"""Largest mean of a unit's factor, n_σ; the smallest is 1."""
JITTER: Final = 0.1
"""How far samples' shifts lie around their mean at most, r_μ, and the standard deviation of their factors, r_σ."""


def noisy(x: Tensor, seed: int) -> Tensor:
    """s·x + m, of Santurkar et al. 2018, arXiv 1805.11604, algorithm 1.

    For each unit μ ~ U(−n_μ, n_μ) and σ ~ U(1, n_σ); for each value of it, m ~ U(μ − r_μ, μ + r_μ) and s ~ N(σ, r_σ),
    r_σ being a standard deviation. All from a generator of their own with this seed.

    Args:
        x: Shape [batch, …, units].
        seed: Another one for every step.
    """
    generator = torch.Generator(x.device).manual_seed(seed)

    def uniform(size: torch.Size) -> Tensor:
        return torch.rand(size, generator=generator, device=x.device, dtype=x.dtype)

    shift = MEAN * (2 * uniform(x.shape[-1:]) - 1) + JITTER * (2 * uniform(x.shape) - 1)
    factor = 1 + (SPREAD - 1) * uniform(x.shape[-1:])
    factor = factor + JITTER * torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return x * factor + shift  # x first: the result lies in memory as it does


class Noise(nn.Module):
    """Noise without any normalization; none in eval mode. See `noisy`.

    The noise is a function of the seed and of the number of batches so far, a buffer: who sets the buffers back gets
    the same noise again. Shapes are those of batch normalization.
    """

    num_batches_tracked: Tensor

    def __init__(self, dimensions: int, seed: int) -> None:
        super().__init__()
        self.axis, self._seed = 1 if dimensions else -1, seed
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, input: Tensor) -> Tensor:
        """The input and, in train mode, noise."""
        if not self.training:
            return input
        self.num_batches_tracked += 1
        noise = noisy(input.movedim(self.axis, -1), self._seed + int(self.num_batches_tracked))
        return noise.movedim(-1, self.axis)


class NoisyBatchNorm(BatchNorm):
    """Batch normalization and then the noise of `Noise` with this seed: unstable distributions, still normalized."""

    def __init__(self, units: int, dimensions: int, seed: int) -> None:
        super().__init__(units, dimensions)
        self._seed = seed

    def normalized(self, x: Tensor) -> Tensor:
        """In eval mode the same as batch normalization."""
        y = super().normalized(x)
        if not self.training:
            return y
        return noisy(y.movedim(1, -1), self._seed + int(self.num_batches_tracked)).movedim(-1, 1)
