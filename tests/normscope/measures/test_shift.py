"""Drift against scipy and closed forms; gradient change against plain numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, norm, wasserstein_distance
from torch import Tensor, nn

from normscope import sketch
from normscope.measures.shift import distances, gradient_change, unit_distances, unit_wasserstein
from normscope.measures.untouched import snapshot

from . import deep_linear


def step(model: nn.Module, rate: float, x: Tensor, y: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights before and after plain gradient descent, which leaves the model behind at the later ones."""
    before = snapshot(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    deep_linear.loss(model, x, y).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return before, snapshot(model)


@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (700, 1001), (1, 5), (50, 1)])
@pytest.mark.parametrize("ties", [False, True])
def test_distances_are_scipys_on_raw_values(n: int, m: int, ties: bool) -> None:
    rng = np.random.default_rng(n + m)
    a, b = rng.normal(0.2, 1.0, n), rng.normal(-0.5, 2.0, m)
    if ties:
        a, b = np.maximum(a.round(1), 0), np.maximum(b.round(1), 0)
    found = distances(a, torch.from_numpy(b))
    assert found.wasserstein == pytest.approx(wasserstein_distance(a, b), rel=1e-12)
    assert found.kolmogorov_smirnov == pytest.approx(ks_2samp(a, b).statistic, rel=1e-12)
    wanted = jensenshannon(sketch.histogram(a), sketch.histogram(b), base=2) ** 2
    assert found.jensen_shannon == pytest.approx(wanted, abs=1e-9)
    if n > 1:
        assert found.wasserstein_relative == pytest.approx(wasserstein_distance(a, b) / a.std(), rel=1e-12)
        assert found.mean == pytest.approx(abs(a.mean() - b.mean()) / a.std(), rel=1e-12)
    if n > 1 and m > 1:
        assert found.log_variance == pytest.approx(math.log(b.var() / a.var()), rel=1e-10)


def test_gaussians_are_as_far_apart_as_the_closed_forms_say() -> None:
    # By their quantiles, so that nothing is left to chance: W1 = s√(2/π)e^{−m²/2s²} + m(1 − 2Φ(−m/s)) with m the
    # difference of means, s that of standard deviations; KS = 2Φ(m/2σ) − 1 for equal σ.
    p = (np.arange(200_000) + 0.5) / 200_000
    unit, m, s = norm.ppf(p), 0.7, 0.5
    wanted = s * math.sqrt(2 / math.pi) * math.exp(-(m**2) / (2 * s**2)) + m * (1 - 2 * norm.cdf(-m / s))
    assert distances(unit, m + (1 + s) * unit).wasserstein == pytest.approx(wanted, rel=1e-3)
    assert distances(2 * unit, m + 2 * unit).kolmogorov_smirnov == pytest.approx(2 * norm.cdf(m / 4) - 1, rel=1e-3)
    found = distances(2 * unit, m + 3 * unit)
    assert found.mean == pytest.approx(m / 2, rel=1e-3)
    assert found.log_variance == pytest.approx(2 * math.log(1.5), rel=1e-9)
    assert distances(unit, unit[::-1]).wasserstein == 0


def test_what_is_not_defined_is_nan() -> None:
    constant, spread = np.full(9, 0.7, np.float32), np.arange(9.0)
    found = distances(constant, spread)
    assert np.isnan([found.wasserstein_relative, found.mean, found.log_variance]).all()
    assert found.wasserstein == pytest.approx(wasserstein_distance(constant, spread))
    assert np.isnan(distances(spread, constant).log_variance)
    assert np.isnan(distances([], spread).wasserstein)
    assert distances([np.nan, 1.0, 3.0], [2.0, 4.0, np.inf]).wasserstein == 1


def test_units_are_compared_one_by_one() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(40, 3, 2, 2)), rng.normal(0.5, 2, size=(25, 3, 2, 2))
    one_by_one = [distances(a[:, i], b[:, i]) for i in range(3)]
    found = unit_distances(torch.from_numpy(a), b)
    for name in type(found).__slots__:
        assert getattr(found, name) == pytest.approx(np.mean([getattr(d, name) for d in one_by_one]), rel=1e-12)
    assert unit_wasserstein(torch.from_numpy(a), b) == pytest.approx([d.wasserstein for d in one_by_one], rel=1e-12)
    single = [x.astype(np.float32) for x in (a[:25], b)]
    far = [wasserstein_distance(single[0][:, i].ravel(), single[1][:, i].ravel()) for i in range(3)]
    assert unit_wasserstein(torch.from_numpy(single[0]), single[1]) == pytest.approx(far, rel=1e-6)
    # Two units that change places: each is elsewhere, all together are where they were.
    swapped = np.stack([np.arange(5.0), np.arange(5.0) + 10], axis=1)
    assert distances(swapped, swapped[:, ::-1]).wasserstein == 0
    assert unit_distances(swapped, swapped[:, ::-1]).wasserstein == 10


