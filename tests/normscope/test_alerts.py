"""Rules, held against a plain reading of them, and what comes of them in a training process."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import normscope
from normscope import alerts, wire
from normscope.alerts import Sentry, Sight, alert, chosen
from normscope.alerts.sentry import CALM, Fall
from normscope.errors import WireError

from ..conftest import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from ..peer import Peer

LAYERS = ["encoder.a", "encoder.b", "head"]
SLOTS = [(0, "output"), (1, "output"), (1, "gradient"), (2, "output")]
FINE = [100.0, 10, 0, 0, 0.5, 1.0, -3.0, 4.0]


def sentry(*rules: str | alerts.Rule, built_in: bool = False) -> Sentry:
    found = chosen(rules, LAYERS, SLOTS)
    return Sentry(found if built_in else [rule for rule in found if rule not in alerts.BUILT_IN], LAYERS, SLOTS)


def numbers(**changes: list[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What four slots gave, all well but those of `s0` to `s3`."""
    return np.array([changes.get(f"s{i}", FINE) for i in range(4)])


def look(one: Sentry, step: int, **changes: Any) -> list[wire.Alert]:
    loss = changes.pop("loss", 1.0)
    return one.look([Sight(step, {"loss": loss}, np.arange(4), numbers(**changes))])


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("non-finite", [100, 0, 0, 1, 0.5, 1, -3, 4]),
        ("dead", [100, 99, 0, 0, 0.5, 1, -3, 4]),
        ("exploding", [100, 0, 0, 0, 0.5, 1, -2e6, 4]),
        ("vanishing", [100, 0, 0, 0, 0.5, 1e-7, -3, 4]),
        ("saturated", [100, 0, 50, 0, 0.5, 1, -3, 4]),
    ],
)
def test_what_is_always_wrong_is_told_by_its_name(rule: str, values: list[float]) -> None:
    one = sentry(built_in=True)
    told = [found for step in range(30) for found in look(one, step, s1=values)]
    (first,) = told
    assert (first.rule, first.layer, first.since) == (rule, "encoder.b", 0)
    assert first.step == (0 if rule in ("non-finite", "exploding") else 19)
    assert look(sentry(built_in=True), 0) == []


def test_a_dead_layer_is_not_called_vanishing_too_and_a_single_value_is_neither() -> None:
    one = sentry(built_in=True)
    dead, single = [100.0, 100, 0, 0, 0, 0, 0, 0], [1.0, 0, 0, 0, 3, 0, 3, 3]
    told = [found.rule for step in range(30) for found in look(one, step, s0=dead, s3=single)]
    assert told == ["dead"]


def test_layers_that_fall_ill_together_are_one_alert_which_is_over_with_the_last_of_them() -> None:
    one, ill = sentry("max > 10"), [100.0, 0, 0, 0, 0, 1, -3, 11]
    (told,) = look(one, 7, s0=ill, s3=ill)
    assert told.places == (("encoder.a", "output", 11), ("head", "output", 11))
    assert told.sentence == "max > 10: the output of encoder.a and of 1 more since step 7 (11)"
    assert look(one, 8, s0=ill) == []
    rest = [found for step in range(9, 60) for found in look(one, step, **({"s0": ill} if step < 12 else {}))]
    assert rest == [wire.Alert(0, told.rule, told.sentence, 7, 7, told.places, cleared=11 + CALM)]
    assert [found.number for found in look(one, 60, s0=ill)] == [1]


def test_a_rule_holds_for_as_many_steps_as_it_says_where_layers_and_kinds_are_what_it_says() -> None:
    one, ill = sentry(alert("norm >= 50", layers="encoder.*", kind="gradient", steps=5)), [100.0, 0, 0, 0, 3, 4, -3, 11]
    told = [(step, found) for step in (0, 1, 3, 4, 5) for found in look(one, step, s0=ill, s2=ill, s3=ill)]
    ((step, found),) = told
    assert (step, found.since, found.places) == (4, 0, (("encoder.b", "gradient", 50),))  # sqrt(100 * (3² + 4²))


