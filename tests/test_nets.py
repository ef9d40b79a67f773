"""The nets: their shapes, and initial weights that depend on the seed alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from normscope.spec import Spec
from trainer import nets
from trainer.norms import NORMS, norm

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[str, int], nn.Module]

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
CASES: dict[str, tuple[Make, Tensor, tuple[int, ...]]] = {
    "mlp": (lambda arm, seed: nets.mlp(Spec(arm, seed=seed), 64, 10), torch.rand(4, 64), (4, 10)),
    "small cnn": (nets.small_cnn, torch.rand(4, 1, 8, 8), (4, 10)),
    "half vgg": (lambda arm, seed: nets.vgg_a(arm, seed, width=0.5), IMAGES, (2, 10)),
    "resnet": (nets.resnet20, IMAGES, (2, 10)),
    "resnet without skips": (lambda arm, seed: nets.resnet20(arm, seed, skip=False), IMAGES, (2, 10)),
    "transformer": (nets.transformer, torch.randint(64, (2, 20)), (2, 20, 64)),
    "narrow": (lambda arm, seed: nets.narrow(arm, seed, layers=50), torch.rand(4, 16), (4, 10)),
}
cases = pytest.mark.parametrize("name", CASES)


def weights(net: nn.Module) -> dict[str, Tensor]:
    """Of everything but the normalizers."""
    return {name: p.detach() for name, p in net.named_parameters() if "norm" not in name}


@cases
@pytest.mark.parametrize("arm", sorted(NORMS))
def test_a_net_gives_what_its_docstring_says_and_every_weight_has_a_gradient(name: str, arm: str) -> None:
    make, inputs, shape = CASES[name]
    net = make(arm, 0)
    outputs = net(inputs)
    assert outputs.shape == shape
    assert torch.isfinite(outputs).all()
    outputs.square().mean().backward()
    assert all(p.grad is not None for p in net.parameters())


@cases
def test_initial_weights_depend_on_the_seed_and_not_on_the_arm(name: str) -> None:
    make = CASES[name][0]
    torch.manual_seed(1)
    reference = weights(make("none", 3))
    for arm in NORMS:
        torch.manual_seed(len(arm))  # whatever else was drawn before
        found = weights(make(arm, 3))
        assert found.keys() == reference.keys()
        assert all(torch.equal(found[n], w) for n, w in reference.items())
    other = weights(make("none", 4))
    assert not all(torch.equal(other[n], w) for n, w in reference.items())


def test_resnet20_has_as_many_weights_as_in_its_paper() -> None:
    assert sum(p.numel() for p in nets.resnet20("batch").parameters()) == pytest.approx(0.27e6, rel=0.02)


def test_skip_connections_make_a_difference_and_no_weights() -> None:
    with_skips, without = nets.resnet20("batch", 0), nets.resnet20("batch", 0, skip=False)
    assert weights(with_skips).keys() == weights(without).keys()
    assert not torch.allclose(with_skips(IMAGES), without(IMAGES))


def test_batch_normalization_of_tokens_is_over_all_tokens() -> None:
    x = torch.randn(3, 5, 7) * 4 + 2
    y = norm("batch", 7, dimensions=0)(x)
    torch.testing.assert_close(y.mean((0, 1)), torch.zeros(7), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var((0, 1), correction=0), torch.ones(7), atol=1e-4, rtol=0)
