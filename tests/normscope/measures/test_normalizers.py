"""What a normalizer does, against numpy; and the geometry of weights without a scale."""

from __future__ import annotations

import math
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from normscope.measures.normalizers import feeds, statistics, turns
from normscope.measures.untouched import snapshot
from trainer.norms import norm


def test_batch_and_running_statistics_are_numpys() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3, momentum=0.2)
    model = nn.Sequential(conv, norm, nn.Flatten(), nn.Linear(12, 4), nn.BatchNorm1d(4, affine=False))
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        norm.bias.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    model(torch.randn(8, 1, 3, 3))
    x = torch.randn(8, 1, 3, 3)
    found = statistics(model, lambda: model(x))
    assert list(found) == ["1", "4"]
    one = found["1"]
    h = conv(x).detach().double().numpy()
    kept = [t.double().numpy() for t in (norm.running_mean, norm.running_var) if t is not None]
    np.testing.assert_allclose(one.gamma, [1, 2, 3])
    np.testing.assert_allclose(one.beta, [-1, 0, 1])
    np.testing.assert_allclose(one.batch_mean, h.mean(axis=(0, 2, 3)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(one.batch_variance, h.var(axis=(0, 2, 3), ddof=1), rtol=1e-4)
    np.testing.assert_array_equal([one.running_mean, one.running_variance], kept)
    spread = np.sqrt(kept[1] + norm.eps)
    np.testing.assert_allclose(one.mean_noise, (h.mean(axis=(0, 2, 3)) - kept[0]) / spread, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(one.scale_noise, np.sqrt(h.var(axis=(0, 2, 3), ddof=1) + norm.eps) / spread, rtol=1e-3)
    np.testing.assert_array_equal(found["4"].gamma, np.ones(4))
    np.testing.assert_array_equal(found["4"].beta, np.zeros(4))
    assert norm.momentum == 0.2


def test_the_noise_is_one_over_the_root_of_the_batch() -> None:
    model = nn.BatchNorm1d(2000)
    x = torch.randn(50, 2000, generator=torch.Generator().manual_seed(1))
    found = statistics(model, lambda: model(x))[""]  # running statistics are 0 and 1, as the distribution's are
    assert np.std(found.mean_noise) == pytest.approx(1 / math.sqrt(50), rel=0.05)
    assert np.std(found.scale_noise) == pytest.approx(1 / math.sqrt(2 * 49), rel=0.05)


def test_the_layout_of_the_input_is_the_modules_affair() -> None:
    model = norm("batch", 4, dimensions=0)
    x = torch.randn(6, 4, 4)  # as many tokens as features
    found = statistics(model, lambda: model(x))[""]
    np.testing.assert_allclose(found.batch_mean, x.numpy().mean(axis=(0, 1)), atol=1e-6)


def test_what_has_no_batch_to_compare_with_is_left_out() -> None:
    model = nn.Sequential(
        nn.BatchNorm1d(3), nn.BatchNorm1d(3, track_running_stats=False), nn.LayerNorm(3), nn.BatchNorm1d(3)
    )
    model[0].eval()
    x = torch.randn(5, 3)
    assert list(statistics(model, lambda: model(x))) == ["3"]
    assert statistics(model, lambda: None) == {}
    assert statistics(model.eval(), lambda: model(x)) == {}


def test_a_module_that_is_called_twice_is_seen_once() -> None:
    model = nn.BatchNorm1d(2)
    one, other = torch.randn(5, 2), torch.randn(5, 2) + 9
    found = statistics(model, lambda: (model(one), model(other)))[""]
    np.testing.assert_allclose(found.batch_mean, one.numpy().mean(axis=0), atol=1e-6)


class Branches(nn.Module):
    """Layers that are registered in another order than they are called in."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.BatchNorm1d(4) for _ in range(3))
        self.second, self.first, self.third = (nn.Linear(4, 4) for _ in range(3))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.first(x))
        x = self.norm2(nn.Sequential(self.second)(x))
        found: Tensor = self.norm3(self.relu(self.third(x)))
        return found


def test_weights_that_feed_a_batch_normalization_are_found_by_running() -> None:
    model = Branches()
    assert feeds(model, lambda: model(torch.randn(5, 4))) == {"norm1": "first.weight", "norm2": "second.weight"}
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_step_turns_weights_without_a_scale() -> None:
    # As the gradient is orthogonal to the weights: ‖w′‖² = ‖w‖² + η²‖g‖², and the angle is arctan(η‖g‖/‖w‖).
    torch.manual_seed(2)
    fc = nn.Linear(6, 5, bias=False)
    model = nn.Sequential(OrderedDict(fc=fc, norm=nn.BatchNorm1d(5, eps=1e-30), out=nn.Linear(5, 1))).double()
    x = torch.randn(20, 6, dtype=torch.float64)
    names = feeds(model, lambda: model(x)).values()
    for rate in (0.5, 1e-7):
        before = snapshot(model)
        (g,) = torch.autograd.grad(model(x).tanh().square().sum(), [fc.weight])
        after = {**before, "fc.weight": before["fc.weight"] - rate * g}
        found = turns(before, after, rate, names)
        w = np.linalg.norm(before["fc.weight"].numpy())
        assert found.names == ("fc.weight",)
        assert found.length[0] == pytest.approx(w, rel=1e-12)
        assert found.angle[0] == pytest.approx(math.atan(rate * float(g.norm()) / w), rel=1e-6)
        assert found.effective_rate[0] == pytest.approx(rate / w**2, rel=1e-12)


def test_a_half_turn_is_pi() -> None:
    w = {"w": torch.tensor([1.0, 2.0])}
    assert turns(w, {"w": -3 * w["w"]}, 1.0, ["w"]).angle[0] == pytest.approx(math.pi)
    assert turns(w, w, 1.0, ["w"]).angle[0] == 0
    assert turns(w, w, 1.0, []).length.shape == (0,)
