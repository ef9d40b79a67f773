"""A tensor reduced on its own device to a fixed number of values, without waiting for it. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from .sketch import SHIFT
from .summary import CODES, SAMPLE

if TYPE_CHECKING:
    from torch import Tensor


def reduce_tensor(tensor: Tensor, low: float, high: float) -> Tensor:
    """One tensor (any shape, floating) reduced on its own device, without waiting for it.

    Returns:
        float64, shape [8 + 4096]: count, zeros, saturated, non-finite, mean, standard deviation, min, max; then how
        many of at most SAMPLE evenly spaced values have each shifted bit pattern.
    """
    x = tensor.detach().reshape(-1).float()
    total = x.numel()
    if total == 0:
        return _empty(x.device)
    finite = torch.isfinite(x)
    broken = total - finite.sum()
    safe = torch.where(finite, x, 0.0)
    count = (total - broken).double()
    divisor = count.clamp(min=1)
    mean = safe.sum(dtype=torch.float64) / divisor
    infinity = float("inf")
    smallest, largest = torch.where(finite, x, infinity).amin(), torch.where(finite, x, -infinity).amax()
    # About the mean as a float32, so that the differences are small numbers; their rest is corrected exactly.
    pivot = mean.float()
    rest = mean - pivot.double()
    # In units of the largest difference, so that squares stay within float32.
    unit = torch.maximum(largest - pivot, pivot - smallest)
    unit = torch.where(unit > 0, unit, 1.0)
    deviation = torch.where(finite, (x - pivot) / unit, 0.0)
    spread = _sum_of_squares(deviation) / divisor * unit.double().square() - rest.square()
    none = count == 0
    numbers = torch.stack([mean, spread.clamp(min=0).sqrt(), smallest.double(), largest.double()])
    numbers = torch.where(none, float("nan"), numbers)
    zeros, outside = (x == 0).sum(), ((safe < low) | (safe > high)).sum() - _counted_rest(low, high) * broken
    shares = torch.stack([torch.full_like(mean, total), zeros.double(), outside.double(), broken.double()])
    return torch.cat([shares, numbers, _codes(x, finite)])


def stride(count: int) -> int:
    """Every how many-th of `count` values is sampled.

    It shares no factor with the count, hence with no side of the tensor: a sample never keeps to a few columns.
    """
    step = max(-(-count // SAMPLE), 1)
    while math.gcd(step, count) > 1:
        step += 1
    return step


def _counted_rest(low: float, high: float) -> int:
    """Whether the zeros that stand in for non-finite values would count as saturated."""
    return int(low > 0 or high < 0)


def _sum_of_squares(x: Tensor) -> Tensor:
    """Σx² in float64, from float32 sums of blocks that are too short to lose digits."""
    block = 256
    whole = x.numel() // block * block
    # bmm of rows with themselves reads the data once and writes nothing back.
    blocks = x[:whole].view(-1, 1, block)
    return torch.bmm(blocks, blocks.transpose(1, 2)).sum(dtype=torch.float64) + x[whole:].double().square().sum()


def _codes(x: Tensor, finite: Tensor) -> Tensor:
    step = stride(x.numel())
    sample, valid = x[::step].contiguous(), finite[::step]
    code = (sample.view(torch.int32) >> SHIFT) & (CODES - 1)
    # bincount would wait for a GPU to learn its largest value; adding to a fixed range does not.
    counts = torch.zeros(CODES, dtype=torch.float64, device=x.device)
    return counts.index_add_(0, code, valid.double())


def _empty(device: torch.device) -> Tensor:
    result = torch.zeros(8 + CODES, dtype=torch.float64, device=device)
    result[4:8] = float("nan")
    return result
