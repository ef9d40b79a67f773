"""Standing in a module's slot for a compiled call: everyone else's hooks, copies, compilers and replicas as ever."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from normscope.capture.calls import SLOT, Called, suits
from normscope.capture.capture import Capture
from normscope.capture.summary import summarize


class OwnState(nn.Linear):
    """Pickles everything it has, also what torch would leave out."""

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)


class OwnCall(nn.Linear):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


def watching(net: nn.Module) -> Capture:
    capture = Capture(net)
    capture.active = True
    return capture


def means(capture: Capture) -> list[float]:
    """The mean of each layer's output at the step that has ended."""
    seen = capture.collect()
    found = [float(mean) for mean in summarize(seen.raw(), capture.bounds).moments[:, 0]]
    capture.write_to(*capture._place)
    return found


def test_a_layer_is_seen_without_any_hook_of_its_own_and_left_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    before = [dict(m.__dict__) for m in net.modules()]
    capture = watching(net)
    assert all(isinstance(m.__dict__[SLOT], Called) and not m._forward_hooks for m in net.modules())
    x = torch.randn(5, 3)
    y = net(x)
    torch.testing.assert_close(means(capture)[1], float(y.detach().mean()))
    capture.detach()
    assert [dict(m.__dict__) for m in net.modules()] == before
    capture.attach()
    capture.close()
    assert [dict(m.__dict__) for m in net.modules()] == before


def test_other_peoples_hooks_come_first_and_what_they_make_of_an_output_is_seen() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    capture = watching(net)
    order: list[str] = []

    def double(_m: nn.Module, _a: Any, out: Tensor) -> Tensor:
        order.append("theirs")
        return 2 * out

    net[0].register_forward_hook(double)
    y = net(torch.ones(2, 3))
    torch.testing.assert_close(means(capture)[0], float(y.detach().mean()))
    assert order == ["theirs"]
    net[0].register_full_backward_hook(lambda *_: order.append("backward"))
    net(torch.ones(2, 3, requires_grad=True)).sum().backward()
    assert order == ["theirs", "theirs", "backward"]


def test_copies_and_pickles_have_an_empty_slot() -> None:
    net = nn.Sequential(OwnState(3, 3), nn.ReLU())
    capture = watching(net)
    for one in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert [getattr(m, SLOT) for m in one.modules()] == [None] * 3
        torch.testing.assert_close(one(torch.ones(1, 3)), net(torch.ones(1, 3)))
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    assert getattr(torch.load(file, weights_only=False)[0], SLOT) is None
    means(capture)
    capture.close()


def test_a_module_that_is_compiled_meanwhile_keeps_what_its_compiler_put_there() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    capture = watching(net)
    net[0].compile(backend="eager")
    theirs = getattr(net[0], SLOT)
    net(torch.ones(1, 3))
    capture.close()
    assert getattr(net[0], SLOT) is theirs
    torch._dynamo.reset()


def test_two_that_watch_one_net_see_the_same() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    first, second = watching(net), watching(net)
    assert net[0]._forward_hooks
    net(torch.randn(4, 3))
    assert means(first) == means(second)
    first.close()
    net(torch.randn(4, 3))
    assert len(means(second)) == 2
    second.close()
    assert not net[0]._forward_hooks


def test_where_it_would_do_harm_hooks_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert suits(nn.Linear(1, 1))
    assert not suits(OwnCall(1, 1))
    with pytest.warns(DeprecationWarning, match="script"):
        assert not suits(torch.jit.script(nn.Linear(1, 1)))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    net = nn.Sequential(nn.Linear(3, 3))
    capture = watching(net)
    replica = net[0]._replicate_for_data_parallel()  # type: ignore[no-untyped-call]
    assert getattr(replica, SLOT) is None
    net(torch.ones(1, 3))
    assert len(means(capture)) == 1
