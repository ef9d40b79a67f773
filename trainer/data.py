"""The data a net trains on, whole on the training device, in an order that the seed alone decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Data:
    """A classification task.

    Attributes:
        train: Inputs, shape [n, features], float32.
        train_labels: Shape [n], int64.
        test: Inputs, shape [m, features].
        test_labels: Shape [m].
        classes: How many there are.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    classes: int

    def batches(self, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless mini-batches, each epoch a new permutation; the incomplete last one of an epoch is left out.

        Raises:
            ValueError: If the data has fewer samples than one mini-batch.
        """
        count = len(self.train)
        if size > count:
            raise ValueError(f"batch: {size} samples, but the data has only {count}")
        generator = torch.Generator().manual_seed(seed)
        while True:
            order = torch.randperm(count, generator=generator)
            for at in range(0, count - size + 1, size):
                chosen = order[at : at + size]
                yield self.train[chosen], self.train_labels[chosen]


TEST_SHARE = 0.2


def digits() -> Data:
    """1,797 handwritten digits of 8×8 pixels in [0, 1], which scikit-learn carries; a fixed fifth is for testing.

    E. Alpaydin and C. Kaynak, 1998, UCI, doi:10.24432/C50P49.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    inputs = torch.tensor(bunch.data / 16, dtype=torch.float32)
    labels = torch.tensor(bunch.target, dtype=torch.int64)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    cut = round(len(inputs) * (1 - TEST_SHARE))
    train, test = order[:cut], order[cut:]
    return Data(inputs[train], labels[train], inputs[test], labels[test], classes=10)


def load(name: str) -> Data:
    """The data set with this name.

    Raises:
        ValueError: If there is none.
    """
    if name != "digits":
        raise ValueError(f"unknown data {name!r}; there is digits")
    return digits()