@given(
    st.lists(
        st.tuples(st.sampled_from([1.0, 2.0, 0.5, math.nan]), st.integers(0, 15), st.integers(0, 15)), max_size=60
    ),
    st.lists(st.integers(1, 20), min_size=60, max_size=60),
)
def test_steps_that_are_looked_at_together_give_what_they_give_one_by_one(
    course: list[tuple[float, int, int]], groups: list[int]
) -> None:
    """Losses, which slots are ill, and which were not seen."""
    rules: list[str | alerts.Rule] = ["max > 10", alert("std < 0.001", steps=3), "loss > 1.5"]
    ill = np.array([100.0, 0, 0, 0, 0, 1e-7, -3, 11])
    sights = []
    for step, (loss, bad, away) in enumerate(course):
        there = np.array([slot for slot in range(4) if not away >> slot & 1], np.int64)
        found = np.array([ill if bad >> slot & 1 else FINE for slot in range(4)])[there].reshape(-1, 8)
        sights.append(Sight(step, {"loss": loss}, there, found))
    one, other = sentry(*rules, built_in=True), sentry(*rules, built_in=True)
    singly = [told for sight in sights for told in one.look([sight])]
    together: list[wire.Alert] = []
    for size in groups:
        together += other.look(sights[:size])
        sights = sights[size:]
    assert [repr(told) for told in together] == [repr(told) for told in singly]


def test_what_is_not_seen_at_a_step_changes_nothing() -> None:
    one, ill = sentry(alert("max > 10", steps=4)), [100.0, 0, 0, 0, 0, 1, -3, 11]
    assert look(one, 0, s1=ill) == []
    for step in (1, 2):
        assert one.look([Sight(step, {}, np.array([0, 3]), numbers()[[0, 3]])]) == []
    (told,) = look(one, 3, s1=ill)
    assert (told.layer, told.since) == ("encoder.b", 0)


def test_the_loss_is_looked_at_for_what_it_is() -> None:
    one = sentry("loss > 10", built_in=True)
    (told,) = look(one, 0, loss=11.0)
    assert told.sentence == "loss > 10: loss since step 0 (11)"
    (told,) = look(one, 1, loss=math.nan)
    assert told.sentence == "non-finite: loss is not finite since step 1"
    assert told.layer is None


def test_a_loss_that_does_not_fall_is_stalled_until_it_falls_again() -> None:
    one = sentry(alert("stalled", steps=100), built_in=True)
    rng = np.random.default_rng(0)
    told: list[wire.Alert] = []
    for step in range(600):
        level = max(0.0, 300 - step) / 100 + 1 if step < 500 else 0.5
        told += look(one, step, loss=level * rng.uniform(0.8, 1.2))
    assert [(found.rule, found.cleared is None) for found in told] == [("stalled", True), ("stalled", False)]
    assert 280 <= told[0].since <= 375
    assert told[0].step - told[0].since == 100
    assert 500 < (told[1].cleared or 0) < 580


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_a_loss_below_all_before_by_more_than_a_hundredth_is_progress(losses: list[float]) -> None:
    fall, best, since = Fall(4), math.inf, 0  # means are of one step each
    for step, loss in enumerate(losses):
        if loss < best - 0.01 * abs(best) if math.isfinite(best) else True:
            best, since = loss, step
        assert fall.steps_without(step, loss) == step - since


