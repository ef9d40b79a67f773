"""Every measure leaves a net as it was, bit for bit, also if it fails half-way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from normscope.measures.activations import inputs, outputs
from normscope.measures.curvature import sharpness
from normscope.measures.directions import random_directions
from normscope.measures.interaction import interaction, next_batch_effect
from normscope.measures.landscape import along_gradient
from normscope.measures.normalizers import feeds, statistics
from normscope.measures.sampling import output_spread
from normscope.measures.shift import gradient_change
from normscope.measures.surface import losses
from normscope.measures.untouched import Untouched, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    Closure = Callable[[], Tensor]


def net() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(6, 20), nn.BatchNorm1d(20), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(20, 8),
        nn.BatchNorm1d(8, momentum=None), nn.Tanh(), nn.Linear(8, 3),
    )  # fmt: skip


def step_of(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    before = snapshot(model)
    return before, {n: 0.9 * w for n, w in before.items()}


def surface_by(together: int) -> Callable[[nn.Module, Closure], object]:
    return lambda m, c: losses(m, c, random_directions(m, 1), [[0, 1], [1, 0], [1, 1]], together)


def spread(model: nn.Module, closure: Closure) -> object:
    class Calling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Tensor:
            closure()
            found: Tensor = model(x)
            return found

    return output_spread(Calling(), torch.ones(2, 6), torch.eye(6), 4, draws=3)


MEASURES: dict[str, Callable[[nn.Module, Closure], object]] = {
    "along_gradient": lambda m, c: along_gradient(m, c, 0.1),
    "gradient_change": lambda m, c: gradient_change(m, c, *step_of(m)),
    "interaction": lambda m, c: interaction(m, c, *step_of(m)),
    "next_batch_effect": lambda m, c: next_batch_effect(m, c, c, *step_of(m)),
    "sharpness": sharpness,
    "losses one by one": surface_by(1),
    "losses at once": surface_by(2),
    "inputs": lambda m, c: inputs(m, ["1", "4"], c),
    "outputs": lambda m, c: outputs(m, ["1", "4"], c),
    "statistics": statistics,
    "feeds": feeds,
    "output_spread": spread,
}
ONCE = ("sharpness", "inputs", "outputs", "statistics", "feeds")
"""What evaluates the closure a single time."""


def everything(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[Tensor]:
    state = [t for p in optimizer.state.values() for t in p.values() if isinstance(t, Tensor)]
    grads = [torch.zeros(0) if p.grad is None else p.grad for p in model.parameters()]
    return [t.detach().clone() for t in (*model.state_dict().values(), *grads, *state, torch.get_rng_state())]


def objects(model: nn.Module) -> list[object]:
    tensors = [t for m in model.modules() for t in (*m._parameters.values(), *m._buffers.values())]
    hooks = [len(h) for m in model.modules() for h in (m._forward_hooks, m._forward_pre_hooks)]
    settings = [(m.training, getattr(m, "momentum", None)) for m in model.modules()]
    return [*map(id, tensors), *(id(p.grad) for p in model.parameters()), *hooks, *settings]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("fails", [None, 1, 2, 3])
@pytest.mark.parametrize("fresh", [True, False])
def test_no_trace_is_left_bit_for_bit(measure: str, fails: int | None, fresh: bool) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(16, 6), torch.randint(0, 3, (16,))
    cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    if fresh:
        optimizer.zero_grad()
    if measure == "losses at once":
        model[5] = nn.BatchNorm1d(8)  # without a momentum it looks at a number, which cannot be done at once
    held = cross_entropy(model(x), y)
    before, kept = everything(model, optimizer), objects(model)
    calls = 0

    def closure() -> Tensor:
        nonlocal calls
        calls += 1
        loss = cross_entropy(model(x), y)
        if calls == fails:
            model.eval()
            raise KeyError("the closure's own")
        return loss

    if fails is None or (fails > 1 and measure in ONCE) or (fails > 2 and measure == "losses at once"):
        MEASURES[measure](model, closure)
        assert calls
    else:
        with pytest.raises(KeyError):
            MEASURES[measure](model, closure)
    assert all(torch.equal(a, b) for a, b in zip(before, everything(model, optimizer), strict=True))
    assert objects(model) == kept
    held.backward()  # type: ignore[no-untyped-call]  # the graph of before is still good
    optimizer.step()


@pytest.mark.parametrize("measure", ["gradient_change", "interaction", "next_batch_effect"])
def test_all_evaluations_have_the_same_masks_and_statistics(measure: str) -> None:
    model = net()
    x, y = torch.randn(16, 6), torch.randint(0, 3, (16,))
    seen: list[Tensor] = []

    def closure() -> Tensor:
        assert model[1].num_batches_tracked == 0
        seen.append(torch.rand(3))
        return cross_entropy(model(x), y)

    MEASURES[measure](model, closure)
    assert len(seen) >= 3
    assert all(torch.equal(one, seen[0]) for one in seen)


def test_a_closure_may_change_modes_and_gradients() -> None:
    model = net()
    x = torch.randn(16, 6)
    model(x).sum().backward()
    before = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    with Untouched(model) as look:
        model.eval()
        model(x).sum().backward()
        assert not all(map(torch.equal, before, [p.grad for p in model.parameters() if p.grad is not None]))
        look.rewind()
        assert model.training
    assert all(torch.equal(g, p.grad) for g, p in zip(before, model.parameters(), strict=True) if p.grad is not None)


def test_weights_can_be_put_and_moved() -> None:
    model = nn.Linear(2, 1, bias=False)
    one = {"weight": torch.tensor([[3.0, 4.0]])}
    start = snapshot(model)
    with Untouched(model) as look:
        look.put(one)
        assert look.loss(lambda: model(torch.ones(1, 2)).sum()) == 7
        loss, gradient = look.gradient(lambda: model.weight.square().sum())
        assert [loss.item(), *gradient["weight"].flatten().tolist()] == [25, 6, 8]
        look.move((2.0, one), (-1.0, one))
        assert torch.equal(model.weight, start["weight"] + 2 * one["weight"] - one["weight"])
        with pytest.raises(ValueError, match=r"'weight' has shape \(2,\), not \(1, 2\)"):
            look.put({"weight": torch.zeros(2)})
        with pytest.raises(ValueError, match="'weight' is missing; there are bias"):
            look.put({"bias": torch.zeros(2)})
    assert torch.equal(model.weight, start["weight"])


def test_a_snapshot_is_a_copy_of_what_is_trained() -> None:
    model = nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    found = snapshot(model)
    with torch.no_grad():
        model.weight += 1
    assert list(found) == ["weight"]
    assert torch.equal(found["weight"] + 1, model.weight)
