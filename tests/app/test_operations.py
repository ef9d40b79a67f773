"""What those who run servers rely on: health, readiness, metrics and logs."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.runs.lookout import LOOK

from ..conftest import HOUSE, Server, wait_for
from ..frames import Trainer
from ..services import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..services import Postgres


@pytest.fixture(scope="module")
def bus() -> Iterator[Valkey]:
    one = Valkey()
    one.start()
    yield one
    one.kill()


@pytest.fixture(scope="module")
def server(postgres: Postgres, bus: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    flags = ("--store", postgres.fresh(), "--bus", bus.url, "--log-format", "json")
    one = Server(tmp_path_factory.mktemp("operations") / "data", flags=flags)
    one.start()
    yield one
    one.close()


def families(server: Server) -> dict[str, dict[str, float]]:
    """Sums over all labels of what /metrics tells, by family and sample."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(server.http.get(f"{server.url}/metrics").text):
        samples = found.setdefault(family.name, {})
        for sample in family.samples:
            samples[sample.name] = samples.get(sample.name, 0) + sample.value
    return found


def test_metrics_tell_of_ingest_lag_and_requests(server: Server) -> None:
    trainer = Trainer(server)
    run = trainer.hear()["run"]
    trainer.send(*range(10))
    trainer.acknowledged(9)
    server.get(f"/api/runs/{run}/history", format="json")
    wait_for(lambda: families(server)["normscope_lag_seconds"]["normscope_lag_seconds_count"] >= 1, "the lag")
    found = families(server)
    assert found["normscope_committed"]["normscope_committed_total"] == 10
    assert found["normscope_trainers"]["normscope_trainers"] == 1
    assert found["normscope_commit_seconds"]["normscope_commit_seconds_count"] >= 1
    wait_for(lambda: families(server)["normscope_on_duty"]["normscope_on_duty"] == 1, "the server to be on duty")
    text = server.http.get(f"{server.url}/metrics").text
    assert re.search(
        r'normscope_request_seconds_count\{method="GET",route="/api/runs/\{id\}/history",status="200"\} 1', text
    )
    trainer.close()
    wait_for(lambda: families(server)["normscope_trainers"]["normscope_trainers"] == 0, "the trainer to leave")


def test_the_board_and_the_alerts_ask_for_what_there_is(server: Server) -> None:
    there = {sample for samples in families(server).values() for sample in samples}
    for name in ("grafana.json", "alerts.yml"):
        text = (HOUSE / "deploy" / name).read_text()
        asked = set(re.findall(r"normscope_[a-z_]+", text))
        assert asked
        assert asked - there == set(), name
    assert len(json.loads((HOUSE / "deploy" / "grafana.json").read_text())["panels"]) >= 8


def test_a_server_is_ready_while_store_and_bus_can_be_reached(server: Server, bus: Valkey) -> None:
    def ready() -> tuple[int, str]:
        answer = server.http.get(f"{server.url}/readyz")
        return answer.status_code, answer.text

    wait_for(lambda: ready() == (200, "ok"), "the server to be ready")
    bus.kill()
    wait_for(lambda: ready()[0] == 503, "the server to miss its bus")
    assert ready()[1].startswith("the bus: ")
    assert server.http.get(f"{server.url}/healthz").text == "ok"
    bus.start()
    wait_for(lambda: ready() == (200, "ok"), "the server to find its bus again")


def test_log_lines_are_json_with_the_request_and_the_run(server: Server) -> None:
    answer = server.http.get(f"{server.url}/api/runs/nobody", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    made = server.http.get(f"{server.url}/healthz", headers={"X-Request-ID": "bad id"}).headers["x-request-id"]
    assert re.fullmatch(r"\w{8}", made)
    trainer = Trainer(server, key="logged 1234567890")
    run = trainer.hear()["run"]
    trainer.say(b"nonsense")

    def of_run() -> list[dict[str, str]]:
        lines = [json.loads(line) for line in server.log.splitlines() if not line.startswith("Normscope is at")]
        return [line for line in lines if line.get("run") == run]

    lines = wait_for(of_run, "a line about the run")
    assert lines[0]["logger"] == "normscope.ingest"
    assert lines[0]["request"]
    assert "malformed" in lines[0]["message"]


def test_a_database_that_is_away_is_told_and_found_again(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.fresh()
    one = Server(tmp_path / "data", flags=("--store", url))
    one.start()
    name = url.split("/")[3].partition("?")[0]
    postgres.allow(name, False)
    wait_for(lambda: one.http.get(f"{one.url}/readyz").status_code == 503, "the server to miss its store")
    assert one.http.get(f"{one.url}/api/experiments").status_code == 507
    time.sleep(1.5 * LOOK)  # the queue, too, has looked by now
    postgres.allow(name, True)
    wait_for(lambda: one.http.get(f"{one.url}/readyz").text == "ok", "the server to find its store again")
    assert one.get("/api/experiments") == {"experiments": []}
    (run, *_) = one.begin(steps=5, pace=0)["runs"]
    one.wait_status(run["id"], "finished")
    assert "has failed" not in one.log  # none of the server's works has ended over it
    one.close()
