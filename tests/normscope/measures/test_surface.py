"""Losses on a plane: exact on a quadratic, the same at once and one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from normscope.measures.directions import random_directions
from normscope.measures.surface import losses, refined, surface
from normscope.measures.untouched import snapshot

from .quadratic import Quadratic, flat

if TYPE_CHECKING:
    from collections.abc import Callable


def mlp() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(6, 20), nn.BatchNorm1d(20), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(20, 8), nn.LayerNorm(8),
        nn.Tanh(), nn.Linear(8, 3),
    )  # fmt: skip


def cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 4, 2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.3),
        nn.Flatten(), nn.Linear(48, 3),
    )  # fmt: skip


def linear() -> nn.Sequential:
    """Of odd sizes: with an odd mini-batch, the last bits of a loss depend on its place among those made at once."""
    return nn.Sequential(nn.Linear(6, 9), *(nn.Linear(9, 9) for _ in range(4)), nn.Linear(9, 3))


def problem(make: Callable[[], nn.Sequential] = mlp, samples: int = 16) -> tuple[nn.Sequential, Callable[[], Tensor]]:
    torch.manual_seed(3)
    model = make()
    x, y = torch.randn(samples, 6), torch.randint(0, 3, (samples,))
    model(x)  # running statistics that are not those of the beginning
    return model, lambda: cross_entropy(model(x), y)


@pytest.mark.parametrize("together", [None, 1, 5])
def test_on_a_quadratic_it_is_exact(together: int | None) -> None:
    model = Quadratic()
    generator = torch.Generator().manual_seed(8)
    d = [{n: torch.randn(w.shape, generator=generator).double() for n, w in snapshot(model).items()} for _ in range(2)]
    a, b = np.linspace(-1, 1, 4), np.linspace(-2, 0.5, 3)
    found = surface(model, model, d, a, b, together)
    w, u, v, h = flat(snapshot(model)), flat(d[0]), flat(d[1]), model.hessian.numpy()
    for i, j in np.ndindex(4, 3):
        at = w + a[i] * u + b[j] * v
        assert found[i, j] == pytest.approx(at @ h @ at / 2, rel=1e-10)
    assert found.shape == (4, 3)


@pytest.mark.parametrize("make", [mlp, cnn])
@pytest.mark.parametrize("training", [True, False])
def test_many_points_at_once_are_what_they_are_one_by_one(make: Callable[[], nn.Sequential], training: bool) -> None:
    model, closure = problem(make)
    model.train(training)
    directions = random_directions(model, seed=1)
    points = np.random.default_rng(0).uniform(-1, 1, (11, 2))
    one_by_one = losses(model, closure, directions, points, together=1)
    for together in (None, 4, 64):
        np.testing.assert_allclose(losses(model, closure, directions, points, together), one_by_one, rtol=1e-5)
    assert len(np.unique(one_by_one.round(4))) > 8


@pytest.mark.parametrize("together", [1, 4])
def test_each_point_is_a_net_with_these_weights(together: int) -> None:
    model, closure = problem()
    model.eval()
    directions = random_directions(model, seed=1)
    points = [[0.0, 0.0], [0.3, -0.7]]
    found = losses(model, closure, directions, points, together)
    assert found[0] == pytest.approx(closure().item(), rel=1e-6)
    for n, p in model.named_parameters():
        p.data += 0.3 * directions[0][n] - 0.7 * directions[1][n]
    assert found[1] == pytest.approx(closure().item(), rel=1e-5)


def test_the_mode_says_which_statistics_batch_normalization_uses() -> None:
    model, closure = problem(cnn)
    directions = random_directions(model, seed=1)
    training = losses(model, closure, directions, [[1.0, 1.0]])
    assert losses(model.eval(), closure, directions, [[1.0, 1.0]]) != pytest.approx(training, rel=1e-3)


def test_a_closure_that_looks_at_a_value_is_evaluated_one_by_one() -> None:
    model, closure = problem()
    seen = []

    def looking() -> Tensor:
        loss = closure()
        seen.append(loss.item())
        return loss

    directions = random_directions(model, seed=1)
    points = [[0.0, 0.5], [0.5, 0.0]]
    np.testing.assert_allclose(losses(model, looking, directions, points), seen, rtol=1e-6)
    with pytest.raises(RuntimeError):
        losses(model, looking, directions, points, together=2)


def test_directions_that_do_not_fit_are_refused() -> None:
    model, closure = problem()
    one, other = random_directions(model, seed=1)
    with pytest.raises(ValueError, match="there are 1, not 2"):
        losses(model, closure, [one], [[0, 0]])
    with pytest.raises(ValueError, match=r"0\.bias.*missing"):
        losses(model, closure, [one, {n: d for n, d in other.items() if n != "0.bias"}], [[0, 0]])


class Shared(nn.Module):
    """One module under two names, and another that shares its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(6, 6), nn.Linear(6, 6)
        self.again = self.one
        self.other.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.other(self.again(self.one(x).tanh()).tanh())
        return found


def test_what_is_shared_moves_together_and_comes_back() -> None:
    torch.manual_seed(0)
    model, x = Shared(), torch.randn(5, 6)
    before = [p for m in model.modules() for p in m._parameters.values()]
    directions = random_directions(model, seed=1)
    found = [losses(model, lambda: model(x).square().sum(), directions, [[1, 1], [0, 1]], n) for n in (1, 2)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    after = [p for m in model.modules() for p in m._parameters.values()]
    assert all(p is q for p, q in zip(before, after, strict=True))


def test_no_points_have_no_losses() -> None:
    model, closure = problem()
    assert losses(model, closure, random_directions(model, seed=1), []).shape == (0,)


@pytest.mark.parametrize(
    ("make", "rows", "columns", "spacings"),
    [
        (mlp, 21, 21, [4, 2, 1]),
        (linear, 21, 21, [4, 2, 1]),
        (cnn, 5, 9, [4, 2, 1]),
        (mlp, 9, 11, [2, 1]),
        (mlp, 4, 5, [1]),
        (mlp, 1, 5, [4, 2, 1]),
    ],
)
def test_what_is_refined_is_the_surface_bit_for_bit(
    make: Callable[[], nn.Sequential], rows: int, columns: int, spacings: list[int]
) -> None:
    model, closure = problem(make, 33)
    directions = random_directions(model, seed=1)
    a, b = np.linspace(-1, 0.7, rows), np.linspace(-0.3, 1, columns)
    whole = surface(model, closure, directions, a, b)
    rounds = list(refined(model, closure, directions, a, b))
    assert [spacing for spacing, _, _ in rounds] == spacings
    shares = [done for _, done, _ in rounds]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    for spacing, _, found in rounds:
        assert np.array_equal(found, whole[::spacing, ::spacing])


def test_each_point_of_a_surface_is_computed_once_and_the_last_ones_when_they_are_asked_for() -> None:
    model, closure = problem()
    calls = []

    def counted() -> Tensor:
        calls.append(1)
        return closure()

    side = np.linspace(-1, 1, 9)
    rounds = refined(model, counted, random_directions(model, seed=1), side, side, together=1)
    computed = [(len(calls), done) for _, done, _ in rounds]
    assert computed == [(9, 9 / 81), (25, 25 / 81), (81, 1)]