def test_a_unit_without_spread_is_left_out_of_what_is_relative() -> None:
    a, b = np.array([[0.0, 1.0], [0.0, 3.0]]), np.array([[5.0, 2.0], [6.0, 4.0]])
    found = unit_distances(a, b)
    assert [found.wasserstein, found.wasserstein_relative, found.mean] == pytest.approx([3.25, 1.0, 1.0])


@pytest.mark.parametrize(
    ("a", "b"), [(np.zeros((2, 3)), np.zeros((2, 4))), (np.zeros((2, 1)), np.full((2, 1), np.inf))]
)
def test_units_that_do_not_correspond_are_refused(a: Any, b: Any) -> None:
    for distance in (unit_distances, unit_wasserstein):
        with pytest.raises(ValueError, match=r"units|values"):
            distance(a, b)


def test_the_gradient_change_of_a_linear_net_is_what_the_products_say() -> None:
    model, x, y = deep_linear.net(batch_norm=False)
    before, after = step(model, 0.01, x, y)
    found = gradient_change(model, lambda: deep_linear.loss(model, x, y), before, after)
    old, new = ([w.numpy() for w in weights.values()] for weights in (before, after))

    def gradient(weights: list[Any], i: int) -> Any:
        # ∇W_i = (W_k … W_{i+1})ᵀ ∂L/∂y (W_{i−1} … W_1 x)ᵀ
        into, above = x.numpy().T, np.eye(5)
        for w in weights[:i]:
            into = w @ into
        for w in weights[i + 1 :]:
            above = w @ above
        return above.T @ (above @ weights[i] @ into - y.numpy().T) @ into.T

    for i in range(4):
        g, h = gradient(old, i), gradient([*new[:i], *old[i:]], i)
        assert found.l2[i] == pytest.approx(np.linalg.norm(h - g), rel=1e-9)
        assert found.relative[i] == pytest.approx(np.linalg.norm(h - g) / np.linalg.norm(g), rel=1e-9)
        assert found.cosine[i] == pytest.approx(np.sum(g * h) / np.linalg.norm(g) / np.linalg.norm(h), rel=1e-12)
    assert found.l2[0] == found.relative[0] == 0
    assert (found.l2[1:] > 0).all()
    assert found.names == ("0", "1", "2", "3")


def test_with_batch_normalization_it_is_what_plain_numpy_says() -> None:
    model, x, y = deep_linear.net(batch_norm=True)
    before, after = step(model, 0.02, x, y)
    found = gradient_change(model, lambda: deep_linear.loss(model, x, y), before, after)
    old, new = (deep_linear.weights_of(model, weights) for weights in (before, after))
    _, whole = deep_linear.loss_and_gradient(old, x.numpy(), y.numpy())
    for i in range(4):
        _, moved = deep_linear.loss_and_gradient([*new[:i], *old[i:]], x.numpy(), y.numpy())
        change = deep_linear.length(deep_linear.difference([moved[i]], [whole[i]]))
        assert found.l2[i] == pytest.approx(change, rel=1e-8)
        assert found.relative[i] == pytest.approx(change / deep_linear.length([whole[i]]), rel=1e-8)
    assert found.names == ("0", "2", "4", "6")  # γ and β go with the weights before them


def test_where_nothing_moves_nothing_changes() -> None:
    model, x, y = deep_linear.net(batch_norm=True)
    before, after = step(model, 0.0, x, y)
    found = gradient_change(model, lambda: deep_linear.loss(model, x, y), before, after)
    assert (found.l2 == 0).all()
    np.testing.assert_allclose(found.cosine, 1, rtol=1e-12)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_small_steps_change_it_in_proportion(batch_norm: bool) -> None:
    found = []
    for rate in (1e-5, 1e-4):
        model, x, y = deep_linear.net(batch_norm)
        before, after = step(model, rate, x, y)
        found.append(gradient_change(model, lambda m=model, x=x, y=y: deep_linear.loss(m, x, y), before, after).l2[1:])  # type: ignore[misc]
    slope = np.log10(found[1] / found[0])
    np.testing.assert_allclose(slope, 1, atol=0.02)


def test_blocks_can_be_chosen() -> None:
    model, x, y = deep_linear.net(batch_norm=False)
    before, after = step(model, 0.01, x, y)

    def closure() -> Tensor:
        return deep_linear.loss(model, x, y)

    whole = gradient_change(model, closure, before, after)
    some = gradient_change(model, closure, before, after, {"below": ["0.weight", "1.weight"], "top": ["2.weight"]})
    assert some.names == ("below", "top")
    assert some.l2[1] == whole.l2[2]
    with pytest.raises(ValueError, match=r"4\.weight"):
        gradient_change(model, closure, before, after, {"there": ["4.weight"]})
    with pytest.raises(ValueError, match=r"3\.weight.*missing"):
        gradient_change(model, closure, {n: w for n, w in before.items() if n != "3.weight"}, after)
    with pytest.raises(ValueError, match="shape"):
        gradient_change(model, closure, {**before, "0.weight": torch.zeros(5)}, after)
