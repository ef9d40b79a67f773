"""Sharpness against spectra that are known, and against numpy on whole Hessians."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from normscope.measures.curvature import sharpness

from .quadratic import Quadratic, full_hessian

if TYPE_CHECKING:
    from collections.abc import Callable

SPECTRA = [
    [-9.0, -1.0, 0.0, 0.5, 2.0, 3.0],  # the largest, not the one of largest magnitude
    [-6.0, -5.0, -4.0, -3.0, -2.0, -1.5],
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    [0.0, 0.0, 0.0, 0.0, 0.0, 1e-6],
    [1e4, 1e4, -1e4, 1.0, 1.0, 1.0],
]


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_of_a_quadratic_it_is_the_largest_eigenvalue_with_its_sign(spectrum: list[float]) -> None:
    model = Quadratic(spectrum)
    found = sharpness(model, model, tolerance=1e-9)
    assert found.value == pytest.approx(max(spectrum), rel=1e-8)
    assert found.residual <= 1e-8 * max(abs(e) for e in spectrum)
    assert found.iterations <= 6


@pytest.mark.parametrize("share", [0.98, 1.02])
def test_at_the_edge_gradient_descent_on_a_quadratic_begins_to_diverge(share: float) -> None:
    model = Quadratic([0.1, 0.5, 1.0, 2.0, 3.0, 8.0])
    rate = share * 2 / sharpness(model, model, tolerance=1e-9).value
    start = model().item()
    for _ in range(300):
        gradients = torch.autograd.grad(model(), [model.w, model.v])
        for p, g in zip((model.w, model.v), gradients, strict=True):
            p.data -= rate * g
    assert (model().item() > start) == (share > 1)


def relu_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(inplace=True), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)
    )


def tanh_net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))


def conv_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Unflatten(1, (1, 3)), nn.Conv1d(1, 2, 2), nn.BatchNorm1d(2), nn.GELU(), nn.Flatten(), nn.Linear(4, 2)
    )


@pytest.mark.parametrize("make", [relu_net, tanh_net, conv_net])
@pytest.mark.parametrize("training", [True, False])
def test_of_a_net_it_is_what_the_whole_hessian_says(make: Callable[[], nn.Sequential], training: bool) -> None:
    torch.manual_seed(3)
    model = make().double().train(training)
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randint(0, 2, (20,))

    def closure() -> Tensor:
        return cross_entropy(model(x), y)

    h = full_hessian(model, closure)
    found = sharpness(model, closure, tolerance=1e-8)
    assert found.value == pytest.approx(np.linalg.eigvalsh(h)[-1], rel=1e-7)
    assert sharpness(model, closure).value == pytest.approx(found.value, rel=1e-4)
    negative = sharpness(model, lambda: -closure(), tolerance=1e-8)
    assert negative.value == pytest.approx(-np.linalg.eigvalsh(h)[0], rel=1e-6, abs=1e-9)


def test_the_residual_says_how_far_an_eigenvalue_is_at_most() -> None:
    torch.manual_seed(3)
    model = tanh_net().double()
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randint(0, 2, (20,))
    spectrum = np.linalg.eigvalsh(full_hessian(model, lambda: cross_entropy(model(x), y)))
    for iterations in (1, 2, 3, 5):
        found = sharpness(model, lambda: cross_entropy(model(x), y), iterations, tolerance=0.0)
        assert found.iterations == iterations
        assert np.abs(spectrum - found.value).min() <= found.residual * (1 + 1e-9)
        assert found.value <= spectrum[-1] * (1 + 1e-12)
    assert found.residual > 1e-9


def test_the_vector_it_begins_with_is_the_seeds() -> None:
    model = Quadratic()
    first = [sharpness(model, model, 2, seed=seed) for seed in (0, 0, 1)]
    assert first[0] == first[1] != first[2]


def test_a_loss_without_curvature_has_none() -> None:
    model = nn.Linear(3, 1)
    x = torch.ones(2, 3)
    assert sharpness(model, lambda: model(x).sum()).value == 0


def test_a_loss_that_is_not_finite_has_no_number() -> None:
    model = nn.Linear(3, 1)
    x = torch.full((2, 3), 1e30)
    found = sharpness(model, lambda: model(x).square().sum())
    assert math.isnan(found.value)
    assert math.isnan(found.residual)


def test_senseless_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="iterations: 0"):
        sharpness(Quadratic(), Quadratic(), 0)
    with pytest.raises(ValueError, match="no trainable weights"):
        sharpness(nn.ReLU(), lambda: torch.zeros(()))
