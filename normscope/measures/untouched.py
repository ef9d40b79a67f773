"""A model while it is measured: evaluated at weights of one's choosing, and left as it was, bit for bit.

Every measure shares these rules, each broken by some public reproduction of Santurkar et al. 2018, arXiv 1805.11604.
All evaluations see the same batch and the same random numbers (so the same dropout masks), in the mode the model is in.
Running statistics, counters, gradients and torch's random state are put back by copy, also if an evaluation fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    Closure = Callable[[], Tensor]


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of a model's trainable weights by name: what measures take as `before`, `after` or a point of a path."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


class Untouched:
    """A context in which a model's weights may be moved and its loss evaluated; afterwards nothing has happened.

    Put back are the trainable weights, their `.grad` (the same objects), buffers, modes, and torch's random state on
    the CPU and on the weights' GPUs. All of it through `.data`: for autograd the weights have not changed, and a graph
    that is still held stays valid.

    A closure computes the loss of one batch, a scalar tensor, without `backward`.
    """

    def __init__(self, model: nn.Module) -> None:
        self.weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
        """The trainable weights, by dotted name."""
        self.start = snapshot(model)
        """Their values at the beginning."""
        self._devices = sorted({p.get_device() for p in model.parameters() if p.is_cuda})
        self._random = self._random_states()
        self._buffers = [
            (m, n, b, b.detach().clone()) for m in model.modules() for n, b in m.named_buffers(recurse=False)
        ]
        self._modes = [(m, m.training) for m in model.modules()]
        self._grads = [p.grad for p in self.weights.values()]

    def __enter__(self) -> Self:
        for p in self.weights.values():
            p.grad = None  # what a closure may add, it adds elsewhere
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.put(self.start)
        for p, grad in zip(self.weights.values(), self._grads, strict=True):
            p.grad = grad
        self.rewind()

    def rewind(self) -> None:
        """Put back the random state, buffers and modes, as before every evaluation."""
        cpu, *cuda = self._random
        torch.set_rng_state(cpu)
        for device, state in zip(self._devices, cuda, strict=True):
            torch.cuda.set_rng_state(state, device)
        for module, name, buffer, value in self._buffers:
            if getattr(module, name) is not buffer:  # a forward pass may put another tensor in its place
                setattr(module, name, buffer)
            buffer.data.copy_(value)
        for module, training in self._modes:
            module.training = training

    def put(self, values: Mapping[str, Tensor], names: Iterable[str] | None = None) -> None:
        """Set the weights with these names, or all.

        Raises:
            ValueError: If `values` has no such weight, or of another shape.
        """
        for name in self.weights if names is None else names:
            p = self.weights[name]
            if name not in values:
                raise ValueError(f"weights: {name!r} is missing; there are {', '.join(values) or 'none'}")
            if values[name].shape != p.shape:
                raise ValueError(f"weights: {name!r} has shape {tuple(values[name].shape)}, not {tuple(p.shape)}")
            p.data.copy_(values[name])

    def move(self, *steps: tuple[float, Mapping[str, Tensor]]) -> None:
        """Set the weights to where they were at the beginning plus lengths times directions."""
        for name, p in self.weights.items():
            p.data.copy_(self.start[name])
            for length, direction in steps:
                p.data.add_(direction[name], alpha=length)

    def loss(self, closure: Closure) -> Tensor:
        """The loss at the weights as they are, float64, without a graph."""
        self.rewind()
        with torch.no_grad():
            return closure().double().reshape(())

    def gradient(self, closure: Closure, names: Iterable[str] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, float64, and its gradient with respect to the weights with these names, or all.

        Zero for weights that the loss does not depend on.
        """
        self.rewind()
        chosen = {name: self.weights[name] for name in (self.weights if names is None else names)}
        with torch.enable_grad():
            loss = closure()
            found = torch.autograd.grad(loss, list(chosen.values()), allow_unused=True)
        gradient = {n: torch.zeros_like(p) if g is None else g for (n, p), g in zip(chosen.items(), found, strict=True)}
        return loss.detach().double().reshape(()), gradient

    def _random_states(self) -> list[Tensor]:
        return [torch.get_rng_state(), *(torch.cuda.get_rng_state(d) for d in self._devices)]


def norm(tensors: Iterable[Tensor]) -> Tensor:
    """The Euclidean norm of all entries of some tensors together, as float64."""
    return torch.stack([t.double().square().sum() for t in tensors]).sum().sqrt()


def inner(one: Iterable[Tensor], other: Iterable[Tensor]) -> Tensor:
    """The inner product of tensors that correspond, over all their entries, as float64."""
    return torch.stack([(a.double() * b.double()).sum() for a, b in zip(one, other, strict=True)]).sum()
