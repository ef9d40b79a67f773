"""A task to learn: inputs and targets, whole on the training device, in an order that the seed alone decides."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Data:
    """A task of classification, or of regression.

    Attributes:
        train: Inputs, shape [n, *shape], float32; or tokens, shape [n, tokens], int64.
        train_targets: Labels, shape [n], or of tokens as these; int64; or values, shape [n, outputs], float32.
        test: Inputs, shape [m, *shape].
        test_targets: Shape [m], or [m, outputs].
        outputs: How many classes, or values per sample.
        deciles: Which tenth of the training inputs each is in by density, shape [n], 0 the sparsest; None if unknown.
    """

    train: Tensor
    train_targets: Tensor
    test: Tensor
    test_targets: Tensor
    outputs: int
    deciles: Tensor | None = None

    @property
    def classification(self) -> bool:
        """Whether targets are labels."""
        return not self.train_targets.is_floating_point()

    @property
    def tokens(self) -> bool:
        """Whether inputs are rows of tokens, and targets those that come next."""
        return not self.train.is_floating_point()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return tuple(self.train.shape[1:])

    def flat(self) -> Data:
        """The same with inputs as vectors."""
        return replace(self, train=self.train.flatten(1), test=self.test.flatten(1))

    def to(self, device: torch.device) -> Data:
        """The same on a device, where mini-batches are then cut out."""
        tensors = (f.name for f in fields(self) if isinstance(getattr(self, f.name), torch.Tensor))
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})

    def shifted(self, by: float) -> Data:
        """The same with a constant added to every input."""
        return replace(self, train=self.train + by, test=self.test + by)

    def batches(self, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless mini-batches, each epoch a new permutation; the incomplete last one of an epoch is left out.

        A batch of the whole data is the data themselves, in their own order.

        Raises:
            ValueError: If the data has fewer samples than one mini-batch.
        """
        count = len(self.train)
        if size > count:
            raise ValueError(f"batch: {size} samples, but the data has only {count}")
        generator = torch.Generator().manual_seed(seed)
        while True:
            if size == count:
                yield self.train, self.train_targets
                continue
            order = torch.randperm(count, generator=generator, device="cpu")
            if self.train.is_cuda:
                order = order.pin_memory()  # else the copy would wait for the steps before
            order = order.to(self.train.device, non_blocking=True)
            for at in range(0, count - size + 1, size):
                chosen = order[at : at + size]
                yield self.train[chosen], self.train_targets[chosen]


TEST_SHARE = 0.2


def split(inputs: Tensor, targets: Tensor, outputs: int) -> Data:
    """A fixed fifth of the samples, chosen at random once and for all, is for testing."""
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    cut = round(len(inputs) * (1 - TEST_SHARE))
    train, test = order[:cut], order[cut:]
    return Data(inputs[train], targets[train], inputs[test], targets[test], outputs)
