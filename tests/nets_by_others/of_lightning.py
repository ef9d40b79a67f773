"""Nets that Lightning brings to be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from torch.nn.functional import nll_loss

from .net import from_package, tokens

if TYPE_CHECKING:
    from torch import Tensor


def continued(net: Any) -> Tensor:
    """How unlikely a recurrent net thinks random tokens, from a state of nothing."""
    guessed, _ = net(tokens(), net.init_hidden(2))
    return nll_loss(guessed, tokens().flatten())


def translated(net: Any) -> Tensor:
    """How unlikely an encoder and decoder think random tokens."""
    return nll_loss(net(tokens(), tokens()), tokens().flatten())


NETS: Final = (
    from_package("lightning", "pytorch.demos.lstm.SimpleLSTM", "recurrent", continued, vocab_size=64, ninp=16, nhid=16),
    from_package("lightning", "pytorch.demos.transformer.Transformer", "attention", translated, vocab_size=64, ninp=16,
                 nhid=32),
)  # fmt: skip
