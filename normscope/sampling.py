"""How much the output for one input depends on the mini-batch that it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .untouched import untouched

if TYPE_CHECKING:
    from torch import Tensor, nn


def output_spread(model: nn.Module, inputs: Tensor, pool: Tensor, batch: int, draws: int = 64, seed: int = 0) -> float:
    """The variance of an input's output over random mini-batches, mean over outputs and inputs.

    Each input is put first into mini-batches whose other samples are drawn from `pool` without replacement, in the mode
    that the model is in: 0 for a model in evaluation mode, and about proportional to 1/batch with batch normalization
    in training mode (Ioffe and Szegedy 2015, arXiv 1502.03167, section 3.4). Leaves no trace; draws come from a
    generator of their own, dropout masks are the same in all.

    Args:
        model: The net.
        inputs: Shape [n, …].
        pool: Shape [m, …], the same behind the first dimension.
        batch: Samples in a mini-batch, at least 1 and at most m + 1.
        draws: Mini-batches for each input.
        seed: Of the draws.

    Raises:
        ValueError: If `batch` or `draws` is out of range.
    """
    if not 1 <= batch <= len(pool) + 1:
        raise ValueError(f"batch: {batch} is not between 1 and {len(pool) + 1}, the pool and the input")
    if draws < 2:
        raise ValueError(f"draws: {draws} give no variance; at least 2 are needed")
    generator = torch.Generator().manual_seed(seed)
    variances = []
    with untouched(model) as rewind, torch.no_grad():
        for one in inputs:
            outputs = []
            for _ in range(draws):
                rewind()
                others = torch.randperm(len(pool), generator=generator)[: batch - 1].to(pool.device)
                outputs.append(model(torch.cat([one.unsqueeze(0), pool[others]]))[0].double())
            variances.append(torch.stack(outputs).var(0).mean())
    return float(torch.stack(variances).mean())
