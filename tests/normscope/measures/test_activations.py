"""What layers take and give on a probe batch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from normscope.measures.activations import inputs, outputs


def net() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(6, 2))


def test_what_layers_take_and_give_is_what_passes_between_them() -> None:
    model, x = net(), torch.randn(10, 4)
    took = inputs(model, ["1", "3", "4"], lambda: model(x))
    gave = outputs(model, ["0", "2", "3"], lambda: model(x))
    assert list(took) == ["1", "3", "4"]
    for above, below in (("1", "0"), ("3", "2"), ("4", "3")):
        assert torch.equal(took[above], gave[below])
    assert torch.equal(took["1"], model[0](x))
    assert (took["3"] < 0).any()  # what came in, before it was changed in place
    assert not any(t.requires_grad for t in took.values())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_seed_makes_dropout_the_same_at_two_steps() -> None:
    model, x = net(), torch.randn(10, 4)

    def run() -> None:
        torch.manual_seed(7)
        model(x)

    first = inputs(model, ["4"], run)
    torch.rand(1)
    assert torch.equal(first["4"], inputs(model, ["4"], run)["4"])


def test_the_first_call_and_the_first_tensor_count() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair = Pair()

        def forward(self, x: Tensor) -> Tensor:
            one = self.pair(number=2, x=x)
            found: Tensor = self.pair(number=3, x=one["y"])["y"]
            return found

    class Pair(nn.Module):
        def forward(self, number: int, x: Tensor) -> dict[str, Tensor]:
            return {"y": number * x}

    model, x = Twice(), torch.ones(3)
    assert torch.equal(inputs(model, ["pair"], lambda: model(x))["pair"], x)
    assert torch.equal(outputs(model, ["pair"], lambda: model(x))["pair"], 2 * x)


def test_layers_that_are_not_there_or_not_called_are_refused() -> None:
    model = net()
    with pytest.raises(ValueError, match="there is no 'fc'; there are 0, 1"):
        inputs(model, ["fc"], lambda: None)
    with pytest.raises(ValueError, match="'0' was not called"):
        inputs(model, ["0"], lambda: None)
    assert not model[0]._forward_pre_hooks
