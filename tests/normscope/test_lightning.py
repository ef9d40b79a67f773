"""A real Lightning fit, watched: the same to the last bit, every step seen, stopped and failed as it should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from normscope import wire
from normscope.lightning import NormscopeCallback

from ..conftest import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from ..peer import Peer

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:lightning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)


class Module(LightningModule):
    """What people write: a net, a loss, something logged."""

    def __init__(self, fail_at: int = -1) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))
        self._fail_at = fail_at

    def training_step(self, batch: list[Tensor], index: int) -> dict[str, Any]:
        if index == self._fail_at:
            raise RuntimeError("out of luck")
        loss = self.net(batch[0]).square().mean()
        self.log("train_size", float(len(batch[0])))
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], index: int) -> None:
        self.log("val_loss", self.net(batch[0]).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def fit(folder: Path, callbacks: list[Any], module: Module | None = None, **options: Any) -> Module:
    torch.manual_seed(3)
    module = module or Module()
    data = DataLoader(TensorDataset(torch.randn(40, 4)), batch_size=8, shuffle=True)
    trainer = Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=folder, callbacks=callbacks, **options,
    )  # fmt: skip
    trainer.fit(module, data, DataLoader(TensorDataset(torch.randn(8, 4)), batch_size=8))
    return module


def test_every_step_is_watched_and_nothing_else_is_different(peer: Peer, tmp_path: Path) -> None:
    watched = fit(tmp_path, [NormscopeCallback(name="mine", url=peer.url, budget=None)])
    after = torch.get_rng_state()
    plain = fit(tmp_path, [])
    assert torch.equal(after, torch.get_rng_state())
    pairs = zip(watched.state_dict().values(), plain.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in watched.modules())
    assert peer.steps() == list(range(10))
    hello = next(m for m in peer.messages if isinstance(m, wire.Hello))
    assert (hello.name, [layer.name for layer in hello.layers]) == ("mine", [f"net.{i}" for i in range(5)])
    assert wire.End("finished") in peer.messages
    first, last = peer.frames[0], peer.frames[-1]
    assert {"loss", "epoch", "train_size"} <= set(first.series)
    assert "val_loss" in last.series  # of the epoch before
    assert [round(f.series["epoch"].mean[0], 3) for f in (first, last)] == [0.2, 2.0]


def test_accumulated_batches_are_one_step(peer: Peer, tmp_path: Path) -> None:
    fit(tmp_path, [NormscopeCallback(url=peer.url, budget=None)], accumulate_grad_batches=2)
    assert peer.steps() == list(range(6))  # two and two, and what is left over, of each epoch
    assert peer.frames[0].counters[0, 0] == 2 * 8 * 8


def test_stop_on_the_page_ends_the_fit(peer: Peer, tmp_path: Path) -> None:
    peer.welcome = {"stop": True}
    callback = NormscopeCallback(url=peer.url, budget=None)
    module = Module()
    heard: list[int] = []

    def training_step(batch: list[Tensor], batch_idx: int) -> Tensor:
        if batch_idx == 1:  # by now the server has answered
            wait_for(lambda: callback._watch is None or callback._watch.stopped, "the wish to stop")
        heard.append(batch_idx)
        return module.net(batch[0]).square().mean()  # type: ignore[no-any-return]

    module.training_step = training_step  # type: ignore[method-assign, assignment]
    fit(tmp_path, [callback], module)
    assert heard == [0, 1]
    assert wire.End("stopped") in peer.messages


def test_a_fit_that_fails_is_a_run_that_failed(peer: Peer, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of luck"):
        fit(tmp_path, [NormscopeCallback(url=peer.url, budget=None)], Module(fail_at=3))
    end = next(m for m in peer.messages if isinstance(m, wire.End))
    assert (end.status, end.error) == ("failed", "RuntimeError: out of luck")
    assert peer.steps() == [0, 1, 2]
