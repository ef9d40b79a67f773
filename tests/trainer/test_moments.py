"""What claims measure of units' moments, and of changes for a moment, against numpy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from normscope.measures.untouched import snapshot
from normscope.spec import Spec
from trainer.data import Data
from trainer.measures.moment import Measure, Moment
from trainer.measures.moments import Conditioning, Jolts, Normalized, Restoring, _turned
from trainer.nets import mlp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GENERATOR = torch.Generator().manual_seed(5)
X = torch.randn(40, 6, generator=GENERATOR, dtype=torch.float64) + 1
Y = torch.arange(40) % 3


def problem(kind: type[Measure], norm: str) -> tuple[Any, Any, Moment]:
    """A measure of a net of two hidden layers of tanh in float64, the net, and a step at which to measure it."""
    net = mlp(norm, 1, inputs=6, outputs=3, depth=2, width=5, activation="tanh", init_std=0.4).double()
    for p in net.parameters():
        if p.dim() == 1:
            p.data += torch.linspace(0.3, 0.7, len(p), dtype=p.dtype)
    data = Data(X, Y, X, Y, 3)
    measure = kind(Spec("an arm", norm=norm), net, data, lambda x, y: cross_entropy(net(x), y))
    return measure, net, Moment(0, X, Y, X, Y, snapshot(net))


def passed(net: Any) -> list[tuple[Floats, Floats]]:
    """What each normalizer is given and gives, in numpy."""
    h, found = X.numpy(), []
    for i in (1, 2):
        layer, norm = net.get_submodule(f"fc{i}"), net.get_submodule(f"norm{i}")
        before = h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        after = before
        if isinstance(norm, nn.BatchNorm1d):
            hat = (before - before.mean(0)) / np.sqrt(before.var(0) + norm.eps)
            after = norm.weight.detach().numpy() * hat + norm.bias.detach().numpy()
        found.append((before, after))
        h = np.tanh(after)
    return found


def state(net: nn.Module) -> list[Tensor]:
    return [t.clone() for t in net.state_dict().values()]


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_conditioning_is_numpys(norm: str) -> None:
    measure, net, moment = problem(Conditioning, norm)
    series = measure.before(moment)
    for i, (_, h) in enumerate(passed(net)):
        second = h.T @ h / len(h)
        off_centre = np.abs(h.mean(0)).mean() / h.std(0, ddof=1).mean()
        assert series["conditioning.off_centre"][i] == pytest.approx(off_centre, rel=1e-9)
        rank = np.trace(second) ** 2 / np.sum(second**2) / 5
        assert series["conditioning.rank"][i] == pytest.approx(rank, rel=1e-9)
    assert measure.outcome()["rank"] == pytest.approx(np.mean(series["conditioning.rank"]))


class Off(nn.BatchNorm1d):
    """Batch normalization that errs: its outputs are 1 % too large, and 0.02 too high."""

    def forward(self, input: Tensor) -> Tensor:
        return 1.01 * super().forward(input) + 0.02


def put_off(net: Any) -> None:
    off = Off(5).double()
    off.load_state_dict(net.norm2.state_dict())
    net.norm2 = off


def test_normalized_units_have_no_error_and_one_in_the_normalizer_is_seen() -> None:
    measure, net, moment = problem(Normalized, "batch")
    measure.before(moment)
    assert all(error < 1e-12 for error in measure.outcome().values())
    put_off(net)
    before, kept = passed(net)[1][0], state(net)
    series = measure.before(moment)
    assert series["normalized.mean_error"] == pytest.approx([0, 0.02], abs=1e-9)
    share = before.var(0) / (before.var(0) + net.norm2.eps)
    assert series["normalized.variance_error"] == pytest.approx([0, (0.0201 * share).max()], abs=1e-9)
    gamma, beta = (p.detach().numpy() for p in (net.norm2.weight, net.norm2.bias))
    found = measure.outcome()
    assert found["affine_mean_error"] == pytest.approx(np.abs(0.01 * beta + 0.02).max())
    assert found["affine_spread_error"] == pytest.approx((0.01 * np.abs(gamma) * np.sqrt(share)).max())
    assert all(map(torch.equal, state(net), kept))


def test_restored_inputs_are_what_came_in_and_an_error_of_the_normalizer_is_seen() -> None:
    measure, net, moment = problem(Restoring, "batch")
    series = measure.before(moment)
    assert max(series["restoring.error"]) < 1e-12
    far = first = 0.0
    for (before, _), norm in zip(passed(net), (net.norm1, net.norm2), strict=True):
        mean, spread = before.mean(0), np.sqrt(before.var(0) + norm.eps)
        gamma, beta = (p.detach().numpy() for p in (norm.weight, norm.bias))
        far += np.sum((gamma - spread) ** 2 + (beta - mean) ** 2)
        first += np.sum((1 - spread) ** 2 + mean**2)
    assert series["restoring.distance"] == pytest.approx(np.sqrt(far / first), rel=1e-9)
    put_off(net)
    before, kept = passed(net)[1][0], state(net)
    series = measure.before(moment)
    spread = np.sqrt(before.var(0) + net.norm2.eps)
    assert series["restoring.error"][1] == pytest.approx((np.abs(0.01 * before + 0.02) / spread).max(), rel=1e-9)
    assert all(map(torch.equal, state(net), kept))


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_jolts_are_what_the_loss_makes_of_changed_weights(norm: str) -> None:
    measure, net, moment = problem(Jolts, norm)

    def loss() -> float:
        h = np.tanh(passed(net)[1][1]) @ net.out.weight.detach().numpy().T + net.out.bias.detach().numpy()
        return float(np.mean(np.log(np.exp(h).sum(1)) - h[np.arange(40), Y.numpy()]))

    series, start, usual = measure.before(moment), snapshot(net), loss()
    with torch.no_grad():
        net.fc1.weight.mul_(2)
        scaled = loss()
        net.fc1.weight.copy_(start["fc1.weight"])
        net.fc1.bias.add_(1)
        shifted = loss()
    assert series["jolts.scale"] == pytest.approx(abs(scaled - usual) / usual, rel=1e-6, abs=1e-12)
    assert series["jolts.shift"] == pytest.approx(abs(shifted - usual) / usual, rel=1e-6, abs=1e-12)
    absorbed = norm == "batch"
    assert (series["jolts.scale"] < 1e-3, series["jolts.shift"] < 1e-9) == (absorbed, absorbed)
    assert series["jolts.turn"] > 1e-3


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_later_layers_are_compared_with_before_and_ten_steps_are_made_from_there(norm: str) -> None:
    measure, net, moment = problem(Jolts, norm)
    net.out.weight.data.mul_(12)  # or the loss would hardly notice
    moment = replace(moment, start=snapshot(net))
    rate = measure.spec.rate
    kept = state(net)
    series = measure.before(moment)
    assert all(map(torch.equal, state(net), kept))

    def seen() -> list[Floats]:
        return [np.tanh(after) for _, after in passed(net)]

    def moved(name: str, change: Any) -> None:
        start, usual = snapshot(net), seen()
        with torch.no_grad():
            change()
        for layer, (old, new) in enumerate(zip(usual, seen(), strict=True)):
            # Wasserstein-1 of samples of one size: the mean distance of the sorted ones.
            away = np.abs(np.sort(old, 0) - np.sort(new, 0)).mean() / old.std(0).mean()
            assert series[f"jolts.moved_{name}"][layer] == pytest.approx(away, rel=1e-6, abs=1e-9)
        net.load_state_dict(start, strict=False)

    moved("scale", lambda: net.fc1.weight.mul_(2))
    moved("shift", lambda: net.fc1.bias.add_(1))
    absorbed = norm == "batch"
    assert (max(series["jolts.moved_scale"]) < 1e-2, max(series["jolts.moved_shift"]) < 1e-9) == (absorbed, absorbed)
    assert min(series["jolts.moved_turn"]) > 1e-2

    def losses(weight: Tensor) -> list[float]:
        other = problem(Jolts, norm)[1]
        other.load_state_dict(net.state_dict())
        other.fc1.weight.data.copy_(weight)
        descent, found = torch.optim.SGD(other.parameters(), lr=rate), []
        for _ in range(11):
            loss = cross_entropy(other(X), Y)
            found.append(loss.item())
            descent.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            descent.step()
        return found

    usual = losses(net.fc1.weight)
    turned = losses(_turned(net.fc1.weight.detach(), torch.Generator().manual_seed(measure.spec.seed)))
    assert abs(turned[0] - usual[0]) > 0.01 * usual[0]
    assert series["jolts.left"] == pytest.approx((turned[10] - usual[10]) / (turned[0] - usual[0]), rel=1e-6)
    assert measure.outcome()["jump_left"] == pytest.approx(series["jolts.left"], rel=1e-6)
    assert measure.outcome()["moved_turn"] == pytest.approx(np.mean(series["jolts.moved_turn"]), rel=1e-6)


def test_turned_weights_are_as_long_and_point_45_degrees_elsewhere() -> None:
    weight = torch.randn(4, 3, 2, 2, generator=GENERATOR, dtype=torch.float64)
    turned = _turned(weight, torch.Generator().manual_seed(0))
    one, other = (w.numpy().reshape(4, -1) for w in (weight, turned))
    length, new = (np.linalg.norm(w, axis=1) for w in (one, other))
    np.testing.assert_allclose(new, length, rtol=1e-12)
    np.testing.assert_allclose((one * other).sum(1) / length / new, np.cos(np.pi / 4), rtol=1e-12)
