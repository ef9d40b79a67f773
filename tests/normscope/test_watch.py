"""A training loop with and without watching."""

from __future__ import annotations

import gc
import math
import re
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import normscope
from normscope import native, wire
from trainer import nets

from ..conftest import free_port, wait_for
from .test_native import needs_core

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..peer import Peer


class Loop:
    """A small net with everything that could be disturbed: batch norm, dropout, in-place modules, momentum."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.net = nn.Sequential(
            nn.Linear(8, 16),
            nn.BatchNorm1d(16),
            nn.ReLU(inplace=True),
            nn.Dropout(0.3),
            nn.Identity(),
            nn.Linear(16, 3),
        )
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)
        self.losses: list[float] = []

    def step(self, watch: normscope.Watch | None = None, probe: int = 0) -> Tensor:
        x, y = torch.randn(12, 8), torch.randint(0, 3, (12,))
        self.optimizer.zero_grad()
        loss = cross_entropy(self.net(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        if watch and probe:
            watch.probe(lambda: cross_entropy(self.net(x), y), rate=0.1, every=probe)
        self.optimizer.step()
        self.losses.append(loss.item())
        return loss

    def run(self, watch: normscope.Watch, steps: int, probe: int = 0) -> None:
        for _ in range(steps):
            watch.step(loss=self.step(watch, probe))

    def trace(self) -> list[Tensor]:
        momenta = [s["momentum_buffer"] for s in self.optimizer.state.values()]
        return [*self.net.state_dict().values(), *momenta, torch.tensor(self.losses), torch.get_rng_state()]


@pytest.mark.parametrize("budget", [None, 0.05])
@pytest.mark.parametrize("probe", [0, 3])
def test_training_is_the_same_bit_for_bit(peer: Peer, budget: float | None, probe: int) -> None:
    plain = Loop()
    for _ in range(30):
        plain.step()
    wanted = [t.clone() for t in plain.trace()]
    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=budget) as watch:
        loop.run(watch, 30, probe)
    assert all(torch.equal(a, b) for a, b in zip(wanted, loop.trace(), strict=True))
    assert not any(m._forward_hooks for m in loop.net.modules())
    assert peer.messages[-1] == wire.End("finished")


def test_every_step_arrives_with_what_numpy_says_of_it(peer: Peer) -> None:
    loop, outputs = Loop(), []
    loop.net[0].register_forward_hook(lambda m, i, o: outputs.append(o.detach().numpy().copy()))
    with normscope.watch(loop.net, name="mine", url=peer.url, token="t", budget=None) as watch:
        loop.run(watch, 20)
        assert watch.step() is None  # type: ignore[func-returns-value]
    hello = peer.messages[0]
    assert isinstance(hello, wire.Hello)
    assert (hello.name, hello.token, [layer.name for layer in hello.layers]) == ("mine", "t", list("012345"))
    assert peer.steps() == list(range(21))
    for frame, output, loss in zip(peer.frames, outputs, loop.losses, strict=False):
        assert frame.layers.tolist() == [0, 1, 2, 3, 4, 5]
        np.testing.assert_allclose(
            frame.moments[0], [output.mean(), output.std(), output.min(), output.max()], rtol=1e-4, atol=1e-6
        )
        assert frame.histogram(0).sum() == output.size
        assert frame.series["loss"].mean[0] == loss
    assert "watch_cost" in peer.frames[0].series
    assert all(0 <= f.series["watch_cost"].mean[0] <= 1 for f in peer.frames if "watch_cost" in f.series)


def test_the_first_step_and_layer_with_values_that_are_not_finite_are_told(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    linear = nn.Linear(3, 2)
    net = nn.Sequential(nn.Identity(), linear, nn.Identity())
    with normscope.watch(net, url=peer.url, budget=None) as watch:
        for step in range(8):
            net(torch.ones(4, 3))
            if step == 3:  # from the next step on
                with torch.no_grad():
                    linear.weight[0, 0] = float("inf")
            watch.step()
        assert wait_for(lambda: watch.nonfinite, "word of the values")
        assert watch.nonfinite == (4, "1", "output", 4, 8)
    (record,) = caplog.records
    assert record.getMessage() == (
        "normscope: non-finite: the output of 1 and of 1 more has values that are not finite since step 4 (50 %)"
    )
    assert [frame.counters[1, 3] for frame in peer.frames] == [0] * 4 + [4] * 4


def test_probed_steps_carry_vectors(peer: Peer) -> None:
    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=None) as watch:
        loop.run(watch, 12, probe=10)
    assert [f.seq for f in peer.frames if "landscape.beta" in f.series] == [0, 10]
    assert {len(peer.frames[0].series[f"landscape.{n}"].mean) for n in ("eta", "loss", "predictiveness", "beta")} == {8}


def test_a_budget_leaves_steps_out_and_numbers_frames_without_gaps(peer: Peer) -> None:
    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=0.001) as watch:
        loop.run(watch, 60)
    assert 1 <= len(peer.frames) < 60
    assert peer.frames[0].first_step == 0


def test_a_schedule_says_which_steps_may_be_observed(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=None, schedule=normscope.every(7)) as watch:
        loop.run(watch, 30)
    assert peer.steps() == [0, 7, 14, 21, 28]
    assert not caplog.records


def test_a_schedule_that_fails_ends_watching_and_not_training(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    def early(step: int) -> bool:
        return 1 // (3 - step) >= 0

    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=None, schedule=early) as watch:
        loop.run(watch, 10)
    assert peer.steps() == [0, 1, 2]
    assert len(caplog.records) == 1
    assert len(loop.losses) == 10


def test_scalars_of_every_kind(peer: Peer) -> None:
    values: dict[str, Any] = {
        "a": 1, "b": np.float32(0.5), "c": torch.tensor(2.0, requires_grad=True), "d": torch.tensor([3]),
        "e": float("nan"), "f": float("inf"), "g": True,
    }  # fmt: skip
    with normscope.watch(nn.Linear(1, 1), url=peer.url) as watch:
        watch.step(**values)
    found = {name: s.mean[0] for name, s in peer.frames[0].series.items() if name in values}
    np.testing.assert_equal(found, {"a": 1.0, "b": 0.5, "c": 2.0, "d": 3.0, "e": np.nan, "f": np.inf, "g": 1.0})


@pytest.mark.parametrize("value", ["text", None, torch.zeros(3), [1.0, 2.0], 1j])
def test_other_scalars_are_refused(peer: Peer, value: Any) -> None:
    with normscope.watch(nn.Linear(1, 1), url=peer.url) as watch, pytest.raises(TypeError, match="loss"):
        watch.step(loss=value)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"model": 3}, TypeError),
        ({"layers": 3}, TypeError),
        ({"layers": "nothing"}, ValueError),
        ({"url": "ftp://x"}, ValueError),
        ({"budget": 0}, ValueError),
        ({"budget": 2}, ValueError),
        ({"schedule": 10}, TypeError),
        ({"schedule": lambda step: 1 // step}, ZeroDivisionError),
        ({"alerts": ["no rule"]}, ValueError),
        ({"file": __file__}, OSError),
    ],
)
def test_wrong_arguments_are_refused_and_nothing_stays(arguments: dict[str, Any], error: type[Exception]) -> None:
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    before = psutil.Process().children()
    with pytest.raises(error):
        normscope.watch(**{"model": net, "url": "http://127.0.0.1:1", **arguments})
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._compiled_call_impl for m in net.modules())
    assert psutil.Process().children() == before


def test_what_a_step_has_no_room_for_is_left_out_and_training_is_watched_on(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    net = nn.Linear(1, 1)
    with normscope.watch(net, url=peer.url, budget=None) as watch:
        for _ in range(3):
            net(torch.ones(1, 1))
            watch.add(a=np.ones(2600), b=np.ones(2601), c=np.ones(1000))
            watch.step(loss=1.0)
    assert peer.steps() == [0, 1, 2]
    assert all("loss" in frame.series and "c" in frame.series for frame in peer.frames)
    assert caplog.text.count("there are more numbers than a step has room for; left out: a") == 1


def test_what_torch_func_puts_in_a_tensors_place_is_left_out(peer: Peer) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    weights: dict[str, Tensor] = dict(net.named_parameters())
    x = torch.ones(4, 2)

    def loss(given: dict[str, Tensor], one: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(net, given, (one,)).sum()
        return found

    with normscope.watch(net, url=peer.url, budget=None) as watch:
        for _ in range(4):
            net(x)
            torch.func.grad(loss)(weights, x)
            torch.func.vmap(torch.func.grad(loss), (None, 0))(weights, x)
            net(x)
            watch.step()
    assert peer.steps() == [0, 1, 2, 3]
    assert [frame.counters[:, 0].tolist() for frame in peer.frames] == [[16, 16]] * 4


def test_url_and_token_come_from_the_environment(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORMSCOPE_URL", peer.url)
    monkeypatch.setenv("NORMSCOPE_TOKEN", "of the environment")
    with normscope.watch(nn.Linear(1, 1)) as watch:
        watch.step()
    hello = peer.messages[0]
    assert isinstance(hello, wire.Hello)
    assert (hello.token, hello.name) == ("of the environment", "Linear")


def test_each_run_has_its_own_key(peer: Peer) -> None:
    for _ in range(2):
        with normscope.watch(nn.Linear(1, 1), url=peer.url) as watch:
            peer.frames.clear()
            watch.step()
    keys = {m.key for m in peer.messages if isinstance(m, wire.Hello)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("raised", "end"),
    [
        (ZeroDivisionError("oh"), wire.End("failed", "ZeroDivisionError: oh")),
        (KeyboardInterrupt(), wire.End("stopped")),
    ],
)
def test_the_end_says_how_the_block_was_left(peer: Peer, raised: BaseException, end: wire.End) -> None:
    def train() -> None:
        with normscope.watch(nn.Linear(1, 1), url=peer.url) as watch:
            watch.step()
            raise raised

    with pytest.raises(type(raised)):
        train()
    assert peer.messages[-1] == end


def test_without_a_server_training_is_not_disturbed(caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop()
    with normscope.watch(loop.net, url=f"http://127.0.0.1:{free_port()}", budget=None) as watch:
        loop.run(watch, 20)
    assert len(loop.losses) == 20
    assert sum("cannot reach" in r.message for r in caplog.records) == 1


def test_pause_step_and_stop_from_the_page(peer: Peer) -> None:
    peer.welcome = {"paused": True}
    loop = Loop()

    def train() -> None:
        with normscope.watch(loop.net, url=peer.url, budget=None) as watch:
            connected.wait(10)
            while not watch.stopped:
                loop.run(watch, 1)

    connected = threading.Event()
    thread = threading.Thread(target=train, daemon=True)
    thread.start()
    wait_for(lambda: peer.connection and peer.messages, "the connection")
    assert peer.connection is not None
    peer.connection.send(wire.Control("pause").dump())
    connected.set()
    wait_for(lambda: wire.State(True) in peer.messages, "the run to be held")
    held = len(loop.losses)
    for n in (1, 2, 3):
        peer.connection.send(wire.Control("step").dump())
        wait_for(lambda n=n: len(peer.frames) == held + n, "the one step")  # type: ignore[misc]
    assert len(loop.losses) == held + 3
    peer.connection.send(wire.Control("stop").dump())
    thread.join(10)
    assert not thread.is_alive()
    assert len(loop.losses) == held + 3
    assert peer.messages[-1] == wire.End("stopped")


def probes(peer: Peer, closure: Callable[[Loop], Tensor]) -> Loop:
    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=None) as watch:
        for _ in range(3):
            loop.step()
            watch.probe(lambda: closure(loop), rate=0.1, every=1)
            watch.step()
    return loop


def test_a_probe_that_fails_ends_probing_and_not_training(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    def closure(_: Loop) -> Tensor:
        nonlocal calls
        calls += 1
        raise KeyError("the closure's own")

    probes(peer, closure)
    assert calls == 1
    assert len(peer.frames) == 3
    assert len([r for r in caplog.records if "gradient" in r.message]) == 1


def test_forward_passes_of_a_probe_are_not_observed(peer: Peer) -> None:
    x = torch.randn(100, 8)
    probes(peer, lambda loop: loop.net(x).square().mean())
    assert {int(f.counters[0, 0]) for f in peer.frames} == {12 * 16}


@pytest.mark.parametrize("arguments", [{"rate": -1}, {"rate": 0.1, "every": 0}, {"rate": 0.1, "factors": [0]}])
def test_senseless_probes_are_refused(peer: Peer, arguments: dict[str, Any]) -> None:
    with (
        normscope.watch(nn.Linear(1, 1), url=peer.url) as watch,
        pytest.raises(ValueError, match=r"rate|every|factors"),
    ):
        watch.probe(lambda: torch.zeros(()), **arguments)


def test_a_courier_that_stands_still_costs_frames_and_not_the_training(peer: Peer) -> None:
    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=None) as watch:
        loop.run(watch, 10)
        wait_for(lambda: len(peer.frames) == 10, "the first frames")
        courier = psutil.Process().children()[-1]
        courier.suspend()
        loop.run(watch, 500)
        lost = watch.dropped
        courier.resume()
        wait_for(lambda: len(peer.frames) == 510 - lost, "what had room")
        loop.run(watch, 10)
    assert 0 < lost < 500
    assert watch.dropped == lost
    assert peer.steps()[:10] == list(range(10))
    assert peer.steps()[-10:] == list(range(510, 520))
    assert peer.messages[-1] == wire.End("finished")


@needs_core
def test_a_step_whose_record_is_damaged_is_left_out_and_the_others_come(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=None) as watch:
        collect = watch._capture.collect

        def damaged() -> Any:
            seen = collect()
            if len(loop.losses) == 4:
                seen.values[native.HEAD - 1] = np.float32(1)  # where it says how many bins are filled
            return seen

        watch._capture.collect = damaged  # type: ignore[method-assign]
        loop.run(watch, 6)
    assert peer.steps() == [0, 1, 2, 4, 5]
    (said,) = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"normscope: step 3 is left out: 6 records of \d+ units are damaged", said)


@needs_core
@pytest.mark.parametrize("make", [lambda: Loop().net, lambda: nets.narrow("batch")], ids=["small", "500 layers"])
def test_what_watching_holds_is_bounded(make: Callable[[], nn.Module], peer: Peer) -> None:
    """In Python and in the memory that is shared with the process beside."""
    net = make()
    layers = len([m for m in net.modules() if not any(m.children())])
    x = torch.randn(32, next(net.parameters()).shape[1])

    def train(watch: normscope.Watch) -> None:
        for _ in range(20):
            loss = net(x).square().mean()
            loss.backward()
            watch.step(loss=loss)

    with normscope.watch(net, url=peer.url, budget=None) as watch:  # what is imported is not held for it
        train(watch)
    gc.collect()
    tracemalloc.start()
    try:
        with normscope.watch(net, url=peer.url, budget=None) as watch:
            train(watch)
            gc.collect()
            held = tracemalloc.get_traced_memory()[0] + 4 * watch._sender._ring.size
    finally:
        tracemalloc.stop()
    assert held <= (2 << 20) + layers * (4 << 10)


def test_a_frame_of_several_forwards_is_one_row_a_layer(peer: Peer) -> None:
    net = nn.Sequential(nn.Linear(2, 3))
    with normscope.watch(net, url=peer.url) as watch:
        net(torch.ones(4, 2))
        net(torch.ones(5, 2))
        watch.step()
    assert peer.frames[0].counters.tolist() == [[27, 0, 0, 0]]
    assert peer.frames[0].level == 0


def test_what_a_loop_measures_aside_is_shown_with_its_step_and_not_captured(peer: Peer) -> None:
    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=None) as watch:
        for step in range(5):
            loss = loop.step()
            assert watch.due(2) == (step % 2 == 0)
            if watch.due(2):
                with watch.aside():
                    loop.net(torch.randn(100, 8))
                    watch.add(share=step / 4, lengths=torch.tensor([1.0, step]))
            watch.step(loss=loss)
        cost = watch.cost
    assert [sorted(set(f.series) & {"share", "lengths"}) for f in peer.frames] == [["lengths", "share"], []] * 2 + [
        ["lengths", "share"]
    ]
    assert peer.frames[4].series["lengths"].mean.tolist() == [1, 4]
    assert {int(f.counters[0, 0]) for f in peer.frames} == {12 * 16}
    assert cost > 0


def test_what_is_found_after_a_step_is_told_with_it_in_frames_of_its_own(peer: Peer) -> None:
    loop = Loop()
    with normscope.watch(loop.net, url=peer.url, budget=None) as watch:
        watch.tell(early=1.0)
        for _ in range(2):
            watch.step(loss=loop.step())
            watch.tell(late=[1.0])
            watch.tell(late=[1.0, 2.0], more=3.0)
        loss = loop.step()
        watch.tell(under_way=4.0)
        watch.step(loss=loss)
        with pytest.raises(TypeError, match="late"):
            watch.tell(late="soon")  # type: ignore[arg-type]
    names = {"early", "late", "more", "under_way", "loss"}
    told = [(f.first_step, len(f.layers), sorted(names & set(f.series))) for f in peer.frames]
    assert [step for step, _, _ in told] == [0, 0, 0, 1, 1, 1, 2]
    assert [rows for _, rows, _ in told] == [6, 0, 0, 6, 0, 0, 6]
    assert [found for _, _, found in told] == [
        ["early", "loss"], ["late"], ["late", "more"], ["loss"], ["late"], ["late", "more"], ["loss", "under_way"],
    ]  # fmt: skip
    assert [f.seq for f in peer.frames] == list(range(7))


@pytest.mark.parametrize("value", ["many", [], [[1.0]], ["a"], torch.zeros(3000), None])
def test_what_is_no_number_and_no_vector_is_refused(peer: Peer, value: Any) -> None:
    with normscope.watch(nn.Linear(1, 1), url=peer.url) as watch, pytest.raises(TypeError, match="wrong"):
        watch.add(wrong=value)


def test_numbers_sum_a_run_up(peer: Peer) -> None:
    with normscope.watch(nn.Linear(1, 1), url=peer.url) as watch:
        watch.conclude(final_loss=0.5, beta=math.inf)
        watch.conclude(steps=7)
    assert peer.messages[-1] == wire.End("finished", outcome={"final_loss": 0.5, "beta": None, "steps": 7.0})
