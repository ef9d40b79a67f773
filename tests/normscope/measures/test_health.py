"""Health against counting by hand and numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from normscope.capture.layers import saturation
from normscope.measures.health import dead_share, gradient_norms, rank_measure, saturated_share, update_ratios


def test_dead_units_are_silent_on_the_whole_batch() -> None:
    outputs = torch.tensor([[0.0, 1.0, 0.0, 2.0, -1.0], [0.0, 0.0, 3.0, 2.0, -2.0]])
    assert dead_share(outputs) == pytest.approx(3 / 5)  # all zero; constant; never above zero
    assert dead_share(outputs[:, 1:3]) == 0


def test_a_channel_is_dead_if_it_is_everywhere() -> None:
    outputs = torch.zeros(4, 3, 2, 2)
    outputs[3, 1, 0, 1] = 1.0
    assert dead_share(outputs) == pytest.approx(2 / 3)


def test_a_units_bias_kills_it() -> None:
    layer = nn.Linear(5, 10)
    with torch.no_grad():
        layer.bias[:4] = -1e3
        layer.bias[4:] = 1e3
        assert dead_share(layer(torch.randn(64, 5)).relu()) == pytest.approx(0.4)


def test_saturated_values_are_beyond_an_activations_bounds() -> None:
    x = torch.tensor([0.0, 0.005, 0.5, 0.995])
    assert saturated_share(x) == 0.75
    assert saturated_share(torch.tensor([-1.0, 0.0, 0.5, 0.995]), *saturation(nn.Tanh())) == 0.5
    assert saturated_share(x, *saturation(nn.ReLU())) == 0


def test_gradient_norms_are_those_that_the_weights_hold() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2), nn.Linear(2, 2))
    model[:4](torch.randn(6, 3)).square().sum().backward()
    grads = {n: p.grad.numpy() for n, p in model.named_parameters() if p.grad is not None}
    lower = math.sqrt(sum((grads[n] ** 2).sum() for n in ("0.weight", "0.bias", "1.weight", "1.bias")))
    upper = math.sqrt(sum((grads[n] ** 2).sum() for n in ("3.weight", "3.bias")))
    np.testing.assert_allclose(gradient_norms(model), [lower, upper, np.nan], rtol=1e-6)
    np.testing.assert_allclose(
        gradient_norms(model, {"γ": ["1.weight"]}), [np.linalg.norm(grads["1.weight"])], rtol=1e-6
    )


def test_update_ratios_are_lengths_over_lengths() -> None:
    before = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([[4.0]]), "c": torch.zeros(2)}
    after = {"a": torch.tensor([3.0, 0.3]), "b": torch.tensor([[4.4]]), "c": torch.zeros(2)}
    found = update_ratios(before, after, {"ab": ["a", "b"], "b": ["b"], "c": ["c"]})
    np.testing.assert_allclose(found, [0.1, 0.1, np.nan], rtol=1e-5)


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_the_rank_measure_is_numpys(shape: tuple[int, int]) -> None:
    h = np.random.default_rng(1).normal(size=shape).T  # [units, N]
    m = h @ h.T / shape[0]
    found = rank_measure(torch.from_numpy(h.T))
    assert found == pytest.approx(np.trace(m) ** 2 / np.linalg.norm(m) ** 2, rel=1e-12)
    assert 1 <= found <= np.linalg.matrix_rank(h)


def test_the_rank_measure_at_its_ends() -> None:
    assert rank_measure(1e30 * torch.outer(torch.arange(1.0, 7.0), torch.tensor([1.0, -2.0, 0.5]))) == pytest.approx(1)
    assert rank_measure(torch.eye(5)) == pytest.approx(5)
    assert math.isnan(rank_measure(torch.zeros(4, 3)))


def test_positions_count_as_samples_of_the_rank_measure() -> None:
    x = torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(0))
    assert rank_measure(x) == pytest.approx(rank_measure(x.movedim(1, -1).reshape(-1, 3)), rel=1e-12)
