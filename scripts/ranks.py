"""What the deep linear net can come to on its data: the least losses of linear maps of each rank.

Between layers without a nonlinearity, gradient descent from small weights finds one singular direction of the map after
the other and stays a while at each such map (A. M. Saxe, J. L. McClelland, S. Ganguli, 2014, arXiv 1312.6120).
"""

from __future__ import annotations

import torch

from trainer.data.generated import gaussian


def rank_losses() -> list[float]:
    """The least squared error, summed over samples and averaged over outputs, of maps of rank 0, 1, 2 and so on.

    Of the fitted values of least squares, whose rank is cut (C. Eckart, G. Young, 1936, doi:10.1007/BF02288367): what
    is left are the squares of the singular values beyond, and the residual, which is orthogonal to all fitted values.
    """
    task = gaussian()
    x, y = task.train.double(), task.train_targets.double()
    fitted = x @ torch.linalg.lstsq(x, y).solution
    singular = torch.linalg.svdvals(fitted).square()
    residual = (y - fitted).square().sum()
    return [float((singular[rank:].sum() + residual) / y.shape[1]) for rank in range(len(singular) + 1)]
