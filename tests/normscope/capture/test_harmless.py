"""Training that is watched, against the same training alone: nets and ways to train of many kinds, bit for bit."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

import normscope
from normscope.alerts import BUILT_IN
from trainer import nets

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...peer import Peer

    Make = Callable[[], tuple[nn.Module, Callable[[nn.Module], Tensor]]]


EVERYTHING = ["output", "input", "gradient", "weight", "weight_gradient", "bias", "bias_gradient", "statistics"]


def loss_of(*shape: int, classes: int = 3, tokens: bool = False) -> Callable[[nn.Module], Tensor]:
    """The mean squared output, on random inputs of this shape."""

    def loss(net: nn.Module) -> Tensor:
        x = torch.randint(16, shape) if tokens else torch.randn(shape)
        return cast(Tensor, net(x)).float().square().mean()

    return loss


def mlp() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    net = nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Identity(), nn.Linear(16, 3)
    )

    def loss(net: nn.Module) -> Tensor:
        return cross_entropy(net(torch.randn(12, 8)), torch.randint(3, (12,)))

    return net, loss


def cnn() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return nets.small_cnn("batch"), loss_of(16, 1, 8, 8)


def vgg() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return nets.vgg_a("batch", width=0.125), loss_of(4, 3, 32, 32)


def resnet() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return nets.resnet20("batch"), loss_of(4, 3, 32, 32)


def channels_last() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return nets.small_cnn("batch").to(memory_format=torch.channels_last), loss_of(16, 1, 8, 8)  # type: ignore[call-overload]


def transformer() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return nets.transformer("layer"), loss_of(2, 16, tokens=True)


def deep() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return nets.narrow("batch"), loss_of(8, 16)


def bf16() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    net, inner = mlp()

    def loss(net: nn.Module) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return inner(net)

    return net, loss


def accumulated() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    net, inner = mlp()

    def loss(net: nn.Module) -> Tensor:
        for _ in range(3):
            inner(net).backward()  # type: ignore[no-untyped-call]
        return inner(net)

    return net, loss


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.body, self.head = mlp()[0], nn.Linear(3, 2)
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        x = x.requires_grad_()
        return cast(Tensor, self.head(checkpoint(self.body, x, use_reentrant=self.reentrant)))


def checkpointed() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return Checkpointed(False), loss_of(12, 8)


def checkpointed_reentrant() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return Checkpointed(True), loss_of(12, 8)


class Reader(nn.Module):
    """Recurrent, with attention, and a layer that is used several times a step."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(8, 8, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)
        self.cell = nn.GRUCell(8, 8)
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.never = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x, _ = self.rnn(x)
        x, _ = self.attention(x, x, x)
        state = torch.zeros(len(x), 8)
        for t in range(x.shape[1]):
            state = self.cell(self.frozen(x[:, t]), state)
        return state


def reader() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return Reader(), loss_of(4, 5, 8)


@dataclass
class Both:
    values: Tensor
    indices: Tensor


