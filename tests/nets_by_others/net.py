"""A net that others have written, and what it takes to train it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Batch = dict[str, Any]

KINDS: Final = ("convolutional", "residual", "attention", "recurrent", "mixture of experts", "diffusion", "graph")


@dataclass(frozen=True)
class Net:
    """A net by its configuration, without anyone's weights.

    Attributes:
        name: What its makers call it.
        package: The distribution that it comes from.
        kind: One of `KINDS`.
        make: The net, with small sizes and random weights.
        loss: Its loss on a batch that is drawn anew at each call, from torch's own random numbers.
    """

    name: str
    package: str
    kind: str
    make: Callable[[], nn.Module]
    loss: Callable[[nn.Module], Tensor]

    def __str__(self) -> str:
        return f"{self.package} {self.name}"


def pictures(batch: int = 4, size: int = 32, channels: int = 3) -> Tensor:
    """Random pictures, shape [batch, channels, size, size]."""
    return torch.randn(batch, channels, size, size)


def tokens(batch: int = 2, length: int = 12, most: int = 64) -> Tensor:
    """Random tokens below `most`, shape [batch, length]; none of the lowest four, which models give a meaning."""
    return torch.randint(4, most, (batch, length))


def squared(output: Any) -> Tensor:
    """The mean square of the first floating-point tensor of an output: a loss for what has none of its own."""
    return next(_tensors(output)).square().mean()


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
        return
    for part in output.values() if isinstance(output, dict) else output:
        yield from _tensors(part)


def from_package(package: str, name: str, kind: str, loss: Callable[[Any], Tensor], **sizes: Any) -> Net:
    """A net whose class takes its sizes as arguments.

    Args:
        package: As pip calls it; the module is called alike, but for its hyphens.
        name: Of the class, after that of its module within the package, if it is in one.
        kind: One of `KINDS`.
        loss: Its loss.
        **sizes: What the class is called with.
    """

    def make() -> nn.Module:
        inside, _, of_class = name.rpartition(".")
        module = import_module(".".join(filter(None, (package.replace("-", "_"), inside))))
        return cast(nn.Module, getattr(module, of_class)(**sizes))

    return Net(name.rpartition(".")[2], package, kind, make, loss)
