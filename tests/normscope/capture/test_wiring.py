"""Which layer takes what another gives: against nets whose answer is known by how they are written."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import normscope
from normscope import wire
from normscope.capture.capture import Capture
from normscope.capture.wiring import Wiring
from trainer.nets.resnet import resnet20
from trainer.nets.transformer import transformer

from ...conftest import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...peer import Peer


class Written(nn.Module):
    """A net of some layers whose forward pass is a function of them."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self._forward = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(self, x)


def lin() -> nn.Linear:
    return nn.Linear(4, 4)


def edges(model: nn.Module, x: Tensor | None = None, layers: Any = None, forwards: int = 1) -> set[str]:
    """The edges by the layers' names: `from>to`."""
    capture = Capture(model, layers)
    capture.active = True
    for _ in range(forwards):
        model(torch.randn(3, 4) if x is None else x)
    found = capture.collect().edges
    assert capture.wiring is None or not found
    capture.close()
    return {f"{capture.layers[a].name}>{capture.layers[b].name}" for a, b in found}


def test_a_chain_also_through_operations_and_what_changes_in_place() -> None:
    model = Written(
        lambda m, x: m.last(functional.gelu(m.drop(m.act(m.norm(m.one(x)))).flatten(1)) * 2),
        one=lin(), norm=nn.BatchNorm1d(4), act=nn.ReLU(inplace=True), drop=nn.Identity(), last=lin(), never=lin(),
    )  # fmt: skip
    assert edges(model) == {"one>norm", "norm>act", "act>drop", "drop>last"}


def test_ways_around_branches_and_a_module_that_is_used_twice() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        stem = m.stem(x)
        both = torch.cat([m.left(stem), m.right(stem)], 1) @ torch.ones(8, 4)
        return m.head(m.act(both + stem) + m.act(stem))  # type: ignore[no-any-return]

    model = Written(forward, stem=lin(), left=lin(), right=lin(), act=nn.ReLU(), head=lin())
    assert edges(model) == {"stem>left", "stem>right", "left>act", "right>act", "stem>act", "act>head"}


def test_a_loop_over_time_goes_round() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        state = torch.zeros(3, 4)
        for _ in range(3):
            state = m.act(m.cell(x) + m.again(state))
        return m.head(state)  # type: ignore[no-any-return]

    model = Written(forward, cell=lin(), again=lin(), act=nn.Tanh(), head=lin())
    assert edges(model) == {"cell>act", "again>act", "act>again", "act>head"}


def test_all_that_a_layer_gives_is_its_own() -> None:
    model = Written(
        lambda m, x: m.head(m.rnn(m.inputs(x)[:, None])[1][0][-1]), inputs=lin(), rnn=nn.LSTM(4, 4), head=lin()
    )  # fmt: skip
    assert edges(model) == {"inputs>rnn", "rnn>head"}


def test_a_part_that_holds_others_follows_its_last_one() -> None:
    model = nn.Sequential(nn.Sequential(lin(), nn.ReLU()), lin())
    assert edges(model, layers=lambda name, _: bool(name)) == {"0.0>0.1", "0.1>0", "0>1"}


def test_what_is_frozen_is_followed_by_the_tensors_themselves() -> None:
    model = nn.Sequential(lin(), nn.ReLU(), nn.ReLU(inplace=True), lin(), lin()).requires_grad_(False)
    model[4].requires_grad_(True)
    assert edges(model) == {"0>1", "1>2", "2>3", "3>4"}


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_part_is_seen_once(reentrant: bool) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        return m.head(checkpoint(lambda h: m.inner(m.act(h)), m.stem(x), use_reentrant=reentrant))  # type: ignore[no-any-return]

    model = Written(forward, stem=lin(), act=nn.ReLU(), inner=lin(), head=lin())
    # Where the part makes no graph of its own, it leads from the stem to the head as a whole.
    across = {"stem>head"} if reentrant else {"inner>head"}
    assert edges(model) == {"stem>act", "act>inner"} | across


def test_resnet_and_transformer() -> None:
    net = resnet20("batch")
    found = edges(net, torch.randn(2, 3, 16, 16))
    names = [name for name, m in net.named_modules() if not list(m.children())]
    assert {edge.split(">")[1] for edge in found} == set(names[1:])  # every layer but the first takes something
    assert len(found) > len(names)
    text = transformer("layer", blocks=1)
    assert any("attention" in edge for edge in edges(text, torch.randint(0, 8, (2, 16))))


def test_layers_are_known_after_the_first_step_that_sees_any_and_several_passes_add_up() -> None:
    one, two = lin(), lin()
    model = Written(lambda m, x: m.two(m.one(x)) if x.sum() > 0 else m.one(m.two(x)), one=one, two=two)
    capture = Capture(model)
    capture.active = True
    assert capture.collect().edges == ()
    model(torch.ones(3, 4))
    model(-torch.ones(3, 4))
    assert capture.collect().edges == ((0, 1), (1, 0))
    model(torch.ones(3, 4))
    assert capture.collect().edges == ()
    capture.close()


def test_nothing_of_a_graph_outlives_a_forward_pass() -> None:
    model = nn.Sequential(lin(), lin())  # the second keeps what it takes for its backward pass
    capture = Capture(model)
    capture.active = True
    kept: list[weakref.ref[Any]] = []
    handle = model[0].register_forward_hook(lambda _m, _a, out: kept.append(weakref.ref(out)))
    model(torch.randn(3, 4))
    gc.collect()
    assert [ref() for ref in kept] == [None]
    handle.remove()
    capture.close()


def test_a_failure_ends_the_following_alone(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no way")

    monkeypatch.setattr(Wiring, "_follow", fail)
    model = nn.Sequential(lin(), lin())
    capture = Capture(model)
    capture.active = True
    model(torch.randn(3, 4))
    seen = capture.collect()
    assert (seen.edges, seen.count > 0, capture.border.failures) == ((), True, 0)
    assert "from layer to layer" in caplog.text
    capture.close()


def test_the_server_is_told_once(peer: Peer) -> None:
    model = nn.Sequential(lin(), nn.ReLU(), lin())
    with normscope.watch(model, url=peer.url, budget=None) as watch:
        for _ in range(3):
            model(torch.randn(3, 4)).sum().backward()
            watch.step()
        wait_for(lambda: wire.Graph(((0, 1), (1, 2))) in peer.messages, "the graph")
    assert [m for m in peer.messages if isinstance(m, wire.Graph)] == [wire.Graph(((0, 1), (1, 2)))]
