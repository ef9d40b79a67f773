"""Normalizers that look at one sample alone, and so are the same in train and eval mode."""

from __future__ import annotations

import math
from typing import Final

from torch import Tensor, nn
from torch.nn.functional import rms_norm

EPS: Final = 1e-5
"""torch's own for all of these but RMSNorm."""


def layer(units: int, dimensions: int) -> nn.Module:
    """Over all units, and places of an image (Ba, Kiros and Hinton 2016, arXiv 1607.06450), γ and β for each unit."""
    return nn.GroupNorm(1, units) if dimensions else nn.LayerNorm(units)


def group(units: int, dimensions: int) -> nn.Module:
    """Over each group of units, and places of an image (Wu and He 2018, arXiv 1803.08494)."""
    return (nn.GroupNorm if dimensions else TokenGroupNorm)(groups(units), units)


def groups(units: int) -> int:
    """How many groups: the most that divide the units and are no more than a group has units, so that none has one.

    At 256 units these are 16 groups of 16; a prime number of units is one group.
    """
    return next(n for n in range(math.isqrt(units), 0, -1) if units % n == 0)


def instance(units: int, dimensions: int) -> nn.Module:
    """Over the places of each channel of an image (Ulyanov et al. 2016, arXiv 1607.08022).

    Raises:
        ValueError: If there are no images.
    """
    if dimensions != 2:
        raise ValueError("instance: a unit has one value in a sample here; this normalizer is for images alone")
    return nn.InstanceNorm2d(units, affine=True)


def rms(units: int, dimensions: int) -> nn.Module:
    """γ x / √(mean x² + ε) over all units, and places of an image (Zhang and Sennrich 2019, arXiv 1910.07467); no β."""
    return (ImageRMSNorm if dimensions == 2 else nn.RMSNorm)(units, eps=EPS)


class TokenGroupNorm(nn.GroupNorm):
    """Group normalization of each token by itself. Shapes [batch, tokens, units]."""

    def forward(self, input: Tensor) -> Tensor:
        """The normalized tokens."""
        return super().forward(input.flatten(0, -2)).view_as(input)


class ImageRMSNorm(nn.RMSNorm):
    """Root mean square normalization over units and places, with a γ for each unit. Shapes [batch, units, h, w]."""

    def forward(self, x: Tensor) -> Tensor:
        """The normalized images."""
        return rms_norm(x, x.shape[1:], eps=self.eps) * self.weight[:, None, None]
