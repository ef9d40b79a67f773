"""A small language model."""

from __future__ import annotations

from collections import OrderedDict
from typing import Unpack

import torch
from torch import Tensor, nn

from ..norms import Normalize, Options
from .initial import Initial


class Attention(nn.Module):
    """Causal self-attention (Vaswani et al. 2017, arXiv 1706.03762). Shapes [batch, tokens, width] in and out."""

    def __init__(self, width: int, heads: int, initial: Initial) -> None:
        super().__init__()
        self.qkv = initial.linear(width, 3 * width)
        self.out = initial.linear(width, width)
        self._heads = heads

    def forward(self, x: Tensor) -> Tensor:
        """What each token gathers from those before it."""
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.out(y.transpose(1, 2).reshape(batch, tokens, width))
        return out


class Block(nn.Module):
    """Attention and a two-layer net, each behind a normalizer, each added to its input."""

    def __init__(self, width: int, heads: int, normalize: Normalize, initial: Initial) -> None:
        super().__init__()
        attention = Attention(width, heads, initial)
        attention.qkv, self.norm1 = normalize(attention.qkv, width, dimensions=0)
        self.attention = attention
        fc1, self.norm2 = normalize(initial.linear(width, 4 * width), width, dimensions=0)
        self.fc1, self.act, self.fc2 = fc1, nn.GELU(), initial.linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes [batch, tokens, width] in and out."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.fc2(self.act(self.fc1(self.norm2(x))))
        return out


class Embedding(nn.Module):
    """Of tokens and of their places. Input shape [batch, tokens] of integers, output shape [batch, tokens, width]."""

    def __init__(self, vocabulary: int, tokens: int, width: int, initial: Initial) -> None:
        super().__init__()
        self.token, self.place = initial.embedding(vocabulary, width), initial.embedding(tokens, width)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both."""
        out: Tensor = self.token(x) + self.place(torch.arange(x.shape[1], device=x.device))
        return out


def transformer(
    arm: str,
    seed: int = 0,
    vocabulary: int = 64,
    tokens: int = 128,
    width: int = 128,
    heads: int = 4,
    blocks: int = 4,
    **options: Unpack[Options],
) -> nn.Sequential:
    """A decoder with its normalizers before each part (Radford et al. 2019).

    In the arm "weight" those linear layers are normalized that the normalizers stand before: qkv, fc1 and out. Input
    shape [batch, tokens] of integers below `vocabulary`, output shape [batch, tokens, vocabulary].
    """
    normalize, initial = Normalize(arm, seed, **options), Initial(seed, "normal", std=0.02)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["embedding"] = Embedding(vocabulary, tokens, width, initial)
    for i in range(1, blocks + 1):
        layers[f"block{i}"] = Block(width, heads, normalize, initial)
    out, layers["norm"] = normalize(initial.linear(width, vocabulary), width, dimensions=0)
    layers["out"] = out
    return nn.Sequential(layers)
