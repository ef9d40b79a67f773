"""Where nets train. On torch's "meta" nothing can be read and nothing mixed: it stands for a GPU in these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

import normscope
from normscope.measures.untouched import snapshot
from normscope.spec import Job, Spec
from trainer.build import loss_of, net_of
from trainer.data.generated import mixture
from trainer.device import Arriving, DeviceError, device_of, moved
from trainer.loop import Run, load, train
from trainer.measures import MEASURES, Moment, evaluate
from trainer.processes import Team

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from ..peer import Peer


pytestmark = pytest.mark.usefixtures("one_thread")


SMALL = Spec("an arm", norm="batch", depth=2, width=8, batch=16, landscape_every=0, steps=4)
KINDS_OF_NORM = ("batch", "batch_frozen", "batch_ghost", "batch_population", "sync_batch", "l1", "weight")
"""One of each way to compute. What draws noise has a generator on its device, which meta has none of."""


def test_a_device_that_is_not_there_is_refused_before_anything_begins(peer: Peer, tmp_path: Path) -> None:
    assert device_of("cpu").type == "cpu"
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(DeviceError, match=r"^device: cuda:7 is not on this machine; torch \S+ sees cpu"):
        train(Job(Spec("none", device="cuda:7", data="no such data"), "run", peer.url, "", str(tmp_path / "run")))
    assert peer.connections == 0
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("norm", KINDS_OF_NORM)
def test_a_step_makes_nothing_elsewhere_and_waits_for_nothing(
    norm: str, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Spec("an arm", norm=norm, depth=2, width=8, batch=16, landscape_every=0, optimizer="adam", steps=4)
    losses: list[Tensor] = []

    def put(_: Arriving, number: Tensor) -> Iterator[float]:
        losses.append(number)
        return iter(())

    monkeypatch.setattr(Arriving, "put", put)  # it would copy what has no values
    task = load(spec)
    net = moved(net_of(spec, task), torch.device("meta"))
    task = task.to(torch.device("meta"))
    optimizer = torch.optim.Adam(net.parameters())
    with normscope.watch(net, url=peer.url, schedule=lambda _: False, alerts=None) as watch:
        Run(spec, task, net, optimizer, watch, Team()).train()
    assert [loss.device.type for loss in losses] == ["meta"] * 4
    assert all(p.grad is not None and p.grad.is_meta for p in net.parameters())
    tested = evaluate(net, task.test, task.test_targets, loss_of(task))
    assert all(isinstance(number, torch.Tensor) and number.is_meta for number in tested.values())
    with pytest.raises(RuntimeError, match="meta"):
        losses[0].item()  # so would a step have failed that reads anything


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_makes_nothing_but_where_the_weights_are(name: str) -> None:
    """What is made without a word of where would be on meta here, and fail when it meets the weights or is read."""
    task = mixture(samples=200) if name == "density" else load(SMALL)
    net = net_of(SMALL, task)
    loss = loss_of(task)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    measure = MEASURES[name](SMALL, net, task, lambda x, y: loss(net(x), y))
    batches = task.batches(16, 0)
    with torch.device("meta"):
        with pytest.raises(RuntimeError):
            task.train[0] + torch.zeros(1)
        for step in range(3):
            (x, y), following = next(batches), next(batches)
            optimizer.zero_grad()
            loss(net(x), y).backward()  # type: ignore[no-untyped-call]
            moment = Moment(step, x, y, *following, snapshot(net))
            measure.before(moment)
            optimizer.step()
            measure.after(moment)
        list(measure.final())
        assert all(isinstance(number, float) for number in measure.outcome().values())


def test_what_comes_from_a_device_is_read_in_order_and_all_of_it() -> None:
    numbers = Arriving()
    assert [list(numbers.put(torch.tensor(float(i)))) for i in range(3)] == [[0.0], [1.0], [2.0]]
    assert list(numbers.read()) == []


def test_counters_stay_where_python_reads_them() -> None:
    net = moved(net_of(SMALL, load(SMALL)), torch.device("meta"))
    found = {name: buffer.device.type for name, buffer in net.named_buffers()}
    assert {device for name, device in found.items() if name.endswith("num_batches_tracked")} == {"cpu"}
    assert {device for name, device in found.items() if not name.endswith("num_batches_tracked")} == {"meta"}
    assert all(p.is_meta for p in net.parameters())
