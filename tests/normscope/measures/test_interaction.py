"""A step's effects on a quadratic, where they are sums of products."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from normscope.measures.interaction import interaction, next_batch_effect
from normscope.measures.untouched import snapshot

from .quadratic import Quadratic


def moved(model: Quadratic) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    before = snapshot(model)
    generator = torch.Generator().manual_seed(9)
    return before, {n: w + torch.randn(w.shape, generator=generator, dtype=w.dtype) for n, w in before.items()}


def test_on_a_quadratic_layers_interact_through_the_hessians_blocks_between_them() -> None:
    model = Quadratic()
    before, after = moved(model)
    found = interaction(model, model, before, after, {"w": ["w"], "v": ["v"]})
    h = model.hessian.numpy()
    w, v = before["w"].numpy(), before["v"].numpy()
    dw, dv = (after["w"] - before["w"]).numpy(), (after["v"] - before["v"]).numpy()
    g = h @ np.concatenate([w, v])
    alone = [g[:4] @ dw + dw @ h[:4, :4] @ dw / 2, g[4:] @ dv + dv @ h[4:, 4:] @ dv / 2]
    np.testing.assert_allclose(found.alone, alone, rtol=1e-10)
    assert found.interaction == pytest.approx(dw @ h[:4, 4:] @ dv, rel=1e-10)
    assert found.together == pytest.approx(sum(alone) + dw @ h[:4, 4:] @ dv, rel=1e-10)
    assert found.ratio == pytest.approx(found.interaction / abs(sum(alone)), rel=1e-12)
    assert found.names == ("w", "v")


def test_what_is_in_no_block_stays() -> None:
    model = Quadratic()
    before, after = moved(model)
    found = interaction(model, model, before, after, {"w": ["w"]})
    assert found.together == found.alone[0]
    assert found.interaction == 0


def test_where_nothing_moves_there_is_no_ratio() -> None:
    model = Quadratic()
    before = snapshot(model)
    assert np.isnan(interaction(model, model, before, before).ratio)


def test_layers_of_a_net_with_batch_normalization_by_hand() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double()
    x, y = torch.randn(9, 3, dtype=torch.float64), torch.randint(0, 2, (9,))
    before = snapshot(model)
    after = {n: w + 0.1 * torch.randn_like(w) for n, w in before.items()}
    found = interaction(model, lambda: cross_entropy(model(x), y), before, after)

    def loss(*names: str) -> float:
        weights = {n: (after if n in names else before)[n] for n in before}
        return float(cross_entropy(torch.func.functional_call(model, weights, (x,)), y))

    start = loss()
    lower, upper = ("0.weight", "0.bias", "1.weight", "1.bias"), ("3.weight", "3.bias")
    np.testing.assert_allclose(found.alone, [loss(*lower) - start, loss(*upper) - start], rtol=1e-10)
    assert found.together == pytest.approx(loss(*lower, *upper) - start, rel=1e-10)
    assert found.names == ("0", "3")


def test_a_step_on_two_quadratics() -> None:
    model = Quadratic()
    before, after = moved(model)
    other = Quadratic([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).hessian

    def following() -> torch.Tensor:
        w = torch.cat([model.w, model.v])
        return w @ other @ w / 2

    found = next_batch_effect(model, model, following, before, after)
    old, new = (np.concatenate([w.numpy() for w in weights.values()]) for weights in (before, after))
    for value, h in ((found.this, model.hessian.numpy()), (found.following, other.numpy())):
        assert value == pytest.approx(new @ h @ new / 2 - old @ h @ old / 2, rel=1e-10)
