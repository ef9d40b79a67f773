"""Training of a net, alone or watched, and what that leaves behind."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import normscope

    from .net import Net


@dataclass
class Left:
    """What training leaves behind.

    Attributes:
        losses: Of all steps, shape [steps].
        state: Parameters and buffers, by name.
        gradients: Of the parameters that have one at the last step, by name.
        random: The states of the random numbers of torch, numpy and Python.
        seconds: What the steps took.
    """

    losses: Tensor
    state: dict[str, Tensor]
    gradients: dict[str, Tensor]
    random: tuple[Any, ...]
    seconds: float

    def differing_losses(self, other: Left) -> int:
        """At how many steps the loss was not the same, bit for bit."""
        return sum(not same(a, b) for a, b in zip(self.losses, other.losses, strict=True))

    def differs_in(self, other: Left) -> list[str]:
        """What of it is not the same, bit for bit, by name; nothing if all of it is."""
        found = [] if same(self.losses, other.losses) else ["losses"]
        for name in ("state", "gradients"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine.keys() != theirs.keys() or not all(same(mine[key], theirs[key]) for key in mine):
                found.append(name)
        return [*found, *(["random"] if self.random != other.random else [])]


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are the same bit for bit: a zero has a sign, and what is no number is still itself."""
    bytes_of_a, bytes_of_b = (x.detach().contiguous().reshape(-1).view(torch.uint8) for x in (a, b))
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(bytes_of_a, bytes_of_b)


def train(net: Net, steps: int, watched: Callable[[nn.Module], normscope.Watch] | None = None) -> Left:
    """Train from the same random numbers as ever."""
    with one_thread():
        return _train(begin(net), net.loss, steps, watched)


@contextmanager
def one_thread() -> Iterator[None]:
    """Nets as small as these wait for other threads longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _train(
    model: nn.Module,
    loss_of: Callable[[nn.Module], Tensor],
    steps: int,
    watched: Callable[[nn.Module], normscope.Watch] | None,
) -> Left:
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.001)
    watch = watched(model) if watched else None
    losses = []
    began = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.detach())
        if watch:
            watch.step(loss=loss)
    seconds = time.perf_counter() - began
    if watch:
        watch.close()
    state: dict[str, Tensor] = dict(model.named_parameters()) | dict(model.named_buffers())
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return Left(torch.stack(losses), state, gradients, random_state(), seconds)


def begin(net: Net) -> nn.Module:
    """The net as it is before the first step. What is imported for that may draw random numbers, the first time."""
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    return net.make().train()


def random_state() -> tuple[Any, ...]:
    """Where the random numbers of torch, numpy and Python are."""
    return torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate()
