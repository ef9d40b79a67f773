"""The handwritten digits that scikit-learn carries."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from .task import Data, split


@cache
def read() -> Any:
    """What is in scikit-learn's file; computes with numpy alone, so that a process may fork afterwards."""
    from sklearn.datasets import load_digits

    return load_digits()


def digits() -> Data:
    """1,797 handwritten digits of 8×8 pixels in [0, 1], which scikit-learn carries; a fixed fifth is for testing.

    E. Alpaydin and C. Kaynak, 1998, UCI, doi:10.24432/C50P49. Inputs of shape [1, 8, 8].
    """
    bunch = read()
    inputs = torch.tensor(bunch.images / 16, dtype=torch.float32).unsqueeze(1)
    return split(inputs, torch.tensor(bunch.target, dtype=torch.int64), outputs=10)
