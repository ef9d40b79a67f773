"""Databases of earlier versions, with what was in them: made by those versions, and kept in `old/`.

Each has experiment 1 with its two runs of 20 steps, and a run of someone's own that had come to 21 frames of
`tests.frames` when its database was put aside; a link leads to it. Beside the later ones lies what their servers
answered: about alerts, findings, links, tags, notes, tokens.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from normscope import wire

from ..conftest import HOUSE, Server, serving
from ..frames import Trainer, frame, split
from .database import check, copied, frames
from .starting import start_in_vain

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = Path(__file__).parent / "old"
MIGRATIONS = HOUSE / "app" / "store" / "migrations" / "versions"
LINKS = {
    "0001": "9N6wnDi1U3TEHNByiJ4IuhjPzmFNp9ra",
    "0004": "hMNjwLa7UGG8Dvt_BTIcr8FCXVglob_T",
    "0007": "Yw-d_F4bn7uD8BACCAVyXYBeHcFL-Azs",
    "0009": "AL7D0_j4-RTrwewbOiDCtiR5t06IO9Ek",
}


NEWEST = max(path.stem[:4] for path in MIGRATIONS.glob("0*.py"))


def unpack(schema: str, data: Path) -> Path:
    """A data folder with the database of a schema."""
    data.mkdir()
    with gzip.open(OLD / f"schema-{schema}.db.gz") as packed, (data / "normscope.db").open("wb") as file:
        shutil.copyfileobj(packed, file)
    return data


@pytest.fixture(scope="module", params=sorted(LINKS))
def schema(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture(scope="module")
def upgraded(schema: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of today on a database of then."""
    with serving(unpack(schema, tmp_path_factory.mktemp("old") / "data")) as server:
        yield server


def test_what_an_earlier_version_answered_is_answered_still(upgraded: Server, schema: str) -> None:
    file = OLD / f"schema-{schema}.json"
    answers = json.loads(file.read_text("utf-8")) if file.exists() else {}
    assert bool(answers) == (schema > "0004")
    for path, then in answers.items():
        assert within(then, upgraded.http.get(f"{upgraded.url}{path}").json()) == then, path


def within(then: Any, now: Any) -> Any:
    """Of an answer of today what there was of it then: later versions say more."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {key: within(value, now.get(key)) for key, value in then.items()}
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [within(*pair) for pair in zip(then, now, strict=True)]
    return now


def test_what_an_earlier_version_kept_is_all_there_and_goes_on(upgraded: Server, schema: str, tmp_path: Path) -> None:
    with copied(unpack(schema, tmp_path / "before")) as database:
        before = {name: frames(database, name) for name in ("none", "batch", "stream 0")}
    experiments = upgraded.get("/api/experiments")["experiments"]
    runs = {run["name"]: run["id"] for experiment in experiments for run in experiment["runs"]}
    assert {name: len(found) for name, found in before.items()} == {"none": 20, "batch": 20, "stream 0": 21}
    for name, run in runs.items():
        answer = upgraded.http.get(f"{upgraded.url}/api/runs/{run}/history", params={"points": 10_000})
        assert [wire.encode(one) for one in split(answer.content)] == before[name]
    assert before["stream 0"] == [wire.encode(frame(seq)) for seq in range(21)]
    assert {upgraded.run(runs[name])["status"] for name in ("none", "batch")} == {"finished"}
    linked = upgraded.http.get(f"{upgraded.url}/s/{LINKS[schema]}", follow_redirects=True)
    assert (linked.status_code, "stream 0" in linked.text) == (200, True)
    trainer = Trainer(upgraded, key="the key of stream 0")
    welcome = trainer.hear()
    assert (welcome["run"], welcome["last"]) == (runs["stream 0"], 20)
    trainer.send(*range(21, 70))
    trainer.acknowledged(69)
    trainer.close()
    with copied(upgraded.data) as database:
        check(database)
    assert "Traceback" not in upgraded.log


@pytest.mark.parametrize("schema", sorted(LINKS.keys() - {NEWEST}))
def test_an_upgrade_without_room_is_a_sentence_and_leaves_the_database_as_it_was(schema: str, tmp_path: Path) -> None:
    data = unpack(schema, tmp_path / "data")
    said = start_in_vain(data, "prlimit", "--fsize=16384")
    assert "cannot open the database" in said
    with copied(data) as database:
        check(database)
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [(schema,)]
