"""Which runs an estimate of a run's time rests on."""

from __future__ import annotations

import json
from typing import Any

from app.runs.estimate import most_alike
from app.store import Run
from normscope import catalogue


def test_an_estimate_rests_on_runs_of_the_same_net() -> None:
    claim = catalogue.claim(7)

    def spec(net: str, arm: str) -> dict[str, Any]:
        (found,) = claim.specs(claim.check({"net": net, "seeds": 1}, [arm]), [arm])
        return dict(json.loads(found.dump()))

    runs = [
        Run(net, "e", net, "hash", 1.0, spec=spec(net, arm)) for net, arm in (("vgg_a", "ℓ1"), ("resnet20", "none"))
    ]
    assert [run.id for run in most_alike(spec("resnet20", "ℓ1"), runs)] == ["resnet20"]
    assert [run.id for run in most_alike(spec("vgg_a", "none"), runs)] == ["vgg_a"]
