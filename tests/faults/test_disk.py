"""A disk that is full, read-only or damaged: one sentence, training goes on, and what is stored stays.

The disk is filled up by a limit on the size of files (setrlimit), which needs no rights and can be lifted while the
server runs; `make soak` fills a small disk of its own, where it may mount one.
"""

from __future__ import annotations

import resource
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from normscope import wire

from ..conftest import Server, serving, wait_for
from ..frames import Trainer, frame
from .database import check, copied, frames
from .processes import streams
from .starting import UNPRIVILEGED, start_in_vain

if TYPE_CHECKING:
    from .processes import Stream

CANNOT_WRITE = "ERROR normscope.store: cannot write to the database: "


def fill_up(server: Server) -> None:
    """From now on, no file of the server's may grow."""
    assert server.process is not None
    largest = max(file.stat().st_size for file in server.data.glob("normscope.db*"))
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))


def make_room(server: Server) -> None:
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def streaming(some: list[Stream], frames: int = 50) -> None:
    for one in some:
        wait_for(lambda one=one: one.acknowledged >= frames, f"{one.name} to be acknowledged")  # type: ignore[misc]


def test_a_full_disk_is_told_once_and_nothing_is_lost_when_there_is_room_again(server: Server, tmp_path: Path) -> None:
    with streams(server.url, tmp_path, 2) as some:
        streaming(some)
        fill_up(server)
        wait_for(lambda: CANNOT_WRITE in server.log, "the server to say so")
        put = [one.put for one in some]
        for one in some:
            wait_for(lambda one=one: "cannot write to the database" in one.log, "its user to be told")  # type: ignore[misc]
        wait_for(
            lambda: all(one.put > before + 100 for one, before in zip(some, put, strict=True)), "training to go on"
        )
        assert server.get("/api/experiments")["experiments"]  # what is there can be read
        refused = server.post("/api/experiments", {"claim": 1, "settings": {}})
        assert (refused.status_code, refused.json()["detail"][:29]) == (507, "cannot write to the database:")
        with copied(server.data) as database:
            check(database)
        make_room(server)
        for one in some:
            one.finish()
            assert one.log.count("\n") == 1
        with copied(server.data) as database:
            check(database)
            for one in some:
                assert frames(database, one.name) == [wire.encode(frame(seq)) for seq in range(one.put)]
    assert server.log.count(CANNOT_WRITE) == 1
    assert server.log.count("can write to the database again") == 1
    assert "Traceback" not in server.log


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a run of some hundred frames in it."""
    data = tmp_path_factory.mktemp("kept") / "data"
    with serving(data) as server:
        trainer = Trainer(server)
        trainer.hear()
        trainer.send(*range(300))
        trainer.acknowledged(299)
        trainer.close()
        server.stop()
    return data


@pytest.fixture
def data(kept: Path, tmp_path: Path) -> Path:
    """A copy of it, to be harmed."""
    return Path(shutil.copytree(kept, tmp_path / "data"))


def intact(data: Path) -> None:
    with copied(data) as database:
        check(database)
        assert frames(database, "my net") == [wire.encode(frame(seq)) for seq in range(300)]


@pytest.mark.parametrize("what", [".", "normscope.db"])
def test_what_may_not_be_written_to_is_refused_in_a_sentence(data: Path, what: str) -> None:
    modes = {path: path.stat().st_mode for path in (data / what, *data.iterdir())}
    for path in modes:
        path.chmod(path.stat().st_mode & ~0o222)
    said = start_in_vain(data, *UNPRIVILEGED)
    assert str(data) in said
    assert "Permission denied" in said or "readonly database" in said
    for path, mode in modes.items():
        path.chmod(mode)
    intact(data)


def test_a_database_that_is_damaged_is_told_once_and_training_goes_on(data: Path, tmp_path: Path) -> None:
    path = data / "normscope.db"
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT pageno FROM dbstat WHERE name = 'blocks' AND pagetype = 'leaf' ORDER BY pageno"
        leaves = [page for (page,) in database.execute(query)]
    with path.open("r+b") as file:
        for page in leaves:
            file.seek((page - 1) << 14)
            file.write(bytes(64))
    with serving(data) as server, streams(server.url, tmp_path, 1) as (one,):
        wait_for(lambda: "it is damaged" in one.log, "its user to be told")
        put = one.put
        wait_for(lambda: one.put > put + 100, "training to go on")
        run = server.get("/api/experiments")["experiments"][-1]["runs"][0]["id"]
        answer = server.http.get(f"{server.url}/api/runs/{run}/history")
        assert (answer.status_code, "it is damaged, restore a backup" in answer.json()["detail"]) == (507, True)
        server.kill()
        path.write_bytes(whole)  # the backup
        for log in data.glob("normscope.db-*"):
            log.unlink()
        server.start()
        one.finish()
        assert one.log.count("it is damaged") == 1
        with copied(data) as database:
            check(database)
            assert frames(database, one.name) == [wire.encode(frame(seq)) for seq in range(one.put)]
        assert "Traceback" not in server.log
