"""Data that are drawn: the same for the same seed, on every machine, in less than a second."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from .task import Data

TRAIN: Final = 4000
TEST: Final = 1000
SIDE: Final = 32
TOKENS: Final = 32
VOCABULARY: Final = 16
LONGEST: Final = 4


def gaussian(samples: int = 1000, units: int = 10, seed: int = 0) -> Data:
    """Linear regression y = A x with x ~ N(0, I) and a Gaussian A, as for the deep linear net.

    Santurkar et al. 2018, arXiv 1805.11604, section 3: 1,000 samples, 10 inputs, 10 outputs. As many again for testing.
    """
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(units, units, generator=generator)
    x = torch.randn(2 * samples, units, generator=generator)
    y = x @ matrix.T
    return Data(x[:samples], y[:samples], x[samples:], y[samples:], units)


def mixture(samples: int = 2000, units: int = 10, seed: int = 0, wide_spread: float | None = None) -> Data:
    """Inputs of which nine in ten lie densely and one in ten sparsely.

    Each component is an isotropic Gaussian with a centre and a spread of its own; the label is the quadrant, around its
    centre and in its spread, that the first two coordinates lie in. So labels are as hard in both, in their own
    spreads; in the units of the input, borders are farther from the points of the wide one, and from whatever is
    sparse. Densities are exact. A quarter as many for testing.
    With `wide_spread` the sparse component has that spread, instead of four times the dense one's.
    """
    wide_spread = WIDE_SPREAD if wide_spread is None else wide_spread
    generator = torch.Generator().manual_seed(seed)
    count = samples + samples // 4
    wide = torch.rand(count, generator=generator) < WIDE_SHARE
    z = torch.randn(count, units, generator=generator)
    spread = torch.where(wide, wide_spread, NARROW_SPREAD).unsqueeze(1)
    x = z * spread
    x[:, 0] += torch.where(wide, CENTRE, -CENTRE)
    labels = 2 * (z[:, 0] > 0).long() + (z[:, 1] > 0).long()
    rank = log_density(x[:samples], wide_spread).argsort().argsort()
    return Data(x[:samples], labels[:samples], x[samples:], labels[samples:], outputs=4, deciles=rank * 10 // samples)


def even_mixture() -> Data:
    """The same with components of one spread: they differ in density alone, ninefold."""
    return mixture(wide_spread=NARROW_SPREAD)


WIDE_SHARE: Final = 0.1
WIDE_SPREAD: Final = 2.0
NARROW_SPREAD: Final = 0.5
CENTRE: Final = 3.0


def log_density(x: Tensor, wide_spread: float = WIDE_SPREAD) -> Tensor:
    """Of the mixture at x, shape [n, units]; shape [n], float64."""
    parts = []
    for share, spread, centre in ((1 - WIDE_SHARE, NARROW_SPREAD, -CENTRE), (WIDE_SHARE, wide_spread, CENTRE)):
        off = x.double().clone()
        off[:, 0] -= centre
        units = x.shape[1]
        quadratic = off.square().sum(1) / (2 * spread**2)
        parts.append(math.log(share) - quadratic - units * math.log(spread * math.sqrt(2 * math.pi)))
    return torch.logsumexp(torch.stack(parts), dim=0)


def phrases(seed: int = 0) -> Data:
    """Rows of tokens, each a phrase of its own of two to four said over and over; to be said is the next token.

    Phrases are drawn from 16 tokens: how often tokens occur says nothing, and nothing can be learned by heart. Whoever
    looks back as far as the phrase is long knows what comes once it has come once, which takes attention; so a mean
    loss of about 0.3 is the least, and ln 16 ≈ 2.77 is guessing. Inputs and targets of shape [32]; 2,000 rows to
    train, 500 to test.
    """
    generator = torch.Generator().manual_seed(seed)
    train, count = TRAIN // 2, (TRAIN + TEST) // 2
    phrase = torch.randint(VOCABULARY, (count, LONGEST), generator=generator)
    length = torch.randint(2, LONGEST + 1, (count, 1), generator=generator)
    rows = phrase.gather(1, torch.arange(TOKENS + 1) % length)
    x, y = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()
    return Data(x[:train], y[:train], x[train:], y[train:], outputs=VOCABULARY)


def shapes(seed: int = 0) -> Data:
    """Colour images of 32×32 with one of ten shapes each, of any place, size and colours, in noise.

    Disc, ring, square, frame, triangle, diagonal cross, plus, horizontal and vertical stripes, chequers. Where a shape
    is says nothing of what it is, nor does any colour: a linear model learns little. 4,000 to train, 1,000 to test.
    """
    generator = torch.Generator().manual_seed(seed)
    count = TRAIN + TEST

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    labels = torch.arange(count) % 10
    labels = labels[torch.randperm(count, generator=generator)]
    radius = uniform(6, 11, 1, 1)
    centre = uniform(11, SIDE - 12, 2)
    line = torch.arange(SIDE, dtype=torch.float32)
    y = (line.view(1, SIDE, 1) - centre[:, 0].view(-1, 1, 1)) / radius
    x = (line.view(1, 1, SIDE) - centre[:, 1].view(-1, 1, 1)) / radius
    inside = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    for label in range(10):
        mine = labels == label
        inside[mine] = _shape(label, x[mine], y[mine])
    ink, paper = uniform(0, 1, 3, 1, 1), uniform(0, 1, 3, 1, 1)
    ink = torch.where((ink - paper).abs() < 0.3, (paper + 0.5) % 1, ink)  # it must be seen
    images = torch.where(inside.unsqueeze(1), ink, paper)
    images = images + 0.1 * torch.randn(images.shape, generator=generator)
    return Data(images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:], outputs=10)


def _shape(label: int, x: Tensor, y: Tensor) -> Tensor:
    """Where a shape is, at coordinates in its own size around its centre."""
    r2, box = x.square() + y.square(), torch.maximum(x.abs(), y.abs())
    square = box < 0.85
    match label:
        case 0:
            return r2 < 1
        case 1:
            return (r2 < 1) & (r2 > 0.36)
        case 2:
            return square
        case 3:
            return square & (box > 0.5)
        case 4:
            return (y < 0.7) & (y > 2 * x.abs() - 1)
        case 5:
            return square & (((x - y).abs() < 0.35) | ((x + y).abs() < 0.35))
        case 6:
            return square & ((x.abs() < 0.25) | (y.abs() < 0.25))
        case 7:
            return square & (torch.remainder(y, 0.5) < 0.25)
        case 8:
            return square & (torch.remainder(x, 0.5) < 0.25)
        case _:
            return square & ((torch.remainder(x, 0.7) < 0.35) ^ (torch.remainder(y, 0.7) < 0.35))
