"""Experiments of claims over HTTP: sizes, what runs came to, and the finding against numpy."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from normscope import catalogue, wire
from normscope.command.arguments import arguments, experiment
from normscope.intervals import interval

from ...conftest import wait_for
from ...frames import Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...conftest import Server

TINY = {"depth": 1, "width": 8, "pace": 0, "steps": 5}
SLOW = {**TINY, "pace": 5, "steps": 1000}
"""No run ends by itself."""


def start(server: Server, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = server.post("/api/experiments", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def take_over(server: Server, experiment: Mapping[str, Any]) -> dict[str, Trainer]:
    """Training processes of the test's own for all runs, by run: with tokens that are put in the place of real ones."""
    server.post(f"/api/experiments/{experiment['id']}/stop")
    runs = [run["id"] for run in experiment["runs"]]
    for run in runs:
        server.wait_status(run, "stopped")
    with closing(sqlite3.connect(server.data / "normscope.db", timeout=10)) as db:
        for run in runs:
            new = (hashlib.sha256(run.encode()).hexdigest(), run)
            db.execute("UPDATE runs SET stop = 0, token_hash = ? WHERE id = ?", new)
        db.commit()
    trainers = {run: Trainer(server, token=run) for run in runs}
    assert {run: trainer.hear()["run"] for run, trainer in trainers.items()} == {run: run for run in runs}
    return trainers


def end(trainer: Trainer, status: str = "finished", **outcome: float | None) -> None:
    trainer.socket.send(wire.End(status, outcome=outcome).dump())
    said = trainer.hear()  # how far the process had come whose place this one has taken is another matter
    assert (said["type"], said["ended"]) == ("ack", True)
    trainer.close()


def test_what_a_run_came_to_is_kept_and_shown(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="outcome 1234567890")
    run = trainer.hear()["run"]
    assert shared_server.run(run)["outcome"] == {}
    end(trainer, loss=0.25, steps_to_loss=None)
    assert shared_server.run(run)["outcome"] == {"loss": 0.25, "steps_to_loss": None}
    answer = shared_server.http.get(
        f"{shared_server.url}/api/experiments/{shared_server.run(run)['experiment']}/finding"
    )
    assert (answer.status_code, answer.json()["detail"]) == (
        409, "this experiment is of no claim: there is nothing to be found",
    )  # fmt: skip


def test_the_catalogue_is_plain_json(shared_server: Server) -> None:
    text = shared_server.http.get(f"{shared_server.url}/api/catalogue").text
    claims = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["claims"]
    assert [claim["number"] for claim in claims] == list(range(1, 18))
    first = claims[0]
    assert first["sizes"]["quick"]["settings"]["shifts"] == [0, 1, 5]
    assert first["rule"][0]["of"] == "steps_to_loss"
    assert {"literature", "measures", "varied", "default_arms"} <= set(first)


