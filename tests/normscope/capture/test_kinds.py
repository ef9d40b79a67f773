"""What of a layer is watched: outputs, inputs, gradients, parameters, statistics; each against torch's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from normscope import native, watch, wire
from normscope.capture.capture import Capture
from normscope.capture.layers import STATISTICS, check_kinds
from normscope.capture.summary import summarize
from trainer.norms import norm

if TYPE_CHECKING:
    from ...peer import Peer


@pytest.fixture(params=["compiled", "python"], autouse=True)
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of this holds with the compiled core and without."""
    if request.param == "python":
        monkeypatch.setattr(native.library, "_library", None)


class Net(nn.Module):
    """Keeps what its layers take and give, for comparison."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.norm, self.relu = nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(inplace=True)
        self.last = nn.Linear(6, 2, bias=False)
        self.kept: dict[tuple[str, str], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.kept["first", "input"] = x
        x = self._keep("first", self.first(x))
        x = self._keep("norm", self.norm(x))
        x = self._keep("relu", self.relu(x))
        return self._keep("last", self.last(x))

    def _keep(self, name: str, x: Tensor) -> Tensor:
        self.kept[name, "output"] = x.detach().clone()
        x.register_hook(lambda g: self.kept.update({(name, "gradient"): g.clone()}))  # type: ignore[no-untyped-call]
        return x

    def wanted(self) -> dict[tuple[str, str], Tensor]:
        """What each kind of each layer should have been, after a step."""
        found = dict(self.kept)
        for before, after in (("first", "norm"), ("norm", "relu"), ("relu", "last")):
            found[after, "input"] = found[before, "output"]
        for name, module in self.named_children():
            for parameter, value in module.named_parameters():
                assert value.grad is not None
                found[name, parameter], found[name, f"{parameter}_gradient"] = value, value.grad
        x = found["norm", "input"]
        found["norm", "batch_mean"], found["norm", "batch_variance"] = x.mean(0), x.var(0, correction=0)
        found["norm", "running_mean"], found["norm", "running_variance"] = self.norm.running_mean, self.norm.running_var  # type: ignore[assignment]
        return found


def step(net: nn.Module, x: Tensor) -> None:
    """Forward, backward, a change of the weights."""
    net.zero_grad()
    net(x).square().mean().backward()
    with torch.no_grad():
        for p in net.parameters():
            p.sub_(0 if p.grad is None else 0.1 * p.grad)


def found(capture: Capture) -> dict[tuple[str, str], tuple[float, float, float, int]]:
    """Mean, smallest, largest and count by layer and kind, of a step's summaries."""
    s = summarize(capture.collect().raw(), capture.bounds)
    capture.forget()
    names = [(capture.layers[slot.layer].name, slot.kind) for slot in capture.slots]
    return {
        names[slot]: (m[0], m[2], m[3], c[0])
        for slot, m, c in zip(s.slots.tolist(), s.moments.tolist(), s.counters.tolist(), strict=True)
    }


def test_everything_is_what_torch_says_it_is() -> None:
    net = Net()
    capture = Capture(net, kinds=check_kinds(wire.KINDS))
    capture.active = True
    for _ in range(4):
        step(net, torch.randn(8, 4))
        seen, wanted = found(capture), net.wanted()
        assert seen.keys() == wanted.keys()
        for name, values in seen.items():
            x = wanted[name].detach().double()
            expected = (x.mean().item(), x.min().item(), x.max().item(), x.numel())
            np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-7, err_msg=str(name))


def test_only_what_was_asked_for_is_seen() -> None:
    net = Net()
    capture = Capture(net, kinds=check_kinds(["statistics", "input"]))
    capture.active = True
    step(net, torch.randn(8, 4))
    seen = found(capture)
    assert {kind for _, kind in seen} == {"input", *STATISTICS}
    assert {name for name, kind in seen if kind in STATISTICS} == {"norm"}
    assert [layer.kinds for layer in capture.layers][1] == ("input", *STATISTICS)
    capture.detach()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_what_is_given_by_name_is_seen_too() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(input=x)  # type: ignore[no-any-return]

    net = Named()
    capture = Capture(net, kinds=check_kinds(["batch_mean", "input"]))
    capture.active = True
    x = 3 + torch.randn(8, 4)
    net(x)
    seen = {kind: values[0] for (_, kind), values in found(capture).items()}
    assert seen == {kind: pytest.approx(float(x.mean()), rel=1e-5) for kind in ("batch_mean", "input")}


