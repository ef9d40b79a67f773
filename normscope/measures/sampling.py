"""The noise that batch normalization adds: one input's output depends on what else is in its batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..capture.tensors import first_tensor
from .untouched import Untouched

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn


def output_spread(
    model: nn.Module, x: Tensor, pool: Tensor, batch: int, draws: int = 64, seed: int = 0
) -> NDArray[np.float64]:
    """The variance of inputs' outputs over random batches, in the mode the model is in; leaves no trace.

    Each input in turn is the first of `batch` samples whose others are drawn from `pool` without replacement, the same
    others for every input (Ioffe and Szegedy 2015, arXiv 1502.03167, section 3.4: "a training example is seen in
    conjunction with other examples in the mini-batch, and the training network no longer producing deterministic values
    for a given training example"). Dropout masks are the same in all batches. In evaluation mode it is exactly zero.

    Args:
        model: The net, which takes a batch; of several outputs the first tensor counts, shape [batch, …].
        x: The inputs, shape [k, …].
        pool: Samples to draw from, shape [n, …].
        batch: Samples in a batch.
        draws: Random batches for each input.
        seed: Of the batches.

    Returns:
        For each input, the unbiased variance over the draws, averaged over its outputs; shape [k].

    Raises:
        ValueError: If the pool is smaller than a batch without the input, or there are fewer than two draws.
    """
    if not 1 <= batch <= len(pool) + 1:
        raise ValueError(f"batch: {batch!r} is not between 1 and {len(pool) + 1}, one more than the pool")
    if draws < 2:
        raise ValueError(f"draws: {draws!r} is not at least 2")
    generator = torch.Generator().manual_seed(seed)
    with Untouched(model) as net, torch.no_grad():
        found: list[Tensor] = []
        for _ in range(draws):
            drawn = torch.randperm(len(pool), generator=generator, device="cpu")[: batch - 1]
            others = pool[drawn.to(pool.device)]
            of_all = []
            for one in x:
                net.rewind()
                output = first_tensor([model(torch.cat([one[None], others]))])
                if output is None:
                    raise ValueError(f"model: {type(model).__name__} gives no tensor")
                of_all.append(output[0].double().flatten())
            found.append(torch.stack(of_all))
        # About the first draw, so that equal outputs have a variance of exactly zero.
        outputs = torch.stack(found)
        spread: NDArray[np.float64] = (outputs - outputs[0]).var(dim=0).mean(dim=1).cpu().numpy()
    return spread
