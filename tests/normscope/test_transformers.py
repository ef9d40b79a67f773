"""A real Hugging Face `Trainer`, watched: the same to the last bit, every step seen, stopped as it should."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments

from normscope import wire
from normscope.transformers import NormscopeCallback

from ..conftest import HOUSE, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from ..peer import Peer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


class Words(Dataset[dict[str, Tensor]]):
    """Sixteen sentences of eight tokens, each of one of two kinds."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(1)
        self.tokens = torch.randint(32, (16, 8), generator=generator)
        self.labels = torch.randint(2, (16,), generator=generator)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, at: int) -> dict[str, Tensor]:
        return {"input_ids": self.tokens[at], "labels": self.labels[at]}


class Unlucky(TrainerCallback):
    """Raises at the beginning of the third step, the first time."""

    def __init__(self, error: type[BaseException] = RuntimeError) -> None:
        self.error, self.raised = error, False

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if state.global_step == 2 and not self.raised:
            self.raised = True
            raise self.error("out of luck")


def prepare(folder: Path, callbacks: list[Any], **options: Any) -> Trainer:
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=8,
    )  # fmt: skip
    given: dict[str, Any] = {
        "per_device_train_batch_size": 4, "num_train_epochs": 2, "logging_steps": 2, "use_cpu": True,
        "report_to": [], "save_strategy": "no", "disable_tqdm": True, "seed": 5,
    }  # fmt: skip
    arguments = TrainingArguments(output_dir=str(folder), **(given | options))
    return Trainer(BertForSequenceClassification(config), arguments, train_dataset=Words(), callbacks=callbacks)


def fit(folder: Path, callbacks: list[Any], **options: Any) -> Trainer:
    trainer = prepare(folder, callbacks, **options)
    trainer.train()
    return trainer


def test_every_step_is_watched_and_nothing_else_is_different(peer: Peer, tmp_path: Path) -> None:
    watched = fit(tmp_path, [NormscopeCallback(name="tiny bert", url=peer.url, budget=None)])
    plain = fit(tmp_path, [])
    assert watched.model is not None
    assert plain.model is not None
    pairs = zip(watched.model.state_dict().values(), plain.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    losses = [[row["loss"] for row in t.state.log_history if "loss" in row] for t in (watched, plain)]
    assert losses[0] == losses[1]
    assert not any(m._forward_hooks for m in watched.model.modules())
    assert peer.steps() == list(range(8))
    hello = next(m for m in peer.messages if isinstance(m, wire.Hello))
    assert hello.name == "tiny bert"
    assert any("attention" in layer.name for layer in hello.layers)
    # Each step's own loss; the trainer logs the mean of two.
    mine = [frame.series["loss"].mean[0] for frame in peer.frames]
    assert sum(mine[:2]) / 2 == pytest.approx(losses[0][0], abs=1e-3)
    assert peer.frames[-1].series["epoch"].mean[0] == pytest.approx(2.0)
    assert "learning_rate" in peer.frames[2].series
    assert wire.End("finished") in peer.messages


def test_accumulated_batches_are_one_step(peer: Peer, tmp_path: Path) -> None:
    fit(tmp_path, [NormscopeCallback(url=peer.url, budget=None)], gradient_accumulation_steps=2)
    assert peer.steps() == list(range(4))


def test_stop_on_the_page_ends_training(peer: Peer, tmp_path: Path) -> None:
    peer.welcome = {"stop": True}

    class Wait(NormscopeCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            wait_for(lambda: self._watch is not None and self._watch.stopped, "the wish to stop")

    trainer = fit(tmp_path, [Wait(url=peer.url, budget=None)])
    assert trainer.state.global_step == 1
    assert wire.End("stopped") in peer.messages


def ends(peer: Peer) -> list[tuple[str, str | None]]:
    return [(one.status, one.error) for one in peer.messages if isinstance(one, wire.End)]


BROKEN_OFF = "BrokenOffError: training never came to its end: an exception or Ctrl-C has ended it"


def test_a_training_that_fails_is_a_run_that_failed_once_another_begins(peer: Peer, tmp_path: Path) -> None:
    trainer = prepare(tmp_path, [Unlucky(), NormscopeCallback(url=peer.url, budget=None)])
    with pytest.raises(RuntimeError, match="out of luck"):
        trainer.train()
    assert ends(peer) == []
    trainer.train()
    assert ends(peer) == [("failed", BROKEN_OFF), ("finished", None)]


@pytest.mark.parametrize("later", [False, True])
def test_what_has_ended_it_is_known_where_nothing_caught_it(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: bool
) -> None:
    trainer = prepare(tmp_path, [Unlucky(), NormscopeCallback(url=peer.url, budget=None)])
    with pytest.raises(RuntimeError) as raised:
        trainer.train()
    other = ZeroDivisionError("in another cell")  # as a notebook remembers it
    monkeypatch.setattr(sys, "last_value", other if later else raised.value, raising=False)
    monkeypatch.setattr(sys, "last_exc", sys.last_value, raising=False)
    trainer.train()
    assert ends(peer)[0] == ("failed", BROKEN_OFF if later else "RuntimeError: out of luck")


@pytest.mark.parametrize(
    ("raised", "code", "end"),
    [("RuntimeError", 1, ("failed", "RuntimeError: out of luck")), ("KeyboardInterrupt", -2, ("stopped", None))],
)
def test_what_has_ended_it_is_told_when_python_exits(
    peer: Peer, tmp_path: Path, raised: str, code: int, end: tuple[str, str | None]
) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.normscope.test_transformers import NormscopeCallback, Unlucky, fit\n"
        f"fit(Path(sys.argv[1]), [Unlucky({raised}), NormscopeCallback(url=sys.argv[2], budget=None)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, peer.url], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip().splitlines()[-1]) == (code, f"{raised}: out of luck")
    assert ends(peer) == [end]
    assert peer.steps() == [0, 1]