@pytest.mark.parametrize(
    ("arm", "dimensions", "shape", "dims"),
    [
        ("batch", 0, (8, 5, 4), (0, 1)),
        ("l1", 0, (8, 5, 4), (0, 1)),
        ("linf", 1, (8, 4), (0,)),
        ("batch_population", 2, (8, 4, 3, 3), (0, 2, 3)),
    ],
)
def test_normalizers_of_any_make_show_the_statistics_they_have(
    arm: str, dimensions: int, shape: tuple[int, ...], dims: tuple[int, ...]
) -> None:
    net = nn.Sequential(norm(arm, 4, dimensions))
    capture = Capture(net, kinds=check_kinds("statistics"))
    capture.active = True
    x = 3 + torch.randn(shape)
    net(x)
    seen = {kind: values[0] for (_, kind), values in found(capture).items()}
    assert seen["batch_mean"] == pytest.approx(float(x.mean(dims).mean()), rel=1e-5)
    assert seen["batch_variance"] == pytest.approx(float(x.var(dims, correction=0).mean()), rel=1e-5)
    assert seen["running_mean"] == pytest.approx(float(dict(net.named_buffers())["0.running_mean"].mean()), rel=1e-5)
    assert ("running_variance" in seen) == hasattr(net[0], "running_var")


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradients_come_once_where_checkpointing_calls_a_layer_twice(reentrant: bool) -> None:
    layer = nn.Linear(3, 3)

    class Saving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Any:
            return checkpoint(self.layer, x, use_reentrant=reentrant)

    net = Saving()
    capture = Capture(net, kinds=["output", "gradient"])
    capture.active = True
    for _ in range(3):
        net(torch.randn(5, 3, requires_grad=True)).sum().backward()
        seen = found(capture)
        assert seen["layer", "output"][3] == 15
        assert seen["layer", "gradient"] == (1, 1, 1, 15)


def test_several_backward_passes_of_a_step_add_up() -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    capture = Capture(net, kinds=["gradient"])
    capture.active = True
    for x in (1.0, 3.0):
        (net(torch.ones(4, 2)) * x).sum().backward()
    s = summarize(capture.collect().raw(), capture.bounds)
    assert s.slots.tolist() == [0, 0]
    assert s.moments[:, 0].tolist() == [1, 3]


def test_frames_say_what_their_summaries_are_of(peer: Peer) -> None:
    net = Net()
    with watch(net, url=peer.url, budget=None, kinds=["output", "weight"]) as watching:
        for _ in range(3):
            step(net, torch.randn(8, 4))
            watching.step()
    hello: Any = peer.messages[0]
    assert [layer.kinds for layer in hello.layers] == [
        ("output", "weight"), ("output", "weight"), ("output",), ("output", "weight"),
    ]  # fmt: skip
    for frame in peer.frames:
        assert [(i, wire.KINDS[k]) for i, k in zip(frame.layers, frame.kinds, strict=True)] == [
            (i, kind) for i, layer in enumerate(hello.layers) for kind in layer.kinds
        ]
        assert frame.counters[:, 0].tolist() == [48, 24, 48, 6, 48, 16, 12]


@pytest.mark.parametrize("kinds", ["outputs", ["output", "loss"], [], "running_mean"])
def test_unknown_or_missing_kinds_are_refused_in_a_sentence(kinds: str | list[str]) -> None:
    with pytest.raises(ValueError, match=r"kinds: .*(none|no layer)"):
        watch(nn.Sequential(nn.Linear(2, 2)), kinds=kinds)
