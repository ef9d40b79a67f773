"""A large tensor, or one on another device, as eight numbers and a sample. Pure.

A tensor in this machine's memory is reduced block by block, each block while the processor's cache holds it. One on a
GPU is reduced there, without waiting for it: the numbers and the sample stay tensors until someone asks for them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from .summary import NUMBERS, SAMPLE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_BLOCK: Final = 1 << 17
"""Values whose squares are added up as float32: more of them would lose digits, and would leave the cache."""
_FAR: Final = 4.0
"""Where a squared mean is so many times the variance, deviations are squared instead of values."""
_SMALLEST: Final = 1e-25
"""Sums of squares below this may have lost values whose squares are no float32."""


@lru_cache(maxsize=4096)
def stride(count: int, most: int = SAMPLE) -> int:
    """Every how many-th of `count` values is sampled, so that they are at most `most`.

    It shares no factor with the count, hence with no side of the tensor: a sample never keeps to a few columns.
    """
    step = max(-(-count // most), 1)
    while math.gcd(step, count) > 1:
        step += 1
    return step


def flat(tensor: Tensor) -> Tensor:
    """The values of a tensor in one dimension, in the order of its memory if it is dense."""
    x = tensor.detach().resolve_neg()
    if x.dim() in (4, 5) and not x.is_contiguous():
        # Channels last: which value comes first makes no difference here, and a copy would cost more than the rest.
        x = x.movedim(1, -1)
    return x.reshape(-1).contiguous()


def reduce_here(x: Tensor, low: float, high: float, place: NDArray[np.float32]) -> tuple[list[float], int]:
    """The NUMBERS of floating values on this machine, and how many of them were put into `place` as a sample.

    The relative error of mean and variance is below 1e-5, also where the mean is a thousand standard deviations.

    Args:
        x: As `flat` gives it, shape [n].
        low: Values below this are saturated.
        high: Values above this are saturated.
        place: Room for a sample.
    """
    x = x.float()
    every = stride(x.numel(), len(place)) if len(place) else 1
    sample = place[: -(-x.numel() // every)]
    sample[:] = x.numpy()[::every][: len(sample)]
    return _reduce(x, low, high), len(sample)


def _reduce(x: Tensor, low: float, high: float) -> list[float]:
    """The NUMBERS of float32 values, by torch and numpy."""
    count, broken = x.numel(), 0
    total = x.sum().item() if count else 0.0
    if not math.isfinite(total):
        x = x[torch.isfinite(x)]
        broken = count - x.numel()
        total = float(x.numpy().sum(dtype=np.float64))
    finite = x.numel()
    if finite == 0:
        return [count, 0, 0, broken, math.nan, math.nan, math.nan, math.nan]
    mean = total / finite
    smallest, largest = (bound.item() for bound in x.aminmax())
    zeros = outside = 0
    squares = 0.0
    bounded = low > -math.inf or high < math.inf
    may_be_zero = smallest <= 0 <= largest
    for block in _blocks(x):
        squares += block.dot(block).item()
        values = block.numpy()
        if may_be_zero:
            zeros += int(np.count_nonzero(values == 0))
        if bounded:
            outside += int(np.count_nonzero(values < low) + np.count_nonzero(values > high))
    variance = squares / finite - mean * mean
    if not variance * _FAR > mean * mean or not math.isfinite(variance) or squares < _SMALLEST:
        mean, variance = _about(x, mean)
    return [count, zeros, outside, broken, mean, math.sqrt(max(variance, 0.0)), smallest, largest]


def _about(x: Tensor, pivot: float) -> tuple[float, float]:
    """Mean and variance by way of deviations from a number near the mean, in float64."""
    total = squares = 0.0
    for block in _blocks(x):
        # By torch: numpy's linear algebra has threads of its own, which for a while go on looking for work afterwards.
        deviation = block.double() - pivot
        total += deviation.sum().item()
        squares += deviation.dot(deviation).item()
    shift = total / x.numel()
    return pivot + shift, squares / x.numel() - shift * shift


def _blocks(x: Tensor) -> tuple[Tensor, ...]:
    return x.split(_BLOCK)  # type: ignore[no-untyped-call,no-any-return]


def widest(device: torch.device) -> torch.dtype:
    """The type of the most exact numbers that a device computes with."""
    return torch.float32 if device.type == "mps" else torch.float64


def reduce_there(x: Tensor, low: float, high: float, most: int = SAMPLE, wide: torch.dtype = torch.float64) -> Tensor:
    """The NUMBERS of values on another device, then a sample of at most `most`, shape [8 + m].

    Nothing here waits for the device. Numbers and sample are of the type `wide`, which has to hold a float32. Mean and
    variance are as exact by float32 as by float64, and counts of up to 2^24 values.
    """
    x, total = x.float(), x.numel()
    if total == 0:
        result = torch.zeros(len(NUMBERS), dtype=wide, device=x.device)
        result[4:] = float("nan")
        return result
    finite = torch.isfinite(x)
    broken = total - finite.sum()
    safe = torch.where(finite, x, 0.0)
    count = (total - broken).to(wide)
    divisor = count.clamp(min=1)
    mean = safe.sum(dtype=wide) / divisor
    infinity = float("inf")
    smallest, largest = torch.where(finite, x, infinity).amin(), torch.where(finite, x, -infinity).amax()
    # About the mean as a float32, so that the differences are small numbers; their rest is corrected.
    pivot = mean.float()
    # In units of the largest difference, so that squares stay within float32.
    unit = torch.maximum(largest - pivot, pivot - smallest)
    unit = torch.where(unit > 0, unit, 1.0)
    deviation = torch.where(finite, (x - pivot) / unit, 0.0)
    if wide is torch.float64:
        rest = mean - pivot.double()
    else:  # a sum of large numbers has lost digits that the sum of their differences has not
        rest = deviation.sum(dtype=wide) / divisor * unit
        mean = pivot + rest
    spread = deviation.square().sum(dtype=wide) / divisor - (rest / unit).square()
    # Zeros stand in for values that are not finite; they must not count as saturated.
    zeros, outside = (x == 0).sum(), ((safe < low) | (safe > high)).sum() - int(low > 0 or high < 0) * broken
    numbers = torch.stack([mean, spread.clamp(min=0).sqrt() * unit, smallest.to(wide), largest.to(wide)])
    numbers = torch.where(count == 0, float("nan"), numbers)
    shares = torch.stack([torch.full_like(mean, total), zeros.to(wide), outside.to(wide), broken.to(wide)])
    return torch.cat([shares, numbers, x[:: stride(total, most)].to(wide)])
