"""The noise of batches, where it can be computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from normscope.measures.sampling import output_spread


def drawn(n: int, features: int, seed: int = 0) -> Tensor:
    return torch.randn(n, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Recording(nn.Module):
    """Batch normalization that keeps the batches it is given."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(features, dtype=torch.float64)
        self.batches: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(x.clone())
        found: Tensor = self.norm(x)
        return found


def test_it_is_the_variance_over_the_batches_that_the_model_was_given() -> None:
    model = Recording(3)
    x, pool = drawn(2, 3, 1), drawn(40, 3)
    found = output_spread(model, x, pool, batch=8, draws=10)
    assert len(model.batches) == 20
    batches = torch.stack(model.batches).numpy().reshape(10, 2, 8, 3)
    for i in range(2):
        given = batches[:, i]
        assert (given[:, 0] == x[i].numpy()).all()
        outputs = (given[:, 0] - given.mean(axis=1)) / np.sqrt(given.var(axis=1) + 1e-5)
        assert found[i] == pytest.approx(outputs.var(axis=0, ddof=1).mean(), rel=1e-9)
        rows = [{tuple(row) for row in one[1:].tolist()} for one in given]
        assert all(len(one) == 7 and one <= {tuple(row) for row in pool.tolist()} for one in rows)
        assert len({frozenset(one) for one in rows}) == 10
    np.testing.assert_array_equal(batches[:, 0, 1:], batches[:, 1, 1:])  # the same company for every input


def test_it_is_inversely_proportional_to_the_batch() -> None:
    # At the mean of Gaussian samples the output is −μ/σ of the batch, whose variance is about 1/B.
    model = nn.BatchNorm1d(8, affine=False, dtype=torch.float64)
    x, pool = torch.zeros(1, 8, dtype=torch.float64), drawn(4_000, 8)
    pool = pool - pool.mean(dim=0)
    sizes = np.array([16, 64, 256])
    found = np.array([output_spread(model, x, pool, int(b), draws=200)[0] for b in sizes])
    np.testing.assert_allclose(found[1:] * sizes[1:], 1, atol=0.15)
    slope = np.polyfit(np.log(sizes), np.log(found), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)


def test_in_evaluation_mode_it_is_exactly_zero() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 30), nn.BatchNorm1d(30), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(30, 5)
    )
    x, pool = torch.randn(3, 4), torch.randn(50, 4)
    assert (output_spread(model, x, pool, 16) > 0).all()
    assert (output_spread(model.eval(), x, pool, 16) == 0).all()


def test_without_batch_normalization_dropout_alone_gives_none() -> None:
    model = nn.Sequential(nn.Linear(4, 30), nn.Dropout(0.5), nn.Linear(30, 5))
    assert (output_spread(model, torch.randn(3, 4), torch.randn(50, 4), 16) == 0).all()


def test_batches_are_the_seeds() -> None:
    model = nn.BatchNorm1d(3)
    found = [output_spread(model, torch.ones(1, 3), torch.arange(60.0).view(20, 3), 5, seed=s)[0] for s in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert math.isfinite(found[0])


@pytest.mark.parametrize(("batch", "draws"), [(0, 64), (12, 64), (4, 1)])
def test_senseless_arguments_are_refused(batch: int, draws: int) -> None:
    with pytest.raises(ValueError, match=r"batch|draws"):
        output_spread(nn.BatchNorm1d(3), torch.ones(1, 3), torch.ones(10, 3), batch, draws)
