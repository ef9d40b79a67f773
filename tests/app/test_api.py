"""The HTTP interface against a real server with real trainers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ..frames import Trainer, split

if TYPE_CHECKING:
    import httpx

    from ..conftest import Server


def detail(answer: httpx.Response) -> str:
    found: dict[str, Any] = answer.json()
    assert set(found) == {"detail"}
    assert isinstance(found["detail"], str)
    return found["detail"]


BAD_EXPERIMENTS: dict[str, tuple[Any, str]] = {
    "unknown claim": ({"claim": 99}, "unknown claim 99; there are 1"),
    "claim of the wrong type": ({"claim": "one"}, "claim: Input should be a valid integer"),
    "no claim": ({}, "claim: Field required"),
    "not an object": ([1], "body: "),
    "negative steps": ({"claim": 1, "settings": {"steps": -1}}, "steps: -1 is not between 1 and"),
    "steps of the wrong type": ({"claim": 1, "settings": {"steps": "many"}}, "steps: 'many' is not a number"),
    "half a step": ({"claim": 1, "settings": {"steps": 1.5}}, "steps: 1.5 is not a whole number"),
    "true": ({"claim": 1, "settings": {"steps": True}}, "steps: True is not a number"),
    "unknown setting": ({"claim": 1, "settings": {"speed": 9}}, "unknown setting 'speed'; there are steps,"),
    "unknown choice": ({"claim": 1, "settings": {"activation": "wave"}}, "'wave' is not one of sigmoid, tanh, relu"),
    "unknown arm": ({"claim": 1, "arms": ["strong"]}, "unknown arm 'strong'; there are none, mean only"),
    "no arm": ({"claim": 1, "arms": []}, "choose at least one"),
    "an arm twice": ({"claim": 1, "arms": ["none", "none"]}, "each once"),
    "unknown field": ({"claim": 1, "colour": "red"}, "colour: Extra inputs are not permitted"),
    "empty name": ({"claim": 1, "name": ""}, "name: "),
}


@pytest.mark.parametrize("case", sorted(BAD_EXPERIMENTS))
def test_a_bad_experiment_is_refused_in_a_sentence(shared_server: Server, case: str) -> None:
    body, sentence = BAD_EXPERIMENTS[case]
    answer = shared_server.post("/api/experiments", body)
    assert answer.status_code == 422
    assert sentence in detail(answer)
    assert shared_server.get("/api/experiments")["experiments"] == []
    assert "Traceback" not in shared_server.log


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/api/experiments/nobody", 404, "there is no experiment 'nobody'"),
        ("GET", "/api/runs/nobody", 404, "there is no run 'nobody'"),
        ("POST", "/api/runs/nobody/stop", 404, "there is no run 'nobody'"),
        ("GET", "/api/runs/nobody/history", 404, "there is no run 'nobody'"),
        ("DELETE", "/api/links/nobody", 404, "there is no link 'nobody'"),
        ("GET", "/s/nobody", 404, "this link is unknown, has expired or has been revoked"),
        ("GET", "/api/experiments?link=nobody", 403, "this link is unknown, has expired or has been revoked"),
        ("GET", "/e/nobody", 404, "there is no experiment 'nobody'"),
        ("GET", "/nowhere", 404, "Not Found"),
        ("DELETE", "/api/experiments", 405, "Method Not Allowed"),
    ],
)
def test_what_is_not_there(shared_server: Server, method: str, path: str, status: int, sentence: str) -> None:
    answer = shared_server.http.request(method, f"{shared_server.url}{path}")
    assert (answer.status_code, detail(answer)) == (status, sentence)


def test_a_body_that_is_too_large_or_no_json_is_refused(shared_server: Server) -> None:
    url = f"{shared_server.url}/api/experiments"
    assert detail(shared_server.http.post(url, content=b"x" * (10 << 20))) == "the body is larger than 1048576 bytes"

    def drip() -> Any:
        for _ in range(40):
            yield b"x" * (1 << 16)

    answer = shared_server.http.post(url, content=drip())  # says no length
    assert (answer.status_code, detail(answer)) == (413, "the body is larger than 1048576 bytes")
    answer = shared_server.http.post(url, content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "JSON" in detail(answer)
    assert "Traceback" not in shared_server.log


def test_only_its_own_name_and_its_own_pages_are_served(shared_server: Server) -> None:
    url = f"{shared_server.url}/api/experiments"
    assert shared_server.http.get(url, headers={"host": "evil.example"}).status_code == 421
    assert shared_server.http.post(url, json={"claim": 1}, headers={"origin": "http://evil.example"}).status_code == 403
    assert shared_server.http.get(url, headers={"origin": shared_server.url}).status_code == 200


def test_what_came_through_an_unknown_proxy_is_not_from_this_machine(shared_server: Server) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        answer = shared_server.http.get(f"{shared_server.url}/api/experiments", headers={name: "127.0.0.1"})
        assert answer.status_code == 403
        assert "name it with --forwarded-allow-ips" in detail(answer)


def test_history_at_every_zoom(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="zoom 12345678901234")
    run = trainer.hear()["run"]
    trainer.send(*range(150))
    trainer.acknowledged(149)
    url = f"{shared_server.url}/api/runs/{run}/history"

    def frames(**params: Any) -> list[tuple[int, int, int]]:
        answer = shared_server.http.get(url, params=params)
        assert answer.status_code == 200, answer.text
        return [(f.level, f.first_step, f.last_step) for f in split(answer.content)]

    assert frames() == [(0, i, i) for i in range(150)]
    for points in (1, 7, 40, 149, 150):
        found = frames(points=points)
        covered = [step for _, first, last in found for step in range(first, last + 1)]
        assert covered == list(range(150)), points
        assert len(found) <= points + 3 * 4
    assert frames(first_step=20, last_step=29) == [(0, i, i) for i in range(20, 30)]
    assert frames(first_step=140) == [(0, i, i) for i in range(140, 150)]
    assert frames(first_step=900) == []
    only = split(shared_server.http.get(url, params={"layers": "1", "points": 10}).content)
    assert {tuple(f.layers) for f in only} == {(1,)}
    merged = split(shared_server.http.get(url, params={"first_step": 0, "last_step": 63, "points": 1}).content)
    assert [(f.level, f.frames, int(f.counters[0, 0]), int(f.histogram(0).sum())) for f in merged] == [
        (3, 64, 6400, 6400)
    ]
    assert shared_server.http.get(url, params={"points": 0}).status_code == 422
    assert shared_server.http.get(url, params={"layers": "one"}).status_code == 422
    assert shared_server.http.get(url, params={"first_step": -1}).status_code == 422
    plain = shared_server.http.get(url, params={"format": "json", "last_step": 3}).json()["frames"]
    assert [f["first_step"] for f in plain] == [0, 1, 2, 3]
    assert plain[2]["layers"][0]["mean"] == 2.0
    assert plain[2]["layers"][0]["percentiles"]["50"] == pytest.approx(2.0, abs=0.4)
    trainer.close()


def test_frames_are_not_packed_once_more(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="a key of packed ones")
    run = trainer.hear()["run"]
    trainer.send(*range(40))
    trainer.acknowledged(39)
    url, browser = f"{shared_server.url}/api/runs/{run}/history", {"Accept-Encoding": "gzip"}
    frames = shared_server.http.get(url, headers=browser)
    assert len(frames.content) > 2000
    assert "content-encoding" not in frames.headers
    words = shared_server.http.get(url, headers=browser, params={"format": "json"})
    assert words.headers["content-encoding"] == "gzip"


def test_history_when_only_some_steps_were_captured(shared_server: Server) -> None:
    from normscope import wire

    from ..frames import frame

    trainer = Trainer(shared_server, key="sparse 12345678901")
    run = trainer.hear()["run"]
    for seq in range(20):
        trainer.say(wire.encode(frame(seq, step=5 * seq)))
    trainer.acknowledged(19)
    answer = shared_server.http.get(
        f"{shared_server.url}/api/runs/{run}/history", params={"first_step": 11, "last_step": 40, "points": 100}
    )
    assert [f.first_step for f in split(answer.content)] == [15, 20, 25, 30, 35, 40]
    trainer.close()


def test_history_where_steps_came_in_several_frames_and_others_in_none(shared_server: Server) -> None:
    from normscope import wire

    from ..frames import frame

    steps = [0, 1, 2, 2, 2, 5, 6, 6, 8, 9]  # as many frames as if each step had come in one
    trainer = Trainer(shared_server, key="several 1234567890")
    run = trainer.hear()["run"]
    trainer.say(*(wire.encode(frame(seq, step)) for seq, step in enumerate(steps)))
    trainer.acknowledged(9)
    url = f"{shared_server.url}/api/runs/{run}/history"
    for first in range(12):
        for last in range(first, 12):
            answer = shared_server.http.get(url, params={"first_step": first, "last_step": last})
            assert [f.first_step for f in split(answer.content)] == [step for step in steps if first <= step <= last]
    trainer.close()


def test_a_link_reads_one_experiment_and_changes_nothing(shared_server: Server) -> None:
    mine, other = Trainer(shared_server, key="linked 1234567890"), Trainer(shared_server, key="unlinked 1234567890")
    run, foreign = mine.hear()["run"], other.hear()["run"]
    experiment, hidden = shared_server.run(run)["experiment"], shared_server.run(foreign)["experiment"]
    link = shared_server.post("/api/links", {"experiment": experiment, "view": "tab=landscape&step=3"}).json()
    token = link["url"].removeprefix("/s/")
    assert len(token) * 6 >= 128
    assert token.encode() not in (shared_server.data / "normscope.db").read_bytes()

    def status(method: str, path: str, body: Any = None) -> int:
        separator = "&" if "?" in path else "?"
        return shared_server.http.request(
            method, f"{shared_server.url}{path}{separator}link={token}", json=body
        ).status_code

    assert status("GET", f"/api/experiments/{experiment}") == 200
    assert status("GET", f"/api/runs/{run}") == 200
    assert status("GET", f"/api/runs/{run}/history") == 200
    assert status("GET", f"/api/experiments/{hidden}") == 404
    assert status("GET", f"/api/runs/{foreign}/history") == 404
    assert status("GET", "/api/experiments") == 403
    assert status("GET", f"/api/links?experiment={experiment}") == 403
    assert status("GET", "/metrics") == 403
    assert status("POST", "/api/experiments", {"claim": 1}) == 403
    assert status("POST", "/api/links", {"experiment": experiment}) == 403
    assert status("DELETE", f"/api/links/{link['id']}") == 403
    for action in ("pause", "resume", "step", "stop"):
        assert status("POST", f"/api/runs/{run}/{action}") == 403
    assert status("POST", f"/api/runs/{run}/pace", {"steps_per_second": 1}) == 403
    opened = shared_server.http.get(f"{shared_server.url}/s/{token}")
    assert (opened.status_code, opened.headers["location"]) == (307, f"/s/{token}?tab=landscape&step=3")
    assert shared_server.http.get(f"{shared_server.url}/s/{token}", follow_redirects=True).status_code == 200
    (listed,) = shared_server.get("/api/links", experiment=experiment)["links"]
    assert listed["url"] is None
    assert listed["last_used"] is not None
    assert shared_server.http.delete(f"{shared_server.url}/api/links/{link['id']}").status_code == 200
    assert shared_server.http.get(f"{shared_server.url}/s/{token}").status_code == 404
    assert status("GET", f"/api/runs/{run}") == 403
    assert shared_server.get("/api/links", experiment=experiment)["links"] == []
    mine.close()
    other.close()


def test_the_interface_describes_itself(shared_server: Server) -> None:
    paths = shared_server.get("/openapi.json")["paths"]
    for path in ("/api/catalogue", "/api/experiments", "/api/experiments/{id}", "/api/runs/{id}", "/api/links",
                 "/api/runs/{id}/history", "/api/runs/{id}/{action}", "/healthz", "/metrics"):  # fmt: skip
        assert path in paths
    claim, *_ = shared_server.get("/api/catalogue")["claims"]
    assert [arm["name"] for arm in claim["arms"]] == [
        "none", "mean only", "variance only", "batch", "synchronized batch",
    ]  # fmt: skip
    assert all(setting["sentence"].endswith(".") for setting in claim["settings"])
    json.dumps(paths)


def test_metrics_count(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="metrics 1234567890")
    trainer.hear()

    def committed() -> float:
        text = shared_server.http.get(f"{shared_server.url}/metrics").text
        (line,) = [x for x in text.splitlines() if x.startswith("normscope_committed_total ")]
        return float(line.split()[1])

    before = committed()
    trainer.send(0, 1, 2)
    trainer.acknowledged(2)
    assert committed() == before + 3
    trainer.close()