def test_there_is_an_end_to_what_people_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("normscope.alerts.sentry.MOST", 3)
    one, ill = sentry("max > 10"), [100.0, 0, 0, 0, 0, 1, -3, 11]
    told = [
        found.number
        for step in range(0, 600, 3)
        for found in look(one, step, **({"s0": ill} if step % 60 == 0 else {}))
        if found.cleared is None
    ]
    assert told == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("loss",), "'loss' is neither a comparison such as 'loss > 10' nor one of non-finite, dead"),
        (("loss > ten",), "'ten' in 'loss > ten' is not a number"),
        (("loss > nan",), "'nan' in"),
        (("los > 1", "fc*"), "'los' is not measured of layers; choose from mean, std, min"),
        (("std > 1", None, "outputs"), "'outputs' is not one of output, input"),
        (("std > 1", None, None, 0), "0 is not a number of steps"),
        (("stalled", "fc*"), "'stalled' is not about layers"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_choices(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=r"alert|steps|kind") as error:
        alert(*arguments)
    assert words in str(error.value)


def test_a_rule_about_nothing_that_is_watched_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"about the weight of layers '\*', of which there are none; watched are: output"
    ):
        normscope.watch(nn.Linear(1, 1), url="http://127.0.0.1:1", alerts=[alert("std > 1", kind="weight")])
    with pytest.raises(TypeError, match="3 is neither"):
        normscope.watch(nn.Linear(1, 1), url="http://127.0.0.1:1", alerts=[3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="on_alert"):
        normscope.watch(nn.Linear(1, 1), url="http://127.0.0.1:1", on_alert="stop")  # type: ignore[arg-type]


def test_a_loop_hears_of_alerts_on_its_own_thread_and_stops_itself(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Identity())
    told: list[wire.Alert] = []

    def hear(found: wire.Alert) -> None:
        told.append(found)
        watch.stop()
        raise KeyError("the function's own")

    with normscope.watch(net, url=peer.url, budget=None, alerts=["loss > 5"], on_alert=hear) as watch:
        step = 0
        while not watch.stopped:
            net(torch.ones(4, 3))
            watch.step(loss=step)
            step += 1
            if step > 6:
                wait_for(lambda: watch.stopped or watch._telling._waiting, "the alert")
    assert [(found.rule, found.step) for found in told] == [("loss > 5", 6)]
    assert step in (7, 8)
    assert peer.messages[-1] == wire.End("stopped")
    assert told[0] in peer.messages
    assert [record.getMessage() for record in caplog.records] == [
        "normscope: loss > 5: loss since step 6 (6)",
        "normscope: on_alert failed; training goes on without it",
    ]


def test_alerts_are_said_again_to_a_server_that_is_reached_anew_and_kept_in_a_file(peer: Peer, tmp_path: Path) -> None:
    with normscope.watch(nn.Linear(1, 1), url=peer.url, budget=None, alerts=["loss > 5"]) as watch:
        watch.step(loss=6)
        wait_for(lambda: any(isinstance(m, wire.Alert) for m in peer.messages), "the alert")
        assert peer.connection is not None
        peer.connection.socket.close()
        wait_for(lambda: sum(isinstance(m, wire.Alert) for m in peer.messages) == 2, "the alert again")
    with normscope.watch(nn.Linear(1, 1), file=tmp_path / "run", budget=None, alerts=["loss > 5"]) as watch:
        watch.step(loss=6)
    assert [found.rule for found in normscope.open(tmp_path / "run").alerts] == ["loss > 5"]


def test_nobody_is_told_of_anything_where_there_are_no_rules(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    with normscope.watch(nn.Linear(1, 1), url=peer.url, budget=None, alerts=None) as watch:
        watch.step(loss=math.nan)
    assert not caplog.records
    assert not any(isinstance(message, wire.Alert) for message in peer.messages)


@pytest.mark.parametrize(
    "changes",
    [{"number": -1}, {"step": "1"}, {"places": [["a"]]}, {"places": [["a", "output", "1"]]}, {"cleared": 1.5},
     {"places": [["a", "output", 1]] * 21}, {"sentence": "x" * 1001}, {"rule": 3}, {"places": 3}],
)  # fmt: skip
def test_alerts_that_are_none_are_refused(changes: dict[str, Any]) -> None:
    good = json.loads(wire.Alert(0, "dead", "dead", 1, 1, (wire.Place("a", "output", 1.0),)).dump())
    assert wire.parse(json.dumps(good)) == wire.Alert(0, "dead", "dead", 1, 1, (wire.Place("a", "output", 1.0),))
    with pytest.raises(WireError, match="Alert"):
        wire.parse(json.dumps(good | changes))
