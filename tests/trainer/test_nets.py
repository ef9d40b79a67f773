"""The nets: their shapes, every normalizer in each, and initial weights that depend on the seed alone."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import norm as norm_distribution
from torch import Tensor, nn

import normscope
from trainer import nets
from trainer.nets.mlp import ACTIVATIONS
from trainer.norms import NORMS, norm

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..peer import Peer

    Make = Callable[[str, int], nn.Module]


def images(side: int, channels: int) -> Tensor:
    return torch.rand(4, channels, side, side, generator=torch.Generator().manual_seed(0))


CASES: dict[str, tuple[Make, Tensor, tuple[int, ...]]] = {
    "mlp": (lambda arm, seed: nets.mlp(arm, seed, width=20), torch.rand(8, 64), (8, 10)),
    "mlp with skips": (
        lambda arm, seed: nets.mlp(arm, seed, depth=6, width=20, activation="relu", init="he", skips=True),
        torch.rand(8, 64),
        (8, 10),
    ),
    "dln": (nets.dln, torch.randn(8, 10), (8, 10)),
    "narrow": (lambda arm, seed: nets.narrow(arm, seed, layers=50), torch.rand(8, 16), (8, 10)),
    "small cnn": (nets.small_cnn, images(8, 1), (4, 10)),
    "eighth of vgg-a": (lambda arm, seed: nets.vgg_a(arm, seed, width=0.125), images(32, 3), (4, 10)),
    "eighth of vgg-16 for digits": (
        lambda arm, seed: nets.vgg_16(arm, seed, width=0.125, inputs=1, side=8, init="glorot"),
        images(8, 1),
        (4, 10),
    ),
    "resnet": (nets.resnet20, images(32, 3), (4, 10)),
    "resnet without skips for digits": (
        lambda arm, seed: nets.resnet20(arm, seed, skip=False, inputs=1),
        images(8, 1),
        (4, 10),
    ),
    "transformer": (
        lambda arm, seed: nets.transformer(arm, seed, width=16, blocks=2),
        torch.randint(64, (4, 20)),
        (4, 20, 64),
    ),
}
IMAGES = ("cnn", "vgg", "resnet")
cases = pytest.mark.parametrize("name", CASES)
every_place = pytest.mark.parametrize(
    ("name", "arm"),
    [(name, arm) for name in CASES for arm in NORMS if arm != "instance" or any(word in name for word in IMAGES)],
)


def weights(net: nn.Module) -> dict[str, Tensor]:
    """As they act, of everything but the normalizers."""
    layers = (nn.Linear, nn.Conv2d, nn.Embedding)
    return {name: m.weight.detach() for name, m in net.named_modules() if isinstance(m, layers)}


@every_place
def test_a_net_gives_what_its_docstring_says_and_every_parameter_has_a_gradient(name: str, arm: str) -> None:
    make, inputs, shape = CASES[name]
    net = make(arm, 0)
    seen = []
    for layer, module in net.named_modules():
        module.register_forward_hook(lambda *_, layer=layer: seen.append(layer))
    outputs = net(inputs)
    assert outputs.shape == shape
    assert torch.isfinite(outputs).all()
    outputs.square().mean().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert set(weights(net)) <= set(seen)
    assert {layer for layer, _ in make("none", 0).named_modules()} <= set(seen)


@every_place
def test_a_trained_net_survives_being_saved_and_copied(name: str, arm: str) -> None:
    make, inputs, _ = CASES[name]
    net, other = make(arm, 0), make(arm, 1).eval()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    net(inputs).square().mean().backward()
    optimizer.step()
    outputs = net.eval()(inputs)
    assert torch.isfinite(outputs).all()
    assert torch.equal(net(inputs), outputs)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(inputs), outputs)
    assert torch.equal(copy.deepcopy(net)(inputs), outputs)
    if arm != "weight":  # torch's own rule: parametrized modules go by their state
        assert torch.equal(pickle.loads(pickle.dumps(net))(inputs), outputs)


@cases
def test_initial_weights_depend_on_the_seed_and_not_on_the_arm(name: str) -> None:
    make = CASES[name][0]
    torch.manual_seed(1)
    reference = weights(make("none", 3))
    assert reference
    for arm in NORMS:
        if arm == "instance" and not any(word in name for word in IMAGES):
            continue
        torch.manual_seed(len(arm))  # whatever else was drawn before
        found = weights(make(arm, 3))
        assert found.keys() == reference.keys()
        for layer, weight in reference.items():
            ulps = 4 if arm == "weight" else 0
            np.testing.assert_array_max_ulp(found[layer].numpy(), weight.numpy(), maxulp=ulps)
    other = weights(make("none", 4))
    assert not any(torch.equal(other[n], w) for n, w in reference.items())


@pytest.mark.parametrize("arm", ["batch", "batch_noisy", "weight", "l1"])
def test_two_trainings_are_the_same_and_watching_changes_neither(arm: str, peer: Peer) -> None:
    def train(watched: bool) -> list[Tensor]:
        net, inputs = nets.mlp(arm, width=8), CASES["mlp"][1]
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        losses = []
        watch = normscope.watch(net, url=peer.url, budget=None) if watched else None
        for _ in range(5):
            optimizer.zero_grad()
            loss = net(inputs).square().mean()
            loss.backward()
            if watch:
                watch.probe(lambda: net(inputs).square().mean(), rate=0.1, every=1)
            optimizer.step()
            losses.append(loss.detach())
            if watch:
                watch.step(loss=loss)
        if watch:
            watch.close()
        return [*losses, *net.state_dict().values()]

    alone = train(watched=False)
    for again in (train(watched=False), train(watched=True)):
        assert all(map(torch.equal, again, alone))


@pytest.mark.parametrize("make", [nets.mlp, nets.dln, nets.transformer])
def test_instance_normalization_is_for_images(make: Make) -> None:
    with pytest.raises(ValueError, match="for images alone"):
        make("instance", 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"activation": "elu"}, "activation: 'elu' is not one of sigmoid, "), ({"init": "zero"}, "init: 'zero' is not")],
)
def test_an_mlp_refuses_what_does_not_exist(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nets.mlp("none", **options)


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("sigmoid", expit),
        ("tanh", np.tanh),
        ("relu", lambda x: np.maximum(x, 0)),
        ("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
        ("gelu", lambda x: x * norm_distribution.cdf(x)),
        ("silu", lambda x: x * expit(x)),
        ("identity", lambda x: x),
    ],
)
def test_activations_are_their_formulas(activation: str, formula: Callable[[Any], Any]) -> None:
    assert set(ACTIVATIONS) == {"sigmoid", "tanh", "relu", "leaky_relu", "gelu", "silu", "identity"}
    net: Any = nets.mlp("none", activation=activation, depth=1).double()
    x = torch.randn(5, 64, dtype=torch.float64)
    np.testing.assert_allclose(net.act1(net.fc1(x)).detach(), formula(net.fc1(x).detach().numpy()), rtol=1e-9)


@pytest.mark.parametrize(
    ("init", "variance"), [("normal", 0.2**2), ("he", 2 / 1000), ("glorot", 2 / (1000 + 500))]
)  # fmt: skip
def test_initial_weights_spread_as_their_sources_say(init: str, variance: float) -> None:
    net = nets.mlp("none", inputs=1000, depth=1, width=500, init=init, init_std=0.2, init_scale=3)
    found = weights(net)["fc1"].double()
    assert found.var().item() == pytest.approx(9 * variance, rel=0.01)
    assert abs(found.mean().item()) < 0.01 * found.std().item()
    assert all(not m.bias.any() for m in net if isinstance(m, nn.Linear))


def test_convolutions_spread_as_their_sources_say() -> None:
    for init, fan in (("he", 9 * 512), ("glorot", 9 * (256 + 512))):
        found = weights(nets.vgg_a("none", init=init))["conv5"]
        assert found.shape == (512, 256, 3, 3)
        assert found.var().item() == pytest.approx(2 / fan, rel=0.01)


def test_options_reach_the_normalizers() -> None:
    x = torch.rand(8, 64)
    for arm, options in (("batch_ghost", {"ghost": 4}), ("l1", {"shift_first": True})):
        told: Any = nets.mlp(arm, **options)
        assert not torch.allclose(told(x), nets.mlp(arm)(x))
        net = nets.mlp("none", **options)  # the others do not mind
        assert torch.equal(net(x), nets.mlp("none")(x))


def test_a_deep_linear_network_is_the_product_of_its_matrices() -> None:
    net = nets.dln("none").double()
    assert [tuple(p.shape) for p in net.parameters()] == [(10, 10)] * 25
    assert [name for name, _ in net.named_children()][-4:] == ["fc24", "norm24", "act24", "out"]
    x = torch.randn(3, 10, dtype=torch.float64)
    product = np.linalg.multi_dot([w.numpy() for w in reversed(weights(net).values())])
    np.testing.assert_allclose(net(x).detach().numpy(), x.numpy() @ product.T, rtol=1e-9)


def test_skips_add_a_hidden_layers_input_where_it_has_as_many_units() -> None:
    for inputs in (5, 7):
        net = nets.mlp("none", inputs=inputs, depth=4, width=7, activation="tanh", skips=True).double()
        plain = nets.mlp("none", inputs=inputs, depth=4, width=7, activation="tanh")
        assert net.state_dict().keys() == plain.state_dict().keys()
        x = torch.randn(3, inputs, dtype=torch.float64)
        *hidden, last = (w.numpy() for w in weights(net).values())
        y = x.numpy()
        for w in hidden:
            y = np.tanh(y @ w.T) + (y if w.shape[0] == w.shape[1] else 0)
        np.testing.assert_allclose(net(x).detach().numpy(), y @ last.T, rtol=1e-9)


@pytest.mark.parametrize(("make", "convolutions", "size"), [(nets.vgg_a, 8, 9_220_480), (nets.vgg_16, 13, 14_714_688)])
def test_vgg_nets_have_as_many_weights_as_published_ones(
    make: Callable[..., nn.Sequential], convolutions: int, size: int
) -> None:
    found = [m for m in make("none") if isinstance(m, nn.Conv2d)]
    assert len(found) == convolutions
    assert sum(p.numel() for m in found for p in m.parameters()) == size


@pytest.mark.parametrize(
    ("side", "pools"), [(32, "12345"), (64, "12345"), (16, "1235"), (8, "125"), (4, "15"), (1, "")]
)
def test_pools_that_do_not_fit_are_left_out(side: int, pools: str) -> None:
    net = nets.vgg_a("batch", width=0.05, side=side)
    assert [name for name, m in net.named_children() if isinstance(m, nn.MaxPool2d)] == [f"pool{i}" for i in pools]
    assert net(images(side, 3)).shape == (4, 10)


def test_resnet20_has_as_many_weights_as_in_its_paper() -> None:
    assert sum(p.numel() for p in nets.resnet20("batch").parameters()) == pytest.approx(0.27e6, rel=0.02)


def test_skip_connections_make_a_difference_and_no_weights() -> None:
    with_skips, without = nets.resnet20("batch", 0), nets.resnet20("batch", 0, skip=False)
    assert weights(with_skips).keys() == weights(without).keys()
    assert not torch.allclose(with_skips(images(32, 3)), without(images(32, 3)))


def test_batch_normalization_of_tokens_is_over_all_tokens() -> None:
    x = torch.randn(3, 5, 7) * 4 + 2
    y = norm("batch", 7, dimensions=0)(x)
    torch.testing.assert_close(y.mean((0, 1)), torch.zeros(7), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var((0, 1), correction=0), torch.ones(7), atol=1e-4, rtol=0)