def test_a_size_is_what_to_begin_with(shared_server: Server) -> None:
    settings = {**TINY, "seeds": 1, "parallel": 1}
    whole = start(shared_server, {"claim": 1, "size": "quick", "settings": settings})
    assert whole["settings"] == {
        "steps": 5, "batch": 60, "rate": 0.5, "init_std": 0.1, "depth": 1, "width": 8, "activation": "sigmoid",
        "shifts": [0, 1, 5], "target": 0.5, "landscape_every": 0, "measure_every": 20, "data": "digits", "seed": 0,
        "detail": "outputs", "surface": "path", "surface_points": 21, "device": "auto", "processes": 1, "seeds": 1,
        "parallel": 1, "pace": 0,
    }  # fmt: skip
    assert [(run["arm"], run["varied"]) for run in whole["runs"]] == [
        (arm, {"shift": shift}) for shift in (0, 1, 5) for arm in ("none", "mean only", "variance only", "batch")
    ]
    few = {**settings, "shifts": [2]}
    fewer = start(shared_server, {"claim": 1, "size": "quick", "settings": few, "arms": ["batch"]})
    assert [(run["arm"], run["varied"]) for run in fewer["runs"]] == [("batch", {})]
    for one in (whole, fewer):
        shared_server.post(f"/api/experiments/{one['id']}/stop")
    answer = shared_server.post("/api/experiments", {"claim": 1, "size": "huge"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422, "unknown size 'huge' of claim 1; there are watch, quick, paper",
    )  # fmt: skip


def test_the_finding_is_the_rules_from_seeds_that_are_done(shared_server: Server) -> None:
    """Claim 1's decisive ratio over six seeds: the sixth is half done, and what it has so far does not count."""
    experiment = start(shared_server, {"claim": 1, "settings": {**SLOW, "shifts": [0, 2], "seeds": 6, "parallel": 1}})
    url = f"/api/experiments/{experiment['id']}/finding"
    before = shared_server.get(url)
    assert (before["verdict"], before["seeds"], before["min_seeds"]) == ("undecided", {"done": 0, "planned": 6}, 5)
    assert before["evidence"][0]["estimate"] is None
    trainers = take_over(shared_server, experiment)
    rng = np.random.default_rng(5)
    steps = {run["id"]: float(rng.integers(40, 60) * (2 if run["arm"] == "none" else 1)) for run in experiment["runs"]}
    *done, last = experiment["runs"]
    trainers[last["id"]].send(0)
    trainers[last["id"]].acknowledged(0)
    for run in done:
        # In every run the number of a supporting criterion could not be had.
        end(trainers[run["id"]], steps_to_loss=steps[run["id"]], drift_last=None, off_centre=1.0)
    found = shared_server.get(url)
    assert found["seeds"] == {"done": 5, "planned": 6}
    ratio = found["evidence"][0]
    assert (ratio["name"], ratio["of"], ratio["arm"], ratio["against"], ratio["decisive"]) == (
        "steps to the loss, batch ÷ none", "steps_to_loss", "batch", "none", True,
    )  # fmt: skip
    pairs = [(a, b) for a in done for b in done if (a["arm"], b["arm"]) == ("batch", "none")]
    pairs = [(a, b) for a, b in pairs if (a["seed"], a["varied"]) == (b["seed"], b["varied"])]
    assert len(pairs) == 10 + 1  # the sixth seed has one pair, of two
    logs = {
        seed: np.mean([math.log(steps[a["id"]] / steps[b["id"]]) for a, b in pairs if a["seed"] == seed])
        for seed in range(5)
    }
    assert ratio["seeds"] == pytest.approx({str(seed): math.exp(log) for seed, log in logs.items()})
    assert ratio["estimate"] == pytest.approx(stats.gmean(list(ratio["seeds"].values())))
    bounds = interval(np.array(list(logs.values())))
    assert [ratio["low"], ratio["high"]] == pytest.approx(np.exp(bounds), rel=0.01)
    assert ratio["verdict"] == "supported"
    drift = found["evidence"][4]
    assert (drift["of"], drift["seeds"], drift["estimate"], drift["low"], drift["verdict"], drift["missing"]) == (
        "drift_last", {}, None, None, "undecided", [0, 1, 2, 3, 4],
    )  # fmt: skip
    assert (ratio["missing"], found["own"]) == ([], {})
    outcome = found["outcomes"][0]
    assert outcome == {
        "run": done[0]["id"], "arm": "none", "seed": 0, "varied": {"shift": 0}, "status": "finished",
        "numbers": {"steps_to_loss": steps[done[0]["id"]], "drift_last": None, "off_centre": 1.0},
    }  # fmt: skip
    assert found["outcomes"][-1]["status"] == "running"
    assert found["versions"] == [{"python": "3"}]
    assert found["settings"] == experiment["settings"]
    end(trainers[last["id"]], steps_to_loss=steps[last["id"]])
    assert shared_server.get(url)["seeds"] == {"done": 6, "planned": 6}
    assert set(shared_server.get(url)["evidence"][0]["seeds"]) == {"0", "1", "2", "3", "4", "5"}


def test_a_seed_with_a_failed_run_is_not_done(shared_server: Server) -> None:
    experiment = start(shared_server, {"claim": 1, "settings": {**SLOW, "seeds": 2, "parallel": 1}})
    trainers = take_over(shared_server, experiment)
    for trainer, status in zip(trainers.values(), ("finished", "finished", "failed", "stopped"), strict=True):
        end(trainer, status, steps_to_loss=3.0)
    found = shared_server.get(f"/api/experiments/{experiment['id']}/finding")
    assert found["seeds"] == {"done": 1, "planned": 2}
    assert found["evidence"][0]["seeds"] == {"0": 1.0}
    assert [one["status"] for one in found["outcomes"]] == ["finished", "finished", "failed", "stopped"]


def test_a_link_reads_its_experiments_finding_and_controls_nothing(shared_server: Server) -> None:
    mine, other = (start(shared_server, {"claim": 1, "settings": {**TINY, "steps": 1000}}) for _ in range(2))
    token = shared_server.post("/api/links", {"experiment": mine["id"]}).json()["url"].removeprefix("/s/")

    def status(method: str, path: str) -> int:
        return shared_server.http.request(method, f"{shared_server.url}{path}?link={token}").status_code

    for what in ("finding", "runs"):
        assert status("GET", f"/api/experiments/{mine['id']}/{what}") == 200
        assert status("GET", f"/api/experiments/{other['id']}/{what}") == 404
        assert status("GET", f"/api/experiments/nobody/{what}") == 404
    for action in ("pause", "resume", "stop"):
        assert status("POST", f"/api/experiments/{mine['id']}/{action}") == 403


@pytest.mark.parametrize(
    ("claim", "settings", "arms", "words"),
    [
        (1, {}, None, "normscope run 1"),
        (1, {"steps": 30, "rate": 0.125}, None, "normscope run 1 --set steps=30 --set rate=0.125"),
        (1, {"shifts": [0, 2.5], "activation": "relu"}, None, "--set activation=relu --set shifts=0,2.5"),
        (12, {}, ["batch", "batch without γ, β"], "--arms 'batch,batch without γ, β'"),
        (12, {}, ["batch, γ, β frozen first", "batch"], "--arms 'batch, γ, β frozen first,batch'"),
    ],
)
def test_the_command_asks_for_the_same_nets(
    shared_server: Server, claim: int, settings: dict[str, Any], arms: list[str] | None, words: str
) -> None:
    begun = start(shared_server, {"claim": claim, "settings": settings, "arms": arms})
    shared_server.post(f"/api/experiments/{begun['id']}/stop")
    command = shared_server.get(f"/api/experiments/{begun['id']}/finding")["command"]
    assert words in command
    again = experiment(arguments().parse_args(shlex.split(command)[2:]))
    known = catalogue.claim(claim)
    specs = known.specs(known.check(settings, arms or known.default_arms), arms or known.default_arms)
    assert known.specs(known.check(again["settings"], again["arms"]), again["arms"]) == specs


def test_a_comparison_takes_runs_of_any_experiments_and_says_what_is_wrong_with_others(shared_server: Server) -> None:
    settings = {**TINY, "seeds": 2, "shifts": [0]}
    ids = [run["id"] for run in start(shared_server, {"claim": 1, "size": "quick", "settings": settings})["runs"]]

    def opened(path: str) -> tuple[int, str]:
        answer = shared_server.http.get(f"{shared_server.url}/compare/{path}")
        return answer.status_code, answer.text

    status, text = opened(",".join(ids[:3]))
    assert status == 200
    assert "What differs" in text
    whole = json.loads(text.split('id="page">')[1].split("</script>")[0])["experiment"]
    assert [run["id"] for run in whole["runs"]] == ids[:3]
    assert len({run["arm"] for run in whole["runs"]}) == 3
    for path, sentence in (
        ("nothing", "there is no run"),
        (",", "0 runs cannot be compared"),
        (",".join(f"r{i}" for i in range(13)), "13 runs cannot be compared; choose 1 to 12"),
    ):
        assert opened(path)[0] == 404
        assert sentence in opened(path)[1]


def test_an_experiment_is_renamed_by_its_owner_alone(shared_server: Server) -> None:
    settings = {**TINY, "seeds": 1, "shifts": [0]}
    experiment = start(shared_server, {"claim": 1, "size": "quick", "settings": settings})["id"]
    url = f"{shared_server.url}/api/experiments/{experiment}"
    assert shared_server.http.patch(url, json={"name": "digits, again"}).json()["name"] == "digits, again"
    assert shared_server.get(f"/api/experiments/{experiment}")["name"] == "digits, again"
    wrong: list[dict[str, Any]] = [{"name": ""}, {"name": "x" * 201}, {"name": 5}, {}, {"claim": 2}]
    wrong += [{"tags": ["two words"]}, {"tags": "x"}, {"notes": "x" * 10_001}]
    for body in wrong:
        assert shared_server.http.patch(url, json=body).status_code == 422
    link = shared_server.post("/api/links", {"experiment": experiment, "view": ""}).json()
    token = link["url"].removeprefix("/s/")
    assert shared_server.http.patch(f"{url}?link={token}", json={"name": "mine"}).status_code == 403
    assert shared_server.http.patch(f"{shared_server.url}/api/experiments/none", json={"name": "x"}).status_code == 404
    assert shared_server.get(f"/api/experiments/{experiment}")["name"] == "digits, again"


def test_tags_and_notes_stay_with_an_experiment(server: Server) -> None:
    experiment = start(server, {"claim": 1, "size": "quick", "settings": {**TINY, "seeds": 1, "shifts": [0]}})["id"]
    url = f"{server.url}/api/experiments/{experiment}"
    assert server.http.patch(url, json={"tags": ["course", "week-3"], "notes": "Look at fc3."}).status_code == 200
    assert server.http.patch(url, json={"name": "digits"}).status_code == 200
    server.stop()
    server.start()
    found = server.get("/api/experiments")["experiments"][0]
    assert (found["name"], found["tags"], found["notes"]) == ("digits", ["course", "week-3"], "Look at fc3.")


def test_what_was_deleted_comes_back_until_it_is_removed(server: Server) -> None:
    going = start(server, {"claim": 1, "size": "quick", "settings": {**TINY, "seeds": 1, "steps": 5000, "pace": 5}})[
        "id"
    ]
    run = server.get(f"/api/experiments/{going}")["runs"][0]["id"]
    link = server.post("/api/links", {"experiment": going, "view": ""}).json()["url"]
    url = f"{server.url}/api/experiments/{going}"
    token = link.removeprefix("/s/")
    assert server.http.delete(f"{url}?link={token}").status_code == 403
    wait_for(lambda: server.get(f"/api/runs/{run}")["last_step"] >= 0, "a step")
    assert server.http.delete(url).status_code == 204
    assert server.get("/api/experiments")["experiments"] == []
    for gone in (url, f"{server.url}/e/{going}", server.url + link):
        assert server.http.get(gone).status_code == 404
    assert server.http.delete(url).status_code == 404
    assert server.http.get(f"{server.url}/api/runs/{run}/history?link={token}").status_code == 403
    server.wait_status(run, "stopped")
    assert server.post(f"/api/experiments/{going}/restore").json()["id"] == going
    assert server.http.get(server.url + link).status_code == 200
    assert [e["id"] for e in server.get("/api/experiments")["experiments"]] == [going]
    folder = server.data / "runs" / run
    assert folder.exists()
    server.stop()
    server.flags = ("--keep-deleted", "0")
    server.start()
    assert server.http.delete(url).status_code == 204
    server.stop()
    server.start()  # clears away as it begins, and then every minute
    wait_for(lambda: server.http.get(f"{server.url}/api/runs/{run}").status_code == 404, "its removal")
    assert server.post(f"/api/experiments/{going}/restore").status_code == 404
    assert not folder.exists()


def test_an_estimate_comes_from_what_has_run_here(server: Server) -> None:
    settings = {**TINY, "seeds": 1, "shifts": [0], "parallel": 2}
    plan = {"claim": 1, "size": "quick", "settings": settings, "arms": ["none", "batch"]}
    assert server.post("/api/estimate", plan).json() == {"runs": 2, "seconds": None, "basis": 0}
    runs = start(server, plan)["runs"]
    for run in runs:
        server.wait_status(run["id"], "finished")
    took = [server.get(f"/api/runs/{run['id']}") for run in runs]
    seconds = sum(run["ended"] - run["started"] for run in took)
    once = server.post("/api/estimate", plan).json()
    assert once["basis"] == 2
    assert once["seconds"] == pytest.approx(seconds / 2)
    twice = server.post("/api/estimate", plan | {"settings": {**settings, "seeds": 2, "parallel": 1}}).json()
    assert twice["runs"] == 4
    assert twice["seconds"] == pytest.approx(2 * seconds)
    assert server.post("/api/estimate", plan | {"settings": {"steps": -1}}).status_code == 422