class Odd(nn.Module):
    """Gives what it is told to make of its input."""

    def __init__(self, make: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.make = make

    def forward(self, x: Tensor) -> Any:
        return self.make(x)


class Oddities(nn.Module):
    """Outputs of every kind that a layer may give."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.a_tuple, self.a_dict = Odd(lambda x: (x, x.detach() + 1)), Odd(lambda x: {"a": None, "b": [x]})
        self.a_record = Odd(lambda x: Both(*x.max(1)))
        self.a_complex, self.a_integer = Odd(torch.fft.rfft), Odd(lambda x: x.long())
        self.a_empty, self.a_scalar = Odd(lambda x: x[:0]), Odd(torch.mean)
        self.a_nothing, self.a_double = Odd(lambda _: None), Odd(lambda x: x.double())
        self.a_view, self.a_negative = Odd(lambda x: x.t()[::2]), Odd(lambda x: x.to(torch.complex64).conj().imag)
        self.a_broken = Odd(lambda x: torch.full_like(x, float("nan")))

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        for name in ("complex", "integer", "empty", "nothing", "double", "view", "negative", "broken"):
            getattr(self, f"a_{name}")(x)
        total: Tensor = (
            self.a_scalar(x) + self.a_record(x).values.sum() + self.a_dict(x)["b"][0].sum() + self.a_tuple(x)[0].sum()
        )
        return total


def oddities() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return Oddities(), loss_of(6, 8)


def compiled() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    net, inner = mlp()
    return cast(nn.Module, torch.compile(net, backend="aot_eager")), inner


def compiled_whole() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    net, inner = mlp()
    return cast(nn.Module, torch.compile(net, backend="aot_eager", fullgraph=True)), inner


def compiled_later() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    net, _ = mlp()

    @torch.compile(backend="aot_eager", fullgraph=True)
    def loss(x: Tensor) -> Tensor:
        return cast(Tensor, net(x)).square().mean()

    return net, lambda _: loss(torch.randn(12, 8))


UNSEEN = "nothing was seen of {}"
SAID = {
    oddities: [UNSEEN.format("a_complex, a_integer, a_nothing")],
    reader: [UNSEEN.format("never")],
    compiled_whole: [UNSEEN.format("0, 1, 2, 3, 4 and 1 more")],
    compiled_later: [UNSEEN.format("0, 1, 2, 3, 4 and 1 more")],
}
"""What a user is told in the log, where only outputs are watched, beside alerts; nothing otherwise."""
BROKEN = {deep: [1], oddities: [0]}
"""The first step with values that are not finite; no alert about any otherwise."""
ENOUGH = {deep: 50}
"""Steps, of those whose weights are NaN soon: nothing could change them any more."""


def train(make: Make, steps: int, watched: Callable[[nn.Module], Any] | None = None) -> list[Tensor]:
    """Everything that training leaves behind, the state of every source of random numbers too."""
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    torch.compiler.reset()
    net, loss_of_net = make()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.01, momentum=0.9)
    watch = watched(net) if watched else None
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of_net(net)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.detach())
        if watch:
            watch.step(loss=loss)
    if watch:
        watch.close()
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    kept = [x for state in optimizer.state.values() for x in state.values() if isinstance(x, Tensor)]
    draws = torch.tensor([random.random(), float(np.random.rand())])
    return [*net.state_dict().values(), *gradients, *kept, torch.stack(losses), torch.get_rng_state(), draws]


# The compiler looks at every tensor's .grad behind a graph break, and torch warns of that itself.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize(
    "make",
    [
        mlp, cnn, vgg, resnet, channels_last, transformer, deep, bf16, accumulated, checkpointed,
        checkpointed_reentrant, reader, oddities, compiled, compiled_whole, compiled_later,
    ],
)  # fmt: skip
@pytest.mark.parametrize(("kinds", "steps"), [("output", 200), (EVERYTHING, 20)], ids=["outputs", "everything"])
def test_training_is_the_same_bit_for_bit(
    make: Make, kinds: str | list[str], steps: int, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    steps = min(steps, ENOUGH.get(make, steps))
    alone = train(make, steps)
    with_us = train(make, steps, lambda net: normscope.watch(net, url=peer.url, budget=None, kinds=kinds))
    assert len(alone) == len(with_us)
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(alone, with_us, strict=True))
    assert peer.steps() == list(range(steps))
    said = [record.getMessage() for record in caplog.records if record.name == "normscope"]
    alerts = [sentence for sentence in said if sentence.split(": ")[1] in {rule.name for rule in BUILT_IN}]
    if kinds == "output":
        others = [sentence.split(": ")[1] for sentence in said if sentence not in alerts]
        assert sorted(others) == sorted(SAID.get(make, []))
        broken = [int(re.findall(r"since step (\d+)", one)[0]) for one in alerts if "non-finite: " in one]
        assert broken[:1] == BROKEN.get(make, [])  # they may end and begin again


@pytest.mark.parametrize("make", [checkpointed, checkpointed_reentrant])
def test_a_layer_that_checkpointing_calls_again_is_seen_once(make: Make, peer: Peer) -> None:
    train(make, 3, lambda net: normscope.watch(net, url=peer.url, budget=None, layers="body.0"))
    assert [frame.counters[0, 0] for frame in peer.frames] == [12 * 16] * 3


def test_every_kind_of_output_is_seen_or_left_out(peer: Peer) -> None:
    train(oddities, 2, lambda net: normscope.watch(net, url=peer.url, budget=None))
    hello: Any = peer.messages[0]
    names = [hello.layers[i].name.removeprefix("a_") for i in peer.frames[1].layers]
    found = dict(zip(names, peer.frames[1].counters.tolist(), strict=True))
    seen = {"linear", "tuple", "dict", "record", "empty", "scalar", "double", "view", "negative", "broken"}
    assert set(found) == seen
    assert found["empty"] == [0, 0, 0, 0]
    assert found["scalar"][0] == 1
    assert found["broken"] == [48, 0, 0, 48]
    assert found["view"][0] == 24
    moments = dict(zip(names, peer.frames[1].moments, strict=True))
    np.testing.assert_allclose(moments["double"], moments["linear"], rtol=1e-5)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("budget", [None, 0.02])
@pytest.mark.parametrize("kinds", ["output", EVERYTHING], ids=["outputs", "everything"])
def test_a_compiled_net_is_compiled_once_in_no_more_parts_than_it_has_layers(
    kinds: str | list[str], budget: float | None, peer: Peer
) -> None:
    parts: list[int] = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., Any]:
        parts.append(step)
        return graph.forward

    step, (net, loss_of_net) = 0, mlp()
    compiled = cast(nn.Module, torch.compile(net, backend=backend))
    torch.compiler.reset()
    with normscope.watch(compiled, url=peer.url, budget=budget, kinds=kinds) as watch:
        for step in range(40):  # noqa: B007  the backend looks at it
            loss = loss_of_net(compiled)
            loss.backward()  # type: ignore[no-untyped-call]
            watch.step(loss=loss)
    assert 0 < len(parts) <= len(list(net.children()))
    assert set(parts) == {0}
