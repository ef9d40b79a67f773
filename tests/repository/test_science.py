"""docs/science.md says what the kept runs came to, by the catalogue's rules, and commands that train the same nets."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest

from normscope.catalogue import CLAIMS
from normscope.command.arguments import arguments, experiment
from scripts import science
from scripts.forest import forest

if TYPE_CHECKING:
    from normscope.spec import Spec

KEPT = science.findings()
each = pytest.mark.parametrize("finding", KEPT, ids=science.stem)


def test_there_is_a_finding_of_every_trial_and_the_page_is_made_of_them() -> None:
    trials = [*map(science.Trial, CLAIMS), *science.MORE]
    wanted = [science.stem({"claim": trial.claim, "label": trial.label}) for trial in trials]
    assert sorted(map(science.stem, KEPT)) == sorted(wanted)
    assert science.PAGE.read_text() == science.page(KEPT)


@each
def test_a_verdict_is_what_its_runs_came_to_by_the_rule_as_it_stands(finding: dict[str, Any]) -> None:
    found = science.judged(finding)
    assert (found["verdict"], found["reason"]) == (finding["verdict"], finding["reason"])
    for mine, kept in zip(found["evidence"], finding["evidence"], strict=True):
        assert mine["name"] == kept["name"]
        for name in ("estimate", "low", "high"):
            assert mine[name] == pytest.approx(kept[name])
    assert (science.FOLDER / f"{science.stem(finding)}.svg").read_text() == forest(finding["evidence"])


@each
def test_the_command_trains_the_nets_that_were_trained(finding: dict[str, Any]) -> None:
    claim = CLAIMS[finding["claim"]]
    program, word, *words = shlex.split(finding["command"])
    assert (program, word) == ("normscope", "run")
    asked = experiment(arguments().parse_args(words))
    told = {name: value for name, value in finding["settings"].items() if name != "parallel"}

    def specs(settings: dict[str, Any]) -> set[Spec]:
        return set(claim.specs(claim.check(settings, asked["arms"]), asked["arms"]))

    assert specs(asked["settings"]) == specs(told)
    trained = {(run["arm"], run["seed"], *run["varied"].values()) for run in finding["outcomes"]}
    assert {(s.arm, s.seed, *s.conditions.values()) for s in specs(told)} == trained
    assert len(finding["outcomes"]) == len(specs(told))
