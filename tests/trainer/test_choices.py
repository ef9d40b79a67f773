"""The nets that claims let one choose: with their data, in every arm, from the same weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from normscope import wire
from normscope.catalogue import CHARTS, CLAIMS
from normscope.catalogue.settings import NETS
from normscope.spec import Job, Spec
from trainer.build import net_of
from trainer.data import load as data_of
from trainer.loop import load, train

if TYPE_CHECKING:
    from pathlib import Path

    from ..peer import Peer

CHOOSING = [claim for claim in CLAIMS.values() if any(setting.name == "net" for setting in claim.settings)]
FEW: dict[str, Any] = {"steps": 2, "seeds": 1, "batch": 8, "factor": 0.05, "measure_every": 1, "landscape_every": 1}


pytestmark = pytest.mark.usefixtures("one_thread")


def specs(net: str) -> list[Spec]:
    """Of every claim that lets one choose, one in every arm, with all that any of them measures of it."""
    found: dict[str, Spec] = {}
    chosen = {**FEW, "rates": [0.01], "net": net, "data": "phrases" if net == "transformer" else "digits"}
    for claim in CHOOSING:
        known = {setting.name for setting in claim.settings}
        arms = [a.name for a in claim.arms if "net" not in a.changes and (net, a.name) != ("transformer", "instance")]
        settings = claim.check({name: value for name, value in chosen.items() if name in known}, arms)
        for spec in claim.specs(settings, arms):
            before = found.get(spec.norm, spec)
            measures = dict.fromkeys((*before.measures, *spec.measures))
            found[spec.norm] = replace(before, measures=tuple(measures), landscape_every=1, init="he")
    return list(found.values())


def test_there_is_a_choice_where_a_net_on_images_is_trained() -> None:
    assert [claim.number for claim in CHOOSING] == [4, 5, 6, 7, 17]
    assert {spec.net for net in NETS for spec in specs(net)} == set(NETS)


@pytest.mark.parametrize("net", ["resnet20", "resnet20_plain", "transformer"])
def test_a_chosen_net_trains_and_is_measured_in_every_arm(net: str, peer: Peer, tmp_path: Path) -> None:
    for spec in specs(net):
        peer.frames.clear()
        train(Job(spec, "run", peer.url, "token", str(tmp_path)))
        end = peer.messages[-1]
        assert isinstance(end, wire.End)
        assert (end.status, end.outcome["diverged"]) == ("finished", 0.0), (spec.arm, end)
        series = {name for frame in peer.frames for name in frame.series}
        wanted = {chart.series for name in spec.measures for chart in CHARTS.get(name, ())}
        assert {"loss", "accuracy", "test_accuracy"} | wanted <= series, (spec.arm, wanted - series)
        missing = {name for name in ("drift", "gradient_change", "loss_range") if end.outcome.get(name, 1.0) is None}
        assert missing == set(), spec.arm


@pytest.mark.parametrize("net", NETS)
def test_all_arms_of_a_seed_begin_with_the_same_weights(net: str) -> None:
    layers = (nn.Linear, nn.Conv2d, nn.Embedding)
    reference: dict[str, Any] = {}
    for spec in specs(net):
        task = load(spec)
        found = {n: m.weight.detach() for n, m in net_of(spec, task).named_modules() if isinstance(m, layers)}
        reference = reference or found
        assert found.keys() == reference.keys()
        for name, weight in found.items():
            ulps = 4 if spec.norm == "weight" else 0  # it is put together from length and direction
            np.testing.assert_array_max_ulp(weight.numpy(), reference[name].numpy(), maxulp=ulps)


def test_a_net_with_skips_and_one_without_differ_in_them_alone() -> None:
    one, other = (next(s for s in specs(net) if s.norm == "batch") for net in ("resnet20", "resnet20_plain"))
    task = load(one)
    mine, its = net_of(one, task), net_of(other, task)
    assert all(map(torch.equal, mine.state_dict().values(), its.state_dict().values()))
    assert not torch.equal(mine(task.train[:4]), its(task.train[:4]))


def test_what_does_not_go_together_is_refused_before_anything_starts() -> None:
    claim = CLAIMS[7]
    with pytest.raises(ValueError, match=r"^data: transformer takes phrases, and nothing else$"):
        claim.check({"net": "transformer"}, ("none",))
    with pytest.raises(ValueError, match=r"^data: resnet20 takes images; phrases are for the transformer$"):
        claim.check({"net": "resnet20", "data": "phrases"}, ("none",))
    with pytest.raises(ValueError, match=r"^arms: instance normalizes each channel of an image"):
        claim.check({"net": "transformer", "data": "phrases"}, ("none", "instance"))
    with pytest.raises(ValueError, match="is not one of digits, shapes, mnist, fashion_mnist, cifar10, nor"):
        CLAIMS[2].check({"data": "phrases"}, ("none",))  # its nets are no transformers
    for net, data, takes in (
        ("mlp", "phrases", "vectors"),
        ("vgg_a", "gaussian", "images"),
        ("transformer", "digits", "tokens"),
    ):
        spec = Spec("none", net=net, data=data)
        with pytest.raises(ValueError, match=f"net: {net} takes {takes}; {data} has inputs of shape"):
            net_of(spec, load(spec))


def test_phrases_come_again_and_what_comes_next_is_to_be_said() -> None:
    task = data_of("phrases")
    assert (task.shape, task.outputs, task.tokens) == ((32,), 16, True)
    assert torch.equal(task.train[:, 1:], task.train_targets[:, :-1])
    again = torch.stack([(task.train[:, n:] == task.train[:, :-n]).all(1) for n in (2, 3, 4)])
    assert again.any(0).all()
    assert not set(map(tuple, task.train[:, :4].tolist())) >= set(map(tuple, task.test[:, :4].tolist()))
    assert torch.bincount(task.train.flatten(), minlength=16).min() > 3000  # of 64,000: no token is rare
