"""Along the gradient, against closed forms; and nothing left behind."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from normscope.measures.landscape import FACTORS, along_gradient

from . import deep_linear
from .quadratic import Quadratic, full_hessian


@pytest.mark.parametrize("own", [True, False])
def test_a_quadratic_is_what_the_formula_says(own: bool) -> None:
    model = Quadratic()
    loss = model()
    if own:
        loss.backward()
    found = along_gradient(model, model, 0.1)
    h, w = model.hessian.numpy(), torch.cat([model.w, model.v]).detach().numpy()
    g = h @ w
    eta = 0.1 * np.array(FACTORS)
    np.testing.assert_allclose(found.eta, eta)
    np.testing.assert_allclose(found.loss, loss.item() - eta * (g @ g) + eta**2 / 2 * (g @ h @ g), rtol=1e-10)
    np.testing.assert_allclose(found.predictiveness, eta * np.linalg.norm(h @ g), rtol=1e-10)
    np.testing.assert_allclose(found.beta, np.linalg.norm(h @ g) / np.linalg.norm(g), rtol=1e-10)
    assert (model.w.grad is not None) == own


def test_the_range_of_the_source_is_the_default() -> None:
    assert len(FACTORS) == 8
    np.testing.assert_allclose(np.diff(np.log(FACTORS)), np.log(8) / 7)
    assert (FACTORS[0], FACTORS[-1]) == (0.5, 4.0)


def test_beta_is_the_hessians_along_a_short_step() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x, y = torch.randn(8, 3, dtype=torch.float64), torch.randint(0, 2, (8,))
    h = full_hessian(model, lambda: cross_entropy(model(x), y))
    gradients = torch.autograd.grad(cross_entropy(model(x), y), list(model.parameters()))
    g = np.concatenate([x.flatten() for x in gradients])
    found = along_gradient(model, lambda: cross_entropy(model(x), y), 1e-6, [1.0])
    assert found.beta[0] == pytest.approx(np.linalg.norm(h @ g) / np.linalg.norm(g), rel=1e-4)


def test_a_deep_linear_net_with_batch_normalization_is_what_plain_numpy_says() -> None:
    model, x, y = deep_linear.net(batch_norm=True)
    found = along_gradient(model, lambda: deep_linear.loss(model, x, y), 0.01)
    weights = deep_linear.weights_of(model)
    value, gradient = deep_linear.loss_and_gradient(weights, x.numpy(), y.numpy())
    assert deep_linear.loss(model, x, y).item() == pytest.approx(value, rel=1e-12)
    for i, eta in enumerate(0.01 * np.array(FACTORS)):
        ahead = deep_linear.loss_and_gradient(
            [{n: w[n] - eta * g[n] for n in w} for w, g in zip(weights, gradient, strict=True)], x.numpy(), y.numpy()
        )
        change = deep_linear.length(deep_linear.difference(ahead[1], gradient))
        assert found.loss[i] == pytest.approx(ahead[0], rel=1e-10)
        assert found.predictiveness[i] == pytest.approx(change, rel=1e-9)
        assert found.beta[i] == pytest.approx(change / eta / deep_linear.length(gradient), rel=1e-9)


def noisy_net() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 20), nn.BatchNorm1d(20), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(20, 3))


def everything(model: nn.Module) -> list[Tensor]:
    grads = [torch.zeros(0) if p.grad is None else p.grad for p in model.parameters()]
    return [t.clone() for t in (*model.state_dict().values(), *grads, torch.get_rng_state())]


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("fails", [None, 1, 2, 5])
def test_no_trace_is_left_bit_for_bit(own: bool, fails: int | None) -> None:
    model = noisy_net()
    x, y = torch.randn(16, 6), torch.randint(0, 3, (16,))
    loss = cross_entropy(model(x), y)
    if own:
        loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    before, grads = everything(model), [p.grad for p in model.parameters()]
    python, numpy = random.getstate(), np.random.get_state(legacy=False)["state"]["key"]
    calls = 0

    def closure() -> Tensor:
        nonlocal calls
        calls += 1
        if calls == fails:
            raise KeyError("the closure's own")
        return cross_entropy(model(x), y)

    if fails:
        with pytest.raises(KeyError):
            along_gradient(model, closure, 0.1)
    else:
        assert np.isfinite(along_gradient(model, closure, 0.1).beta).all()
    assert all(torch.equal(a, b) for a, b in zip(before, everything(model), strict=True))
    assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
    assert all(p.requires_grad for p in model.parameters())
    assert random.getstate() == python
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy)
    loss.backward()  # type: ignore[no-untyped-call]  # the graph of before is still good


def test_dropout_masks_are_the_same_in_all_evaluations() -> None:
    model = noisy_net()
    x, y = torch.randn(16, 6), torch.randint(0, 3, (16,))
    loss = cross_entropy(model(x), y)  # with masks that nobody can draw again
    loss.backward()  # type: ignore[no-untyped-call]
    found = along_gradient(model, lambda: cross_entropy(model(x), y), 1e-7, [1.0, 1.0])
    assert found.loss[0] == found.loss[1]
    assert found.predictiveness.max() < 1e-3


def test_a_rate_of_zero_changes_nothing_and_has_no_beta() -> None:
    model = Quadratic()
    found = along_gradient(model, model, 0.0)
    assert found.predictiveness.max() == 0
    assert np.isnan(found.beta).all()


def test_frozen_and_unused_parameters_stay() -> None:
    torch.manual_seed(1)
    model = nn.ModuleDict({"used": nn.Linear(2, 1), "unused": nn.Linear(2, 1), "frozen": nn.Linear(2, 2)})
    for p in model["frozen"].parameters():
        p.requires_grad_(False)
    x = torch.randn(5, 2)
    found = along_gradient(model, lambda: model["used"](model["frozen"](x)).square().mean(), 0.1)
    assert np.isfinite(found.beta).all()
    assert all(p.grad is None for p in model.parameters())
    assert not model["frozen"].weight.requires_grad


@pytest.mark.parametrize(
    ("rate", "factors"), [(-1.0, FACTORS), (float("nan"), FACTORS), (0.1, []), (0.1, [0.0]), (0.1, [float("inf")])]
)
def test_senseless_arguments_are_refused(rate: float, factors: list[float]) -> None:
    model = Quadratic()
    with pytest.raises(ValueError, match=r"rate|factors"):
        along_gradient(model, model, rate, factors)


def test_a_buffer_that_is_replaced_comes_back() -> None:
    class Counting(Quadratic):
        def __init__(self) -> None:
            super().__init__()
            self.seen: Tensor
            self.register_buffer("seen", torch.zeros(()))

        def forward(self) -> Tensor:
            self.seen = self.seen + 1
            return super().forward()

    model = Counting()
    seen = model.seen
    along_gradient(model, model, 0.1)
    assert model.seen is seen
    assert seen == 0
