"""The measures against closed forms, plain numpy, scipy, and full Hessians; and that none leaves a trace."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from normscope import curvature, health, interaction, landscape, sampling, shift
from normscope.blocks import blocks_of
from trainer import nets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RNG = np.random.default_rng(0)


class Quadratic(nn.Module):
    """½ wᵀHw, the weights in two layers."""

    def __init__(self, hessian: Floats, start: Floats) -> None:
        super().__init__()
        self.hessian = torch.tensor(hessian)
        half = len(start) // 2
        self.first, self.second = (
            nn.Parameter(torch.tensor(part).unsqueeze(0)) for part in (start[:half], start[half:])
        )

    def loss(self) -> Tensor:
        w = torch.cat([self.first, self.second], 1)[0]
        return 0.5 * w @ self.hessian @ w


def symmetric(n: int, low: float, high: float) -> Floats:
    q, _ = np.linalg.qr(RNG.standard_normal((n, n)))
    found: Floats = (q * np.linspace(low, high, n)) @ q.T
    return found


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize(("low", "high"), [(0.1, 9.0), (-20.0, 3.0), (-9.0, -0.5)])
def test_sharpness_of_a_quadratic_is_its_largest_eigenvalue_signed(low: float, high: float) -> None:
    model = Quadratic(symmetric(12, low, high), RNG.standard_normal(12))
    found = curvature.sharpness(model, model.loss, tolerance=1e-8)
    assert found.value == pytest.approx(high, rel=1e-6)
    assert found.residual <= 1e-6


@pytest.mark.parametrize("arm", ["none", "batch"])
def test_sharpness_of_a_net_is_that_of_its_full_hessian(arm: str) -> None:
    net = nets.mlp(arm, inputs=4, outputs=3, depth=1, width=5, activation="tanh").double()
    x, y = torch.tensor(RNG.standard_normal((20, 4))), torch.tensor(RNG.integers(0, 3, 20))
    names = [name for name, _ in net.named_parameters()]
    shapes = [p.shape for p in net.parameters()]

    def loss(flat: Tensor) -> Tensor:
        parts = [
            part.view(shape) for part, shape in zip(torch.split(flat, [s.numel() for s in shapes]), shapes, strict=True)
        ]
        return cross_entropy(torch.func.functional_call(_stateless(net), dict(zip(names, parts, strict=True)), x), y)

    flat = torch.cat([p.detach().reshape(-1) for p in net.parameters()])
    full = torch.autograd.functional.hessian(loss, flat)  # type: ignore[no-untyped-call]
    found = curvature.sharpness(net, lambda: cross_entropy(net(x), y), iterations=60, tolerance=1e-7)
    assert found.value == pytest.approx(np.linalg.eigvalsh(full.numpy())[-1], rel=1e-5)


def _stateless(net: nn.Module) -> nn.Module:
    other = copy.deepcopy(net)
    for module in other.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.track_running_stats = False
            module.running_mean = module.running_var = None
    return other


def test_steps_diverge_on_a_quadratic_just_where_sharpness_exceeds_two_over_the_rate() -> None:
    hessian = symmetric(6, 0.5, 4.0)
    model = Quadratic(hessian, np.ones(6))
    edge = 2 / curvature.sharpness(model, model.loss, tolerance=1e-9).value
    for rate, grows in ((0.99 * edge, False), (1.01 * edge, True)):
        w = np.ones(6)
        for _ in range(2000):
            w = w - rate * hessian @ w
        assert (np.linalg.norm(w) > 1) == grows


def test_interaction_on_a_quadratic_is_the_mixed_term() -> None:
    hessian = symmetric(8, -2.0, 5.0)
    model = Quadratic(hessian, RNG.standard_normal(8))
    before = weights(model)
    w = np.concatenate([before["first"][0], before["second"][0]])
    step = -0.1 * hessian @ w
    after = {"first": before["first"] + torch.tensor(step[:4]), "second": before["second"] + torch.tensor(step[4:])}
    found = interaction.interaction(model, model.loss, before, after, [["first"], ["second"]])
    mixed = step[:4] @ hessian[:4, 4:] @ step[4:]
    assert found.together - found.alone.sum() == pytest.approx(mixed, rel=1e-9)
    assert found.ratio == pytest.approx(mixed / abs(found.alone.sum()), rel=1e-9)
    whole = 0.5 * (w + step) @ hessian @ (w + step) - 0.5 * w @ hessian @ w
    assert found.together == pytest.approx(whole, rel=1e-9)


def test_the_next_batch_effect_is_the_difference_of_losses() -> None:
    model = nn.Linear(3, 1, bias=False).double()
    a, b = (torch.tensor(RNG.standard_normal((5, 3))) for _ in range(2))
    before = {"weight": torch.tensor([[1.0, 2.0, 3.0]]).double()}
    after = {"weight": torch.tensor([[0.0, -1.0, 0.5]]).double()}
    found = interaction.next_batch_effect(
        model, lambda: model(a).square().sum(), lambda: model(b).square().sum(), before, after
    )

    def loss(x: Tensor, w: Tensor) -> float:
        return float(((x.numpy() @ w.numpy().T) ** 2).sum())

    assert found == pytest.approx([loss(x, after["weight"]) - loss(x, before["weight"]) for x in (a, b)])


def linear_gradients(matrices: list[Floats], x: Floats, y: Floats) -> list[Floats]:
    """∇W_i = (W_k … W_{i+1})ᵀ ∂L/∂y (W_{i−1} … W_1 x)ᵀ of L = Σ‖W_k … W_1 x − y‖², in plain numpy."""
    hidden = [x.T]
    for matrix in matrices:
        hidden.append(matrix @ hidden[-1])
    error = 2 * (hidden[-1] - y.T)
    found = []
    for i, matrix in reversed(list(enumerate(matrices))):
        found.append(error @ hidden[i].T)
        error = matrix.T @ error
    return found[::-1]


def normalized_gradients(matrices: list[Floats], x: Floats, y: Floats, eps: float = 1e-5) -> list[Floats]:
    """The same with batch normalization (γ = 1, β = 0) after each matrix but the last, backward by hand."""
    hidden, kept = [x.T], []
    for i, matrix in enumerate(matrices):
        h = matrix @ hidden[-1]
        if i < len(matrices) - 1:
            sigma = np.sqrt(h.var(1, keepdims=True) + eps)
            h = (h - h.mean(1, keepdims=True)) / sigma
            kept.append((h, sigma))
        hidden.append(h)
    error = 2 * (hidden[-1] - y.T)
    found = []
    for i, matrix in reversed(list(enumerate(matrices))):
        if i < len(matrices) - 1:
            h, sigma = kept[i]
            error = (error - error.mean(1, keepdims=True) - h * (error * h).mean(1, keepdims=True)) / sigma
        found.append(error @ hidden[i].T)
        error = matrix.T @ error
    return found[::-1]


GRADIENTS: dict[str, Callable[[list[Floats], Floats, Floats], list[Floats]]] = {
    "none": linear_gradients,
    "batch_plain": normalized_gradients,
}


@pytest.mark.parametrize("arm", GRADIENTS)
def test_gradient_change_and_smoothness_of_a_deep_linear_net_are_those_of_plain_numpy(arm: str) -> None:
    net = nets.dln(arm, depth=5, width=4).double()
    x, y = (torch.tensor(RNG.standard_normal((30, 4))) for _ in range(2))

    def loss() -> Tensor:
        found: Tensor = (net(x) - y).square().sum()
        return found

    gradients = GRADIENTS[arm]
    start = [p.detach().numpy().copy() for p in net.parameters() if p.dim() == 2]
    g = gradients(start, x.numpy(), y.numpy())
    rate = 1e-3
    end = [w - rate * d for w, d in zip(start, g, strict=True)]
    before = weights(net)
    after = {name: torch.tensor(w) for (name, _), w in zip(net.named_parameters(), end, strict=True)}
    found = shift.gradient_change(net, loss, before, after)
    for i in range(5):
        moved = gradients(end[:i] + start[i:], x.numpy(), y.numpy())[i]
        change = np.linalg.norm(moved - g[i])
        assert found.l2[i] == pytest.approx(change, rel=1e-7, abs=1e-12)
        assert found.relative[i] == pytest.approx(change / np.linalg.norm(g[i]), rel=1e-7, abs=1e-12)
        cosine = (moved * g[i]).sum() / np.linalg.norm(moved) / np.linalg.norm(g[i])
        assert found.cosine[i] == pytest.approx(cosine, rel=1e-9)
    assert found.l2[0] == 0
    along = landscape.along_gradient(net, loss, rate, [0.5, 2.0])
    for k, factor in enumerate((0.5, 2.0)):
        there = gradients([w - factor * rate * d for w, d in zip(start, g, strict=True)], x.numpy(), y.numpy())
        change = np.sqrt(sum(np.square(a - b).sum() for a, b in zip(there, g, strict=True)))
        length = np.sqrt(sum(np.square(d).sum() for d in g))
        assert along.predictiveness[k] == pytest.approx(change, rel=1e-7)
        assert along.beta[k] == pytest.approx(change / (factor * rate * length), rel=1e-7)


def test_gradient_change_is_nothing_at_rate_zero_and_of_slope_one_in_the_rate() -> None:
    net = nets.mlp("batch", inputs=6, outputs=3, depth=3, width=8).double()
    x, y = torch.tensor(RNG.standard_normal((20, 6))), torch.tensor(RNG.integers(0, 3, 20))

    def loss() -> Tensor:
        return cross_entropy(net(x), y)

    loss().backward()  # type: ignore[no-untyped-call]
    before = weights(net)

    def change(rate: float) -> Floats:
        after = {name: p.detach() - rate * p.grad for name, p in net.named_parameters() if p.grad is not None}
        return shift.gradient_change(net, loss, before, after).l2

    assert change(0.0).tolist() == [0, 0, 0, 0]
    small, large = change(1e-4), change(1e-3)
    assert small[0] == large[0] == 0
    assert large[1:] / small[1:] == pytest.approx([10, 10, 10], rel=0.05)


def test_blocks_are_layers_with_the_normalizers_behind_them() -> None:
    names = ["fc1.weight", "fc1.bias", "norm1.weight", "norm1.bias"], ["out.weight", "out.bias"]
    assert tuple(blocks_of(nets.mlp("batch", depth=1))) == names
    weight = blocks_of(nets.mlp("weight", depth=1))
    assert [sorted({name.split(".")[0] for name in block}) for block in weight] == [["fc1"], ["out"]]


def test_distances_between_gaussians_are_the_closed_forms() -> None:
    n = 200_000
    a = torch.tensor(RNG.standard_normal((n, 1)))
    for m, s in ((0.7, 1.0), (0.0, 1.5), (-0.4, 0.8)):
        b = m + s * torch.tensor(RNG.standard_normal((n, 1)))
        found = shift.distances(a, b)
        expected = stats.wasserstein_distance(a[:, 0], b[:, 0])
        assert found.wasserstein == pytest.approx(expected, rel=1e-9)
        spread = abs(s - 1)  # the difference of the two is N(m, spread²) along the sorted coupling
        folded = (
            spread * np.sqrt(2 / np.pi) * np.exp(-(m**2) / 2 / spread**2) + m * (1 - 2 * stats.norm.cdf(-m / spread))
            if spread
            else m
        )
        assert found.wasserstein == pytest.approx(folded, abs=0.01)
        assert found.kolmogorov_smirnov == pytest.approx(stats.ks_2samp(a[:, 0], b[:, 0]).statistic, abs=1e-7)
        assert found.mean == pytest.approx(abs(m), abs=0.01)
        assert found.log_variance == pytest.approx(abs(2 * np.log(s)), abs=0.02)
        if s == 1:
            assert found.kolmogorov_smirnov == pytest.approx(2 * stats.norm.cdf(m / 2) - 1, abs=0.01)


def test_distances_are_per_unit() -> None:
    a = torch.tensor(RNG.standard_normal((500, 2)))
    swapped = a.flip(1)  # together the units look the same
    a[:, 0] += 5
    swapped = a.flip(1)
    found = shift.distances(a, swapped)
    assert found.jensen_shannon == pytest.approx(0, abs=1e-12)
    assert found.wasserstein == pytest.approx(5, abs=0.2)
    images = a.reshape(10, 50, 2, 1).permute(0, 2, 1, 3)
    assert shift.distances(images, images.flip(1)).wasserstein == pytest.approx(found.wasserstein, rel=1e-9)
    with pytest.raises(ValueError, match="cannot be compared"):
        shift.distances(a, a[1:])


def test_inputs_are_what_arrives() -> None:
    net = nets.mlp("none", inputs=5, outputs=2, depth=2, width=4)
    x = torch.randn(7, 5)
    found = shift.inputs(net, ["fc1", "fc2"], x)
    assert torch.equal(found["fc1"], x)
    assert torch.equal(found["fc2"], torch.sigmoid(x @ net.fc1.weight.T + net.fc1.bias))  # type: ignore[union-attr,operator]


def test_the_effective_rank_is_that_of_numpy() -> None:
    h = RNG.standard_normal((50, 6)) * [1, 1, 0.1, 3, 0, 2]
    values = np.linalg.eigvalsh(h.T @ h / 50)
    assert health.effective_rank(torch.tensor(h)) == pytest.approx(values.sum() ** 2 / np.square(values).sum())
    assert health.effective_rank(torch.eye(6)) == pytest.approx(6)
    assert health.effective_rank(torch.ones(9, 6)) == pytest.approx(1)


def test_dead_units_norms_and_ratios() -> None:
    activations = torch.relu(torch.tensor([[-1.0, 2.0, 0.5, -3.0], [-2.0, 1.0, -1.0, -4.0]]))
    assert health.dead_units(activations) == 0.5
    before = {"w": torch.tensor([3.0, 4.0]), "b": torch.zeros(1)}
    after = {"w": torch.tensor([3.0, 4.5]), "b": torch.ones(1)}
    assert health.gradient_norms(before, [["w"], ["b"]]) == [5.0, 0.0]
    ratios = health.update_ratios(before, after, [["w"], ["b"]])
    assert ratios[0] == pytest.approx(0.1)
    assert np.isnan(ratios[1])


def test_one_inputs_output_varies_with_its_batch_as_one_over_the_size_and_not_in_evaluation() -> None:
    net = nn.Sequential(nn.BatchNorm1d(1, affine=False)).double()
    pool = torch.tensor(stats.norm.ppf((np.arange(4000) + 0.5) / 4000)).unsqueeze(1)
    one = torch.zeros(1, 1).double()
    sizes = np.array([16, 64, 256])
    found = [sampling.output_spread(net, one, pool, int(size), draws=400) for size in sizes]
    assert np.polyfit(np.log(sizes), np.log(found), 1)[0] == pytest.approx(-1, abs=0.1)
    # Of an input at the mean, the output is minus the batch's mean over its spread: its variance is about 1/B.
    assert found[2] == pytest.approx(1 / 256, rel=0.25)
    net.eval()
    assert sampling.output_spread(net, one, pool, 16) == 0
    with pytest.raises(ValueError, match="batch: 5000 is not between 1 and 4001"):
        sampling.output_spread(net, one, pool, 5000)


class FailsError(RuntimeError):
    pass


def stepped(net: nn.Module) -> Mapping[str, Tensor]:
    return {name: p.detach() + 0.01 for name, p in net.named_parameters()}


MEASURES: dict[str, Callable[[nn.Module, Callable[[], Tensor], Tensor], Any]] = {
    "along the gradient": lambda net, loss, x: landscape.along_gradient(net, loss, 0.1),
    "gradient change": lambda net, loss, x: shift.gradient_change(net, loss, weights(net), stepped(net)),
    "inputs": lambda net, loss, x: shift.inputs(net, ["2"], x),
    "next batch": lambda net, loss, x: interaction.next_batch_effect(net, loss, loss, weights(net), stepped(net)),
    "interaction": lambda net, loss, x: interaction.interaction(net, loss, weights(net), stepped(net)),
    "sharpness": lambda net, loss, x: curvature.sharpness(net, loss, iterations=3),
    "output spread": lambda net, loss, x: sampling.output_spread(net, x[:1], x, 4, draws=3),
}


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("name", MEASURES)
def test_no_measure_leaves_a_trace(name: str, fails: bool) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 3)
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(12, 5), torch.randint(3, (12,))
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    calls = 0

    def loss() -> Tensor:
        nonlocal calls
        calls += 1
        if fails and calls == 2:
            raise FailsError
        return cross_entropy(net(x), y)

    if fails and name in ("inputs", "sharpness", "output spread"):
        net[5].register_forward_hook(raising)
    before = everything(net, optimizer)
    if fails:
        with pytest.raises(FailsError):
            MEASURES[name](net, loss, x)
    else:
        MEASURES[name](net, loss, x)
    after = everything(net, optimizer)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert net.training


def raising(*_: object) -> None:
    raise FailsError


def everything(net: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    found = {f"state {name}": value.clone() for name, value in net.state_dict().items()}
    found |= {f"grad {n}": p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    found |= {f"momentum {i}": s["momentum_buffer"].clone() for i, s in enumerate(optimizer.state.values())}
    return found | {"random": torch.get_rng_state()}
