"""Directions against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from normscope.measures.directions import principal_directions, projection, random_directions
from normscope.measures.untouched import snapshot

from .quadratic import flat


def cnn() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))


def test_random_directions_are_as_long_as_the_filters() -> None:
    model = cnn()
    first, second = random_directions(model, seed=5)
    for name, w in snapshot(model).items():
        for direction in (first, second):
            d = direction[name].numpy()
            if w.dim() == 1:
                assert not d.any()
            else:
                rows = [x.reshape(len(x), -1) for x in (d, w.numpy())]
                lengths = [np.linalg.norm(x, axis=1) for x in rows]
                np.testing.assert_allclose(lengths[0], lengths[1], rtol=1e-5)
    assert not torch.equal(first["0.weight"], second["0.weight"])
    assert torch.equal(random_directions(model, seed=5)[1]["0.weight"], second["0.weight"])
    assert not torch.equal(random_directions(model, seed=6)[0]["0.weight"], first["0.weight"])


def test_a_filter_of_zeros_stays() -> None:
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight[0] = 0
    (found,) = random_directions(model, seed=0, count=1)
    assert not found["weight"][0].any()
    assert found["weight"][1].all()


def path(points: int = 9) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(6)
    found = [{"a": torch.zeros(3, 4, dtype=torch.float64), "b": torch.zeros(5, dtype=torch.float64)}]
    for _ in range(points - 1):
        found.append({n: w + torch.randn(w.shape, generator=generator, dtype=w.dtype) for n, w in found[-1].items()})
    return found


def test_principal_directions_are_those_of_a_singular_value_decomposition() -> None:
    weights = path()
    found = principal_directions(weights)
    x = np.stack([flat(w) for w in weights])
    _, s, axes = np.linalg.svd(x - x.mean(axis=0))
    np.testing.assert_allclose(found.explained, s[:2] ** 2 / np.sum(s**2), rtol=1e-10)
    for direction, axis in zip(found.directions, axes, strict=False):
        np.testing.assert_allclose(flat(direction) * np.sign(flat(direction) @ axis), axis, atol=1e-10)
        assert flat(direction) @ (x[-1] - x.mean(axis=0)) >= 0


def test_a_straight_path_has_one_direction() -> None:
    weights = [{"w": torch.tensor([3.0, 4.0]) * t} for t in (0.0, 1.0, 2.0)]
    found = principal_directions(weights)
    np.testing.assert_allclose(found.explained, [1, 0], atol=1e-12)
    np.testing.assert_allclose(found.directions[0]["w"], [0.6, 0.8], rtol=1e-6)
    assert not found.directions[1]["w"].any()
    np.testing.assert_allclose(projection(weights, weights[1], found.directions), [[-5, 0], [0, 0], [5, 0]], atol=1e-6)


@pytest.mark.parametrize(("weights", "why"), [(path(2), "2 points"), ([path(2)[0]] * 4, "the same")])
def test_a_path_without_a_plane_is_refused(weights: list[dict[str, Tensor]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        principal_directions(weights)


def test_a_path_on_the_plane_is_found_there() -> None:
    model = cnn()
    u, v = random_directions(model, seed=2)
    v = {n: d + 0.5 * u[n] for n, d in v.items()}  # far from orthogonal
    centre = snapshot(model)
    points = np.random.default_rng(1).normal(size=(7, 2))
    weights = [{n: w + a * u[n] + b * v[n] for n, w in centre.items()} for a, b in points.tolist()]
    np.testing.assert_allclose(projection(weights, centre, (u, v)), points, atol=1e-5)


def test_off_the_plane_it_is_the_nearest_point() -> None:
    weights = path()
    directions = principal_directions(weights).directions
    found = projection(weights, weights[-1], directions)
    axes = np.stack([flat(d) for d in directions], axis=1)
    x = np.stack([flat(w) - flat(weights[-1]) for w in weights])
    np.testing.assert_allclose(found, np.linalg.lstsq(axes, x.T, rcond=None)[0].T, atol=1e-10)
