"""Every claim trains for a few steps in every arm, measures what its rule needs, and does so alike twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from normscope import wire
from normscope.catalogue import CHARTS, CLAIMS, Claim
from normscope.findings import Outcome, judge
from normscope.measures.directions import random_directions
from normscope.spec import CHECKPOINT, Job, Spec
from trainer.build import loss_of, net_of
from trainer.loop import load, train

if TYPE_CHECKING:
    from pathlib import Path

    from ..peer import Peer

FEW: dict[str, Any] = {
    "steps": 6, "seeds": 1, "measure_every": 2, "landscape_every": 2, "factor": 0.1, "batch": 16, "shifts": [0, 1],
    "batches": [8, 16], "depths": [1, 4], "rates": [0.1, 0.2], "init_scales": [1, 2], "skips": [0, 1],
    "ghost": 4, "data": "digits",
}  # fmt: skip
"""A little of everything, as far as a claim has the setting."""


pytestmark = pytest.mark.usefixtures("one_thread")


def few(claim: Claim) -> list[Spec]:
    known = {setting.name: setting.choices for setting in claim.settings}
    arms = tuple(arm.name for arm in claim.arms)
    wanted = {k: v for k, v in FEW.items() if k in known and v in (known[k] or [v])}
    return claim.specs(claim.check(wanted, arms), arms)


def run(spec: Spec, peer: Peer, folder: Path) -> wire.End:
    """Train a net here; what its run said at its end, all frames being with the peer."""
    peer.frames.clear()
    torch.manual_seed(0)
    train(Job(spec, "run", peer.url, "token", str(folder)))
    end = peer.messages[-1]
    assert isinstance(end, wire.End)
    assert end.status == "finished", end.error
    return end


@pytest.mark.parametrize("number", CLAIMS)
def test_every_arm_of_a_claim_trains_and_measures(number: int, peer: Peer, tmp_path: Path) -> None:
    claim = CLAIMS[number]
    outcomes = []
    for spec in few(claim):
        end = run(spec, peer, tmp_path)
        assert (tmp_path / CHECKPOINT).exists()
        numbers = {name: float("nan") if value is None else value for name, value in end.outcome.items()}
        outcomes.append(Outcome(spec.arm, spec.seed, spec.conditions, numbers))
        series = {name for frame in peer.frames for name in frame.series}
        for name in spec.measures:
            wanted = {chart.series for chart in CHARTS.get(name, ())}
            assert not wanted or spec.norm == "none" or series & wanted == wanted, (spec.arm, wanted - series)
    # One seed gives no verdict, and yet every criterion has something to weigh, but for nets that learned nothing.
    finding = judge(claim.rule, outcomes)
    assert finding.verdict == "undecided"
    missing = [e.criterion.name for e in finding.evidence if not e.seeds and not e.criterion.of.startswith("density_")]
    assert missing == []


def test_two_runs_alike_give_the_same_losses(peer: Peer, tmp_path: Path) -> None:
    for arm in CLAIMS[7].arms:
        (spec,) = CLAIMS[7].specs(CLAIMS[7].check({**FEW_VGG, "seeds": 1}, (arm.name,)), (arm.name,))
        found = []
        for _ in range(2):
            outcome = run(spec, peer, tmp_path).outcome
            found.append(json.dumps([outcome, [f.series["loss"].mean.tolist() for f in peer.frames]]))
        assert found[0] == found[1], arm.name


FEW_VGG = {name: FEW[name] for name in ("steps", "factor", "batch", "data", "landscape_every", "measure_every")}


def test_measuring_changes_nothing(peer: Peer, tmp_path: Path) -> None:
    """The weights at the end are the same bit for bit, with every measure and with none."""
    names = ("conditioning", "drift", "gradient_change", "health", "jolts", "matched", "next_batch", "normalized",
             "normalizers", "output_spread", "restoring", "sampling", "sharpness", "surface",
             "initial_gradients")  # fmt: skip
    for norm in ("none", "batch", "batch_noisy", "batch_population"):
        found = []
        for measures in ((), names):
            spec = Spec("an arm", norm=norm, steps=6, measures=measures, measure_every=2, landscape_every=0, width=16)
            run(spec, peer, tmp_path)
            found.append(torch.load(tmp_path / CHECKPOINT)["net"])
        assert found[0].keys() == found[1].keys()
        assert all(torch.equal(found[0][name], found[1][name]) for name in found[0]), norm


@pytest.mark.parametrize("norm", ["none", "batch", "l1"])
def test_everything_can_be_recorded_of_any_net(norm: str, peer: Peer, tmp_path: Path) -> None:
    spec = Spec("an arm", norm=norm, steps=21, measure_every=4, landscape_every=0, width=16, detail="everything")
    run(spec, peer, tmp_path)
    series = {name: found for frame in peer.frames for name, found in frame.series.items()}
    kept = {chart.series for name in ("health", "normalizers") for chart in CHARTS[name]}
    assert kept & series.keys() == (kept if norm == "batch" else {name for name in kept if "health" in name})
    assert [len(series[f"health.{name}"].mean) for name in ("gradient", "update")] == [4, 4]
    kinds = {wire.KINDS[kind] for frame in peer.frames for kind in frame.kinds}
    assert {"output", "input", "gradient", "weight", "weight_gradient", "bias"} <= kinds
    assert ("running_mean" in kinds) == (norm != "none")


def test_the_surface_is_that_of_the_last_weights_and_the_path_ends_there(peer: Peer, tmp_path: Path) -> None:
    spec = Spec("none", steps=21, measure_every=4, landscape_every=0, width=16, detail="everything")
    run(spec, peer, tmp_path)
    told = [frame for frame in peer.frames if "surface.loss" in frame.series]
    assert [(len(f.series["surface.loss"].mean), len(f.layers), f.first_step) for f in told] == [
        (points**2, 0, 20) for points in (6, 11, 21)
    ]  # coarse at first, after the step itself
    assert [frame.series["surface.done"].mean[0] for frame in told] == [153 / 441, 249 / 441, 1]
    assert "loss" in peer.frames[-4].series
    found = {name.removeprefix("surface."): s.mean for name, s in peer.frames[-1].series.items() if "surface" in name}
    a, b = found["a"], found["b"]
    assert found["path_a"][-1] == found["path_b"][-1] == 0
    assert len(found["path_a"]) == 7
    assert a[0] < found["path_a"].min() <= found["path_a"].max() < a[-1]
    # What the net makes of the same samples with the weights that the run left, between the grid's points.
    task = load(spec)
    net = net_of(spec, task)
    net.load_state_dict(torch.load(tmp_path / CHECKPOINT)["net"])
    loss = loss_of(task)(net(task.train[:256]), task.train_targets[:256]).item()
    for coarse, spacing in zip(told, (4, 2), strict=False):
        part = found["loss"].reshape(21, 21)[::spacing, ::spacing]
        assert np.array_equal(coarse.series["surface.loss"].mean, part.ravel())
        assert np.array_equal(coarse.series["surface.a"].mean, a[::spacing])
    grid = RegularGridInterpolator((a, b), found["loss"].reshape(len(a), len(b)), method="cubic")
    assert grid([[0.0, 0.0]])[0] == pytest.approx(loss, rel=1e-3)


def test_a_surface_of_random_directions_has_as_many_points_as_were_asked_for(peer: Peer, tmp_path: Path) -> None:
    spec = Spec(
        "batch", norm="batch", steps=9, measure_every=4, landscape_every=0, width=16, detail="everything",
        surface="random", surface_points=51,
    )  # fmt: skip
    run(spec, peer, tmp_path)
    *coarse, last = [frame for frame in peer.frames if "surface.loss" in frame.series]
    assert [len(frame.series["surface.loss"].mean) for frame in coarse] == [26**2]
    found = {name.removeprefix("surface."): s.mean for name, s in last.series.items() if "surface" in name}
    assert "explained" not in found
    assert (found["path_a"].tolist(), found["path_b"].tolist()) == ([0], [0])
    assert np.allclose(found["a"], np.linspace(-1, 1, 51))
    task = load(spec)
    net = net_of(spec, task)
    net.load_state_dict(torch.load(tmp_path / CHECKPOINT)["net"])
    one, other = random_directions(net, spec.seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.add_(0.4 * one[name] - 0.2 * other[name])
    loss = loss_of(task)(net(task.train[:256]), task.train_targets[:256]).item()
    assert found["loss"].reshape(51, 51)[35, 20] == pytest.approx(loss, rel=1e-4)


def test_squared_errors_may_be_averaged_over_samples(peer: Peer, tmp_path: Path) -> None:
    dln = {"net": "dln", "data": "gaussian", "depth": 3, "batch": 1000, "steps": 30, "init": "glorot"}
    losses = {}
    for reduction, rate in (("sum", 1e-5), ("mean", 1e-2)):
        spec = Spec(reduction, **dln, reduction=reduction, rate=rate, target=9000.0, landscape_every=0)  # type: ignore[arg-type]
        run(spec, peer, tmp_path / reduction)
        losses[reduction] = [frame.series["loss"].mean[0] for frame in peer.frames]
    task = load(spec)
    count = len(task.train)
    assert np.allclose(losses["sum"], count * np.array(losses["mean"]), rtol=1e-4)
    net = net_of(spec, task)
    with torch.no_grad():
        outputs = net(task.train)
    by_hand = ((outputs - task.train_targets) ** 2).numpy().mean(1).sum()
    assert losses["sum"][0] == pytest.approx(by_hand, rel=1e-5)


def test_every_look_at_the_test_data_is_shown(peer: Peer, tmp_path: Path) -> None:
    spec = Spec("none", steps=24, observe_every=5, test_every=7, width=8, landscape_every=0)
    run(spec, peer, tmp_path)
    shown = [frame.first_step for frame in peer.frames if "test_accuracy" in frame.series]
    assert shown == [0, 7, 14, 21, 23]
    assert [frame.first_step for frame in peer.frames] == [0, 5, 7, 10, 14, 15, 20, 21, 23]


def test_a_net_that_diverges_ends_early_and_says_so(peer: Peer, tmp_path: Path) -> None:
    outcome = run(
        Spec("none", rate=1e30, steps=50, width=8, activation="relu", landscape_every=0), peer, tmp_path
    ).outcome
    assert (outcome["diverged"], outcome["learned"], outcome["final_loss"]) == (1, 0, None)
    assert outcome["steps_to_loss"] == 50
    assert len(peer.frames) < 50


def test_frozen_scales_and_shifts_are_released(peer: Peer, tmp_path: Path) -> None:
    moved = []
    for steps in (4, 8):
        spec = Spec("batch", norm="batch", frozen=0.5 if steps == 8 else 1.0, steps=steps, width=8, landscape_every=0)
        run(spec, peer, tmp_path)
        net = torch.load(tmp_path / CHECKPOINT)["net"]
        moved.append(not torch.equal(net["norm1.weight"], torch.ones(8)))
    assert moved == [False, True]


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_net_that_diverges_while_it_is_measured_ends_all_the_same(norm: str, peer: Peer, tmp_path: Path) -> None:
    names = ("along_gradient", *sorted({*CHARTS, "surface"} - {"density"}))
    spec = Spec("an arm", norm=norm, rate=1e30, steps=9, width=8, activation="relu", measures=names, measure_every=1,
                landscape_every=1, detail="everything")  # fmt: skip
    outcome = run(spec, peer, tmp_path).outcome
    assert (outcome["diverged"], outcome["learned"]) == (1, 0)
