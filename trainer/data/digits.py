"""The handwritten digits that scikit-learn carries."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.metadata import distribution
from typing import Final

import numpy as np
import torch

from .task import Data, split

_FILE: Final = "sklearn/datasets/data/digits.csv.gz"


@cache
def read() -> tuple[np.ndarray, np.ndarray]:
    """The images, [1797, 8, 8] in 0 … 16, and which digits they are, [1797].

    From scikit-learn's file, without scikit-learn: to import that, and scipy with it, takes as long as importing torch.
    Computes with numpy alone, so that a process may fork afterwards.
    """
    with gzip.open(str(distribution("scikit-learn").locate_file(_FILE))) as file:
        rows = np.loadtxt(file, delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int)


def digits() -> Data:
    """1,797 handwritten digits of 8×8 pixels in [0, 1], which scikit-learn carries; a fixed fifth is for testing.

    E. Alpaydin and C. Kaynak, 1998, UCI, doi:10.24432/C50P49. Inputs of shape [1, 8, 8].
    """
    images, targets = read()
    inputs = torch.tensor(images / 16, dtype=torch.float32).unsqueeze(1)
    return split(inputs, torch.tensor(targets, dtype=torch.int64), outputs=10)
