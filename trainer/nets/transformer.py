"""A small language model."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from ..norms import norm
from .initial import linear


class Attention(nn.Module):
    """Causal self-attention (Vaswani et al. 2017, arXiv 1706.03762). Shapes [batch, tokens, width] in and out."""

    def __init__(self, width: int, heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.qkv = linear(width, 3 * width, generator, std=0.02)
        self.out = linear(width, width, generator, std=0.02)
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

    def __init__(self, arm: str, width: int, heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.norm1, self.attention = norm(arm, width, dimensions=0), Attention(width, heads, generator)
        self.norm2 = norm(arm, width, dimensions=0)
        self.fc1, self.act = linear(width, 4 * width, generator, std=0.02), nn.GELU()
        self.fc2 = linear(4 * width, width, generator, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes [batch, tokens, width] in and out."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.fc2(self.act(self.fc1(self.norm2(x))))
        return out


class Embedding(nn.Module):
    """Of tokens and of their places. Input shape [batch, tokens] of integers, output shape [batch, tokens, width]."""

    def __init__(self, vocabulary: int, tokens: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(vocabulary, width), nn.Embedding(tokens, width)
        for table in (self.token, self.place):
            nn.init.normal_(table.weight, std=0.02, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both."""
        out: Tensor = self.token(x) + self.place(torch.arange(x.shape[1], device=x.device))
        return out


def transformer(
    arm: str, seed: int = 0, vocabulary: int = 64, tokens: int = 128, width: int = 128, heads: int = 4, blocks: int = 4
) -> nn.Sequential:
    """A decoder with its normalizers before each part (Radford et al. 2019).

    Input shape [batch, tokens] of integers below `vocabulary`, output shape [batch, tokens, vocabulary].
    """
    generator = torch.Generator().manual_seed(seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["embedding"] = Embedding(vocabulary, tokens, width, generator)
    for i in range(1, blocks + 1):
        layers[f"block{i}"] = Block(arm, width, heads, generator)
    layers["norm"] = norm(arm, width, dimensions=0)
    layers["out"] = linear(width, vocabulary, generator, std=0.02)
    return nn.Sequential(layers)
