"""Leave no trace: what a measurement changes in a model is put back, bit for bit."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[Callable[[], None]]:
    """Put back weights, their `.grad`, buffers, mode and random state, however the block is left.

    Gives a function that rewinds buffers and random state, so that every evaluation in the block sees the same
    dropout masks and the same running statistics. All of it goes through `.data`: for autograd the weights have not
    changed, and a graph that is still held stays valid.
    """
    weights = list(model.parameters())
    devices = sorted({p.get_device() for p in weights if p.is_cuda})
    data = [p.detach().clone() for p in weights]
    grads = [p.grad for p in weights]
    modes = [(m, m.training) for m in model.modules()]
    buffers = [(m, n, b, b.detach().clone()) for m in model.modules() for n, b in m.named_buffers(recurse=False)]
    cpu, *cuda = random_states(devices)

    def rewind() -> None:
        torch.set_rng_state(cpu)
        for device, state in zip(devices, cuda, strict=True):
            torch.cuda.set_rng_state(state, device)
        for module, name, buffer, value in buffers:
            if getattr(module, name) is not buffer:  # a forward pass may put another tensor in its place
                setattr(module, name, buffer)
            buffer.data.copy_(value)

    try:
        yield rewind
    finally:
        for p, value, grad in zip(weights, data, grads, strict=True):
            p.data.copy_(value)
            p.grad = grad
        for module, mode in modes:
            module.training = mode
        rewind()


def random_states(devices: list[int]) -> list[Tensor]:
    """The state of the random generators of the CPU and of some GPUs."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state(d) for d in devices)]
