"""Which picture a page begins with, and whether it begins with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.pages.glimpse import first_layer, first_runs
from normscope import wire
from tests.conftest import wait_for
from tests.frames import Trainer, frame

if TYPE_CHECKING:
    from tests.conftest import Server

OUTPUT = {"name": "fc1", "type": "Linear", "kinds": ["output"]}


def run(id: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id, "arm": id, "seed": 0, "varied": {}, "status": "finished", "last_seq": 9, "lasting": 0, "thinned": 1,
        "layers": [OUTPUT], "edges": [], **more,
    }  # fmt: skip


def ids(runs: list[dict[str, Any]], view: str = "") -> list[str]:
    return [one["id"] for one in first_runs(runs, view)]


def test_of_each_arm_the_first_seed_under_the_first_conditions_is_drawn() -> None:
    runs = [
        run(f"{arm}{seed}{rate}", arm=arm, seed=seed, varied={"rate": rate})
        for rate in (0.1, 0.5)
        for seed in (0, 1)
        for arm in "ab"
    ]
    assert ids(runs) == ["a00.1", "b00.1"]
    assert ids(runs, "runs=b10.5,a10.5&step=3") == ["a10.5", "b10.5"]
    assert ids(runs, "runs=b10.5,a00.1") == []  # they have longer names there
    assert ids(runs, "runs=unknown") == ["a00.1", "b00.1"]


@pytest.mark.parametrize(
    "more",
    [
        {"status": "running"}, {"status": "failed"}, {"last_seq": -1}, {"lasting": 1}, {"thinned": 4},
        {"layers": [OUTPUT] * 251},
    ],
)  # fmt: skip
def test_runs_of_which_more_is_to_come_or_to_be_told_are_left_to_the_page(more: dict[str, Any]) -> None:
    assert ids([run("a"), run("b")]) == ["a", "b"]
    assert ids([run("a"), run("b", **more)]) == []


@pytest.mark.parametrize("view", ["mode=heat", "tab=landscape", "span=3-9", "scale=log", "layers=fc*", "arms=1"])
def test_another_view_is_left_to_the_page(view: str) -> None:
    assert ids([run("a"), run("b")], view) == []


def test_more_runs_than_fit_are_left_to_the_page() -> None:
    assert len(ids([run(letter) for letter in "abcd"])) == 4
    assert ids([run(letter) for letter in "abcde"]) == []
    assert ids([run("a", arm="one"), run("b", arm="one")]) == []  # they would look alike


def test_the_first_layer_is_one_that_takes_nothing_of_another() -> None:
    layers = [{"name": name, "type": "Linear", "kinds": ["output"]} for name in ("head", "act", "stem")]
    edges = [(2, 1), (1, 0), (0, 2)]
    found = first_layer([run("a", layers=layers, edges=edges[:2])])
    assert found is not None
    assert found["name"] == "stem"
    assert first_layer([run("a", layers=layers, edges=edges)]) is not None  # round in a circle
    assert first_layer([run("a", layers=[])]) is None
    assert first_layer([run("a", layers=[{**OUTPUT, "kinds": ["weight"]}])]) is None


def stream(server: Server, key: str, steps: int, series: str, layers: tuple[wire.Layer, ...]) -> str:
    """A finished run with one series; its experiment."""
    trainer = Trainer(server, key=f"a key for glimpses {key}", name=key, layers=layers)
    one: str = trainer.hear()["run"]
    for seq in range(steps):
        made = frame(seq, layers=len(layers))
        made.kinds[:] = wire.KINDS.index(layers[0].kinds[0])
        made.series = {series: wire.Series.of(1 / (1 + seq))}
        trainer.say(wire.encode(made))
    trainer.acknowledged(steps - 1)
    trainer.socket.send(wire.End("finished").dump())
    experiment: str = server.wait_status(one, "finished")["experiment"]
    return experiment


def pictured(server: Server, experiment: str) -> str:
    """The page of an experiment, once it has a picture: on a busy machine the first may go without."""

    def look() -> str | None:
        page = server.http.get(f"{server.url}/e/{experiment}").text
        return page if 'data-testid="glimpse"' in page else None

    found = wait_for(look, "the page to have its picture")
    assert found is not None
    return found


def test_there_is_a_chart_of_what_a_run_has_told_alone(shared_server: Server) -> None:
    layers = (wire.Layer("fc1", "Linear"),)
    for key, series, there, missing in (
        ("tells its loss", "loss", ["loss", "bands"], ["accuracy"]),
        ("tells its accuracy", "accuracy", ["accuracy", "bands"], ["loss"]),
        ("tells something else", "rate", ["bands"], ["loss", "accuracy"]),
    ):
        page = pictured(shared_server, stream(shared_server, key, 12, series, layers))
        picture = page.partition('data-testid="glimpse"')[2].partition("</main>")[0]
        assert all(f'data-testid="chart-{name}"' in picture for name in there)
        assert not any(f'data-testid="chart-{name}"' in picture for name in missing)
    layers = (wire.Layer("fc1", "Linear", ("weight",)),)
    page = pictured(shared_server, stream(shared_server, "watches weights", 12, "loss", layers))
    assert 'class="row"' not in page


def test_a_link_shows_a_picture_of_its_own_runs_alone(server: Server) -> None:
    runs = server.begin(steps=12, pace=0)["runs"]
    for one in runs:
        server.wait_status(one["id"], "finished")
    whole = pictured(server, runs[0]["experiment"])
    made = server.post("/api/links", {"experiment": runs[0]["experiment"], "view": "", "runs": [runs[1]["id"]]}).json()
    shared = server.http.get(server.url + made["url"]).text
    assert whole.count('data-testid="chart-bands"') == 2
    assert shared.count('data-testid="chart-bands"') == 1
    assert "none</span>" not in shared
