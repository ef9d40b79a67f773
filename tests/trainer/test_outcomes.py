"""What runs are summed up in, against numpy and scipy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.stats import gmean, spearmanr, wasserstein_distance
from torch import Tensor, nn

from normscope.measures.untouched import snapshot
from normscope.spec import Spec
from trainer.data import Data
from trainer.measures import Progress, generalization
from trainer.measures.landscape import Matched, NextBatch, Sharpness
from trainer.measures.moment import Measure, Moment
from trainer.measures.sampling import Density
from trainer.measures.shift import Drift, GradientChange, InitialGradients, Sampling
from trainer.nets import mlp

from ..normscope.measures import deep_linear
from ..normscope.measures.quadratic import Quadratic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GENERATOR = torch.Generator().manual_seed(7)
X = torch.randn(30, 5, generator=GENERATOR, dtype=torch.float64)
NEXT = torch.randn(30, 5, generator=GENERATOR, dtype=torch.float64)
Y = torch.arange(30) % 3


def measured(kind: type[Measure], net: nn.Module, loss: Any, spec: Spec | None = None) -> Any:
    return kind(spec or Spec("an arm"), net, Data(X, Y, X, Y, 3), loss)


def moment(net: nn.Module, x: Tensor = X, y: Tensor = Y, following: Tensor = NEXT, step: int = 0) -> Moment:
    return Moment(step, x, y, following, y, snapshot(net))


def hidden(net: Any, x: Tensor) -> list[Floats]:
    """What the layers after the first are given."""
    h, found = x.numpy(), []
    for name in ("fc1", "fc2"):
        layer = net.get_submodule(name)
        h = np.tanh(h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy())
        found.append(h)
    return found


def apart(one: Floats, other: Floats) -> float:
    units = [wasserstein_distance(a, b) for a, b in zip(one.T, other.T, strict=True)]
    return float(np.mean(units) / np.mean(one.std(0)))


def tanh_net() -> nn.Module:
    return mlp("none", 3, inputs=5, outputs=3, depth=2, width=4, activation="tanh", init_std=0.5).double()


def test_drift_is_how_far_the_weights_move_what_layers_are_given() -> None:
    net = tanh_net()
    measure, start = measured(Drift, net, None), hidden(net, X)
    assert measure.before(moment(net)) == {}
    for p in net.parameters():
        p.data += 0.3 * torch.randn(p.shape, generator=GENERATOR, dtype=p.dtype)
    expected = [apart(a, b) for a, b in zip(start, hidden(net, X), strict=True)]
    assert measure.before(moment(net))["drift.distance"] == pytest.approx(expected, rel=1e-9)
    found = measure.outcome()
    assert (found["drift_first"], found["drift_last"]) == pytest.approx(tuple(expected), rel=1e-9)
    assert found["drift_growth"] == pytest.approx(expected[1] / expected[0], rel=1e-9)


def test_sampling_is_how_far_two_batches_differ_at_the_same_weights() -> None:
    net = tanh_net()
    expected = [apart(a, b) for a, b in zip(hidden(net, X), hidden(net, NEXT), strict=True)]
    assert measured(Sampling, net, None).before(moment(net))["sampling.distance"] == pytest.approx(expected, rel=1e-9)


def test_gradient_change_is_summed_up_as_a_geometric_mean_over_layers_and_steps() -> None:
    model, x, y = deep_linear.net(batch_norm=False)
    measure = measured(GradientChange, model, lambda x, y: deep_linear.loss(model, x, y))
    relative, cosine = [], []
    for rate in (0.01, 0.02):
        at = moment(model, x, y)
        for p in model.parameters():
            p.data -= rate * p.data.cos()
        series = measure.after(at)
        relative += list(series["gradient_change.relative"])
        cosine += list(series["gradient_change.cosine"])
    assert len(relative) == 6  # of four layers all but the first, twice
    assert measure.outcome()["gradient_change"] == pytest.approx(gmean(relative), rel=1e-9)
    assert measure.outcome()["gradient_cosine"] == pytest.approx(np.mean(cosine), rel=1e-9)


def test_gradients_grow_towards_the_input_as_products_of_matrices_say() -> None:
    net = mlp("none", 2, 5, 5, 4, 5, "identity", "glorot", bias=False).double()
    measure = measured(InitialGradients, net, lambda x, y: (net(x) - y).square().sum() / 2)
    series = measure.before(moment(net, X, NEXT))
    weights = [p.detach().numpy() for p in net.parameters()]
    g = np.linalg.multi_dot([X.numpy(), *(w.T for w in weights)]) - NEXT.numpy()
    norms = []
    for w in reversed(weights[1:]):
        g = g @ w
        norms.append(np.linalg.norm(g))
    assert series["initial_gradients.norm"] == pytest.approx(norms[::-1], rel=1e-9)
    slope = np.polyfit(np.arange(4), np.log(norms), 1)[0]  # from the output towards the input
    assert measure.outcome()["gradient_growth"] == pytest.approx(math.exp(2 * slope), rel=1e-9)
    assert measure.before(moment(net, X, NEXT, step=1)) == {}


def test_matched_looks_are_shares_of_the_weights_length() -> None:
    model, x, y = deep_linear.net(batch_norm=False)
    measure = measured(Matched, model, lambda x, y: deep_linear.loss(model, x, y))
    deep_linear.loss(model, x, y).backward()  # type: ignore[no-untyped-call]
    series = measure.before(moment(model, x, y))
    weights = deep_linear.weights_of(model)
    _, gradient = deep_linear.loss_and_gradient(weights, x.numpy(), y.numpy())
    steepness = deep_linear.length(gradient)
    losses, changes = [], []
    for share in np.geomspace(0.005, 0.04, 8):
        eta = share * deep_linear.length(weights) / steepness
        moved = [{n: w[n] - eta * g[n] for n in w} for w, g in zip(weights, gradient, strict=True)]
        loss, ahead = deep_linear.loss_and_gradient(moved, x.numpy(), y.numpy())
        losses.append(loss)
        changes.append(deep_linear.length(deep_linear.difference(ahead, gradient)) / steepness)
    assert series["matched.range"] == pytest.approx(np.ptp(losses), rel=1e-8)
    assert measure.outcome()["matched_predictiveness"] == pytest.approx(max(changes), rel=1e-8)


def test_steps_that_help_this_batch_and_harm_the_next_are_counted() -> None:
    net = nn.Linear(5, 1, bias=False, dtype=torch.float64)
    net.weight.data.fill_(0.5)
    targets = X.sum(1, keepdim=True)
    measure = measured(NextBatch, net, lambda x, y: (net(x) - y).square().mean())

    def loss(x: Tensor) -> float:
        w = net.weight.detach().numpy()
        return float(np.mean((x.numpy() @ w.T - targets.numpy()) ** 2))

    harmful = []
    for change in (0.3, -0.3, 0.05):
        at = moment(net, X, targets)
        old = [loss(X), loss(NEXT)]
        net.weight.data += change
        this, following = loss(X) - old[0], loss(NEXT) - old[1]
        series = measure.after(at)
        assert (series["next_batch.this"], series["next_batch.next"]) == pytest.approx((this, following), rel=1e-9)
        harmful.append(this < 0 < following)
    assert measure.outcome()["harmful"] == np.mean(harmful)
    assert 0 < np.mean(harmful) < 1


def test_sharpness_counts_by_the_median_of_the_last_third_in_shares_of_the_edge() -> None:
    model = Quadratic([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    measure = measured(Sharpness, model, lambda *_: model(), Spec("an arm", rate=0.25))
    assert measure.before(moment(model))["sharpness.edge"] == pytest.approx(6 * 0.25 / 2, rel=1e-3)
    measure.seen["edge"] = [9.0, 9, 9, 9, 9, 9, 1, 3, 2]
    assert measure.outcome() == {"edge": 2, "edge_largest": 9}


def test_the_steps_at_which_dense_and_sparse_inputs_are_learned() -> None:
    net: Any = tanh_net()
    labels = (torch.arange(30) >= 27).long()
    task = Data(X, labels, X, labels, 3, deciles=torch.arange(30) * 10 // 30)
    measure = Density(Spec("an arm", steps=50, target=0.5), net, task, lambda *_: torch.zeros(()))
    ends = []
    for step in (9, 19):
        h = hidden(net, X)[1] @ net.out.weight.detach().numpy().T + net.out.bias.detach().numpy()
        losses = np.log(np.exp(h).sum(1)) - h[np.arange(30), labels.numpy()]
        series = measure.after(moment(net, step=step))
        ends.append((series["density.sparse"], series["density.dense"]))
        assert series["density.loss"] == pytest.approx(losses.reshape(10, 3).mean(1), rel=1e-9)
        assert ends[-1] == pytest.approx((losses[:3].mean(), losses[27:].mean()), rel=1e-9)
        net.out.bias.data[1] += 5
    assert [below < 0.5 for below in (*ends[0], *ends[1])] == [False, False, False, True]
    # The densest tenth alone is learned, the other nine are tied.
    rank = -spearmanr(range(10), [50] * 9 + [20]).statistic
    assert measure.outcome() == {"steps_sparse": 50, "steps_dense": 20, "density_order": 2.5, "density_rank": rank}
    assert rank > 0


def test_where_no_tenth_is_learned_there_is_no_order() -> None:
    labels = (torch.arange(30) >= 27).long()
    task = Data(X, labels, X, labels, 3, deciles=torch.arange(30) * 10 // 30)
    measure = Density(Spec("an arm", steps=50, target=0.5), tanh_net(), task, lambda *_: torch.zeros(()))
    found = measure.outcome()
    assert (found["steps_sparse"], found["steps_dense"]) == (50, 50)
    assert math.isnan(found["density_order"])
    assert math.isnan(found["density_rank"])


def test_progress_is_what_the_losses_say() -> None:
    losses = np.concatenate([np.full(30, 2.0), np.full(40, 0.4)])
    progress = Progress(Spec("an arm", steps=100, target=0.5))
    for loss in losses:
        progress.note(float(loss))
    means = np.convolve(losses, np.ones(20) / 20, "valid")
    found = progress.outcome()
    assert found["steps_to_loss"] == 20 + np.flatnonzero(means < 0.5)[0]
    assert (found["mean_loss"], found["final_loss"]) == pytest.approx((losses.mean(), losses[-7:].mean()))
    assert (found["learned"], found["diverged"]) == (1, 0)
    progress.note(9.0)
    assert progress.outcome()["learned"] == 0  # it does not stay there
    never = Progress(Spec("an arm", steps=100, target=0.5))
    never.note(0.7)
    assert never.outcome()["steps_to_loss"] == 100  # all of them


def test_generalization_is_of_all_samples_in_evaluation_mode() -> None:
    net = nn.Sequential(nn.Dropout(0.9), nn.Identity())
    x = torch.eye(3)[torch.tensor([0, 1, 2, 0, 1, 2])]
    task = Data(x, torch.tensor([0, 1, 2, 0, 1, 1]), x, torch.tensor([0, 1, 2, 1, 2, 0]), 3)
    found = generalization(net, task, nn.functional.cross_entropy)
    right, wrong = math.log(math.e + 2) - 1, math.log(math.e + 2)
    assert (found["train_accuracy"], found["test_accuracy"]) == pytest.approx((5 / 6, 3 / 6))
    assert found["gap"] == pytest.approx(2 / 6)
    assert found["train_loss"] == pytest.approx((5 * right + wrong) / 6)
    assert net.training
