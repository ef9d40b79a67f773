"""From activations to a few numbers and a histogram. Pure: tensors or arrays in, arrays out.

Two roads, one result. Small tensors of a step are laid end to end and reduced together by numpy, which is what makes
watching a small net cheap. A large one, or one on another device, is reduced by torch where it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from .sketch import BINS, FIRST_CODE, PER_SIGN, SHIFT, ZERO_BIN

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SAMPLE: Final = 8192
"""At most this many values of a tensor are counted into its histogram; moments, extremes and shares see all."""
_CODES: Final = 1 << (32 - SHIFT)
"""Shifted bit patterns of a float32: sign, exponent and leading mantissa bits."""
NEVER: Final = (-np.inf, np.inf)
"""Bounds of saturation for a layer that has none."""


def _bin_of_code() -> Ints:
    codes = np.arange(_CODES)
    magnitude = np.clip((codes & (_CODES // 2 - 1)) - FIRST_CODE + 1, 0, PER_SIGN + 1)
    bins: Ints = np.where(codes >= _CODES // 2, ZERO_BIN - magnitude, ZERO_BIN + magnitude)
    return bins


_BIN_OF_CODE: Final = _bin_of_code()


@dataclass(slots=True)
class Summaries:
    """Summaries of several tensors, in the form a Frame takes.

    Attributes:
        moments: Mean, standard deviation (population), min, max over finite values, NaN if none, shape [n, 4].
        counters: Values, zeros, saturated, non-finite, shape [n, 4].
        bins: Filled bins as row·BINS + bin, increasing, shape [m].
        counts: Sampled values in each, shape [m].
    """

    moments: Floats
    counters: Ints
    bins: Ints
    counts: Ints


def summarize_arrays(
    values: NDArray[np.float32], lengths: Ints, low: NDArray[np.float32], high: NDArray[np.float32]
) -> Summaries:
    """Summaries of small tensors laid end to end, all values counted into the histograms.

    Args:
        values: All values, shape [sum of lengths].
        lengths: How many belong to each tensor, shape [n].
        low: Values below this are saturated, shape [n]; -inf for none.
        high: Values above this are saturated, shape [n].
    """
    rows = len(lengths)
    row = np.repeat(np.arange(rows), lengths)
    counters = np.zeros((rows, 4), np.int64)
    counters[:, 0] = lengths
    finite = np.isfinite(values)
    if not finite.all():
        counters[:, 3] = np.bincount(row[~finite], minlength=rows)
        values, row = values[finite], row[finite]
        lengths = lengths - counters[:, 3]
    moments = np.full((rows, 4), np.nan)
    some = np.flatnonzero(lengths)
    if len(some):
        starts = np.concatenate([[0], np.cumsum(lengths[some])[:-1]])
        _moments(values, lengths[some], starts, moments, some)
        counters[:, 1] = np.bincount(row[values == 0], minlength=rows)
        if np.isfinite(low).any() or np.isfinite(high).any():
            outside = (values < np.repeat(low[some], lengths[some])) | (values > np.repeat(high[some], lengths[some]))
            counters[:, 2] = np.bincount(row[outside], minlength=rows)
    return Summaries(moments, counters, *_histograms(values, row, rows))


def _moments(values: NDArray[np.float32], lengths: Ints, starts: Ints, out: Floats, rows: Ints) -> None:
    """In float64 and about the mean: exact even where the mean is a thousand standard deviations."""
    wide = values.astype(np.float64)
    mean = np.add.reduceat(wide, starts) / lengths
    wide -= np.repeat(mean, lengths)
    np.square(wide, out=wide)
    out[rows, 0], out[rows, 1] = mean, np.sqrt(np.add.reduceat(wide, starts) / lengths)
    out[rows, 2], out[rows, 3] = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def _histograms(values: NDArray[np.float32], row: Ints, rows: int) -> tuple[Ints, Ints]:
    code = (np.ascontiguousarray(values).view(np.uint32) >> SHIFT) + row.astype(np.uint32) * np.uint32(_CODES)
    dense = np.bincount(code.view(np.int32), minlength=rows * _CODES)
    filled = np.flatnonzero(dense)
    return _to_bins(filled // _CODES, filled % _CODES, dense[filled])


def _to_bins(row: Ints, code: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Codes as bins, in order; those beyond the outermost edges, and the tiny ones, share a bin."""
    bins, place = np.unique(row * BINS + _BIN_OF_CODE[code], return_inverse=True)
    return bins, np.bincount(place, count, len(bins)).astype(np.int64)


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
    code = (sample.view(torch.int32) >> SHIFT) & (_CODES - 1)
    # bincount would wait for a GPU to learn its largest value; adding to a fixed range does not.
    counts = torch.zeros(_CODES, dtype=torch.float64, device=x.device)
    return counts.index_add_(0, code, valid.double())


def _empty(device: torch.device) -> Tensor:
    result = torch.zeros(8 + _CODES, dtype=torch.float64, device=device)
    result[4:8] = float("nan")
    return result


def unpack(vectors: Floats) -> Summaries:
    """Summaries from what `reduce_tensor` gave for n tensors, stacked to shape [n, 8 + 4096]."""
    row, code = np.nonzero(vectors[:, 8:])
    bins, counts = _to_bins(row, code, vectors[row, 8 + code].astype(np.int64))
    return Summaries(vectors[:, 4:8].copy(), vectors[:, :4].astype(np.int64), bins, counts)


def join(parts: list[Summaries]) -> Summaries:
    """Several summaries as one, rows behind one another."""
    offsets = np.cumsum([0, *(len(p.moments) for p in parts)])
    return Summaries(
        np.concatenate([p.moments for p in parts]),
        np.concatenate([p.counters for p in parts]),
        np.concatenate([p.bins + o * BINS for p, o in zip(parts, offsets, strict=False)]),
        np.concatenate([p.counts for p in parts]),
    )
