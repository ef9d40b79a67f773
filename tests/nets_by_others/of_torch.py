"""Nets of torch itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from .net import from_package, squared

if TYPE_CHECKING:
    from collections.abc import Callable


def of_sequences(*lengths: int) -> Callable[[nn.Module], Tensor]:
    """A loss on random sequences of vectors, one of each length."""
    return lambda net: squared(net(*(torch.randn(2, length, 16) for length in lengths)))


NETS: Final = (
    from_package("torch", "nn.Transformer", "attention", of_sequences(6, 5), d_model=16, nhead=2, num_encoder_layers=2,
                 num_decoder_layers=2, dim_feedforward=32, batch_first=True),
    from_package("torch", "nn.MultiheadAttention", "attention", lambda net: squared(net(*3 * (torch.randn(2, 6, 16),))),
                 embed_dim=16, num_heads=2, dropout=0.1, batch_first=True),
    from_package("torch", "nn.LSTM", "recurrent", of_sequences(6), input_size=16, hidden_size=16, num_layers=2,
                 dropout=0.1, bidirectional=True, batch_first=True),
    from_package("torch", "nn.GRU", "recurrent", of_sequences(6), input_size=16, hidden_size=16, num_layers=2,
                 dropout=0.1, batch_first=True),
)  # fmt: skip
