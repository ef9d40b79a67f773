"""The contract of the store, held against each adapter."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import zlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.store import (
    Alert,
    Block,
    Brief,
    ConflictError,
    Experiment,
    Lease,
    Link,
    Run,
    Store,
    StoreError,
    Token,
    open_store,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    Scenario = Callable[[Store], Coroutine[None, None, None]]


@pytest.fixture
def url(store_url: str) -> str:
    return store_url


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = await open_store(url)
    try:
        yield store
    finally:
        await store.close()


def play(url: str, scenario: Scenario) -> None:
    async def main() -> None:
        async with opened(url) as store:
            await scenario(store)

    asyncio.run(main())


EXPERIMENT = Experiment("exp", "An experiment", 1.0, 1, {"steps": 3, "rate": 0.5})
RUN = Run(
    "run", "exp", "batch", "hash", 2.0, arm="batch", seed=7, spec={"arm": "batch", "rate": 0.5, "varied": ["rate"]},
    layers=[{"name": "fc1"}], outcome={"loss": 0.25, "steps": None}, pace=4.0,
)  # fmt: skip


def block(i: int, level: int = 0) -> Block:
    return Block(level, i, i, i, f"data {level} {i}".encode())


def test_records_come_back_as_they_went(url: str) -> None:
    link = Link("link", "secret", "exp", "tab=landscape", 3.0)
    narrow = Link("narrow", "other", "exp", "", 4.0, runs=["run"], expires=9.5, password="aa:bb")
    token = Token("token", "third", "sender", "the cluster", 5.0)
    alert = Alert("alert", "run", 4.0, "dead", "dead: …", 22, 3, [["fc1", "output", None]], 2)

    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, RUN, link, narrow, token)
        await store.add(alert)
        assert await store.find(Alert, run="run") == [alert]
        assert await store.get(Token, "token") == token
        assert await store.get(Link, "narrow") == narrow
        assert await store.get(Experiment, "exp") == EXPERIMENT
        assert await store.get(Run, "run") == RUN
        assert await store.get(Link, "link") == link
        (brief,) = await store.find(Brief, experiment="exp")
        assert asdict(brief) == {name: value for name, value in asdict(RUN).items() if hasattr(brief, name)}
        assert await store.get(Run, "nobody") is None

    play(url, scenario)


def test_what_is_kept_outlives_the_process(url: str) -> None:
    async def first(store: Store) -> None:
        await store.add(EXPERIMENT, RUN)
        await store.append("run", [block(0)], last_seq=0, last_step=0, seen=5.0)

    async def second(store: Store) -> None:
        assert await store.blocks("run", 0, 0, 9) == [b"data 0 0"]
        run = await store.get(Run, "run")
        assert run is not None
        assert (run.last_seq, run.last_step, run.seen) == (0, 0, 5.0)

    play(url, first)
    play(url, second)


def test_finds_by_value_and_by_list_oldest_first(url: str) -> None:
    runs = [Run(f"r{i}", "exp", "n", f"h{i}", 10.0 - i, status="running" if i % 2 else "failed") for i in range(4)]

    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, *runs)
        assert [r.id for r in await store.find(Run)] == ["r3", "r2", "r1", "r0"]
        assert [r.id for r in await store.find(Run, status="running")] == ["r3", "r1"]
        assert [r.id for r in await store.find(Run, 1, status="running")] == ["r3"]
        assert [r.id for r in await store.find(Run, id=["r0", "r2", "x"])] == ["r2", "r0"]
        assert [r.id for r in await store.find(Run, status=("running", "failed"), experiment="exp", id="r1")] == ["r1"]
        assert await store.find(Run, error=None, id=[]) == []

    play(url, scenario)


def test_adding_is_all_or_nothing(url: str) -> None:
    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT)
        with pytest.raises(ConflictError, match=r"UNIQUE|unique"):
            await store.add(Run("fresh", "exp", "n", "h", 1.0), EXPERIMENT)
        assert await store.find(Run) == []

    play(url, scenario)


def test_change_gives_the_record_as_it_is_then(url: str) -> None:
    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, RUN)
        changed = await store.change(Run, "run", status="paused", paused=True, error=None)
        assert changed is not None
        assert (changed.status, changed.paused, changed.seed) == ("paused", True, 7)
        assert await store.change(Run, "nobody", status="paused") is None
        assert await store.change(Run, "run", {"status": "waiting"}, status="starting") is None
        assert await store.get(Run, "run") == changed
        changed = await store.change(Run, "run", {"status": "paused", "error": None}, status="running")
        assert changed is not None
        assert changed.status == "running"

    play(url, scenario)


def test_a_block_that_is_there_already_stays_as_it_is(url: str) -> None:
    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, RUN)
        await store.append("run", [block(0), block(1)], last_seq=1, last_step=1, seen=1.0)
        await store.append("run", [Block(0, 1, 1, 1, b"again"), block(2)], last_seq=2, last_step=2, seen=2.0)
        assert await store.blocks("run", 0, 0, 9) == [b"data 0 0", b"data 0 1", b"data 0 2"]

    play(url, scenario)


def test_blocks_are_found_by_level_and_range(url: str) -> None:
    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, RUN)
        mine = [block(i) for i in range(8)] + [block(i, 1) for i in range(2)]
        await store.append("run", mine, last_seq=7, last_step=7, seen=1.0)
        assert await store.blocks("run", 0, 2, 4) == [b"data 0 2", b"data 0 3", b"data 0 4"]
        assert await store.blocks("run", 1, 0, 9) == [b"data 1 0", b"data 1 1"]
        assert await store.blocks("run", 2, 0, 9) == []
        assert [len(await store.blocks("run", 0, 0, 9, most)) for most in (0, 8, 9999)] == [1, 1, 8]
        some = await store.blocks("run", 0, 0, 9, 60)
        assert 1 < len(some) < 8
        assert some == [block(i).data for i in range(len(some))]
        large = Block(2, 0, 0, 0, bytes(1 << 20))  # and next to none as it is stored
        await store.append("run", [large, Block(2, 1, 0, 0, large.data)], last_seq=7, last_step=7, seen=1.0)
        assert await store.blocks("run", 2, 0, 1, 1000) == [large.data]
        assert len(await store.blocks("run", 2, 0, 1, 3 << 20)) == 2

    play(url, scenario)


def test_one_bad_operation_does_not_take_its_neighbours_along(url: str) -> None:
    """They are committed together, yet fail apart."""

    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT)
        works = [store.add(Run(f"r{i % 3}", "exp", "n", f"h{i}", 1.0)) for i in range(6)]
        results = await asyncio.gather(*works, return_exceptions=True)
        assert [isinstance(r, Exception) for r in results] == [False] * 3 + [True] * 3
        assert len(await store.find(Run)) == 3

    play(url, scenario)


def test_how_far_a_run_has_come_never_goes_back(url: str) -> None:
    """Two servers may hold sockets of one run for a moment, and commit the same frames."""

    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, RUN)
        await store.append("run", [block(i) for i in range(4)], last_seq=3, last_step=3, seen=2.0)
        await store.append("run", [block(0), block(1)], last_seq=1, last_step=1, seen=1.0)
        run = await store.get(Run, "run")
        assert run is not None
        assert (run.last_seq, run.last_step, run.seen) == (3, 3, 2.0)
        assert await store.blocks("run", 0, 0, 9) == [block(i).data for i in range(4)]

    play(url, scenario)


def test_blocks_that_a_coarser_one_stands_for_are_removed(url: str) -> None:
    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, RUN, Run("other", "exp", "n", "h", 3.0))
        mine = [*(block(i) for i in range(23)), *(block(i, 1) for i in range(5)), block(0, 2)]
        for run in ("run", "other"):
            await store.append(run, mine, last_seq=22, last_step=22, seen=1.0)
        await store.remove("exp", finer_than=1)
        for run in ("run", "other"):
            assert await store.blocks(run, 0, 0, 99) == [block(i).data for i in (20, 21, 22)]
            assert len(await store.blocks(run, 1, 0, 99)) == 5
        await store.remove("exp", finer_than=2)
        assert await store.blocks("run", 1, 0, 99) == [block(4, 1).data]
        assert len(await store.find(Run)) == 2

    play(url, scenario)


def test_numbers_are_as_large_as_the_protocol_lets_them_be(url: str) -> None:
    most = 2**32 - 1

    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, replace(RUN, steps=most))
        await store.append("run", [Block(0, most, most, most, b"last")], last_seq=most, last_step=most, seen=1.0)
        assert await store.blocks("run", 0, most, most) == [b"last"]
        run = await store.get(Run, "run")
        assert run is not None
        assert (run.steps, run.last_seq, run.last_step) == (most, most, most)

    play(url, scenario)


def test_a_lease_is_taken_once(url: str) -> None:
    async def scenario(store: Store) -> None:
        await store.add(Lease("test", 1.0, "one"))
        taken = [store.change(Lease, "test", {"holder": "one", "beat": 0}, holder=f"s{i}", beat=1) for i in range(5)]
        won = [lease for lease in await asyncio.gather(*taken) if lease is not None]
        assert len(won) == 1
        assert await store.find(Lease, id="test") == won

    play(url, scenario)


def test_text_is_kept_whatever_people_send(url: str) -> None:
    async def scenario(store: Store) -> None:
        await store.add(replace(EXPERIMENT, name="naïve \U0001f9e0", notes="a\0b"))
        (found,) = await store.find(Experiment)
        assert found.name == "naïve \U0001f9e0"
        assert found.notes in ("a\0b", "a\ufffdb")  # PostgreSQL has no place for a zero
        assert await store.get(Run, "\0") is None

    play(url, scenario)


def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/n.db"
    play(url, lambda store: store.add(EXPERIMENT))
    with contextlib.closing(sqlite3.connect(tmp_path / "n.db")) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
        db.commit()
    with pytest.raises(StoreError, match=r"schema 9999, newer than this program's"):
        asyncio.run(open_store(url))
    with contextlib.closing(sqlite3.connect(tmp_path / "n.db")) as db:
        assert db.execute("SELECT name FROM experiments").fetchall() == [("An experiment",)]


def test_a_file_that_is_no_database_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "n.db").write_bytes(b"not a database, certainly" * 100)
    with pytest.raises(StoreError, match="cannot open the database"):
        asyncio.run(open_store(f"sqlite:///{tmp_path}/n.db"))


def test_an_unknown_url_names_the_choices() -> None:
    with pytest.raises(ValueError, match=r"unknown store 'mysql'; it must begin with sqlite:/// or postgresql://"):
        asyncio.run(open_store("mysql://x"))


def test_the_migrations_make_the_tables_the_code_uses(url: str) -> None:
    import sqlalchemy as sa
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from app.store.tables import metadata

    def ours(_: object, name: str | None, *__: object) -> bool:  # parts of a table are no tables of their own
        return name is None or not name.startswith("blocks_")

    play(url, lambda store: store.add(EXPERIMENT))
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False, "include_object": ours})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_database_of_the_first_schema_is_upgraded_with_what_is_in_it(tmp_path: Path) -> None:
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config

    import app.store

    engine = sa.create_engine(f"sqlite:///{tmp_path}/n.db")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(app.store.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with contextlib.closing(sqlite3.connect(tmp_path / "n.db")) as db:
        db.execute("INSERT INTO experiments VALUES ('exp', 'An experiment', 1.0, 1, '{\"steps\": 3, \"rate\": 0.5}')")
        db.execute(
            "INSERT INTO runs VALUES ('old', 'exp', 'batch', 'older', 2.0, 'batch', 7, 'finished', NULL, 3.0, 4.0, 5.0,"
            """ 3, '[{"name": "fc1"}]', '{"torch": "2"}', 0, NULL, 0, 2, '12:3.0', 0, 0)"""
        )
        db.execute("INSERT INTO links VALUES ('shared', 'secret', 'exp', 'tab=landscape', 6.0, NULL, NULL)")
        db.execute("INSERT INTO blocks VALUES ('old', 0, 0, 0, 0, ?)", (zlib.compress(b"data 0 0"),))
        db.commit()

    async def scenario(store: Store) -> None:
        assert await store.find(Experiment) == [EXPERIMENT]
        old = Run(
            "old", "exp", "batch", "older", 2.0, "batch", 7, {}, "finished", None, 3.0, 4.0, 5.0, 3, [{"name": "fc1"}],
            [], 1, {"torch": "2"}, {}, False, None, False, 2, "12:3.0", 0, 0,
        )  # fmt: skip
        assert await store.find(Run) == [old]
        assert await store.blocks("old", 0, 0, 0) == [b"data 0 0"]
        assert await store.find(Link) == [Link("shared", "secret", "exp", "tab=landscape", 6.0)]  # for all its runs
        await store.add(RUN)
        assert await store.get(Run, "run") == RUN

    play(f"sqlite:///{tmp_path}/n.db", scenario)


def test_an_experiment_is_removed_with_all_that_is_its_own(url: str) -> None:
    other = Experiment("other", "Another", 5.0, None, {}, ["kept"], "stays", 6.0)
    runs = [Run(f"r{i}", "exp", "n", f"h{i}", 1.0 + i) for i in range(2)]

    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, *runs, Link("link", "secret", "exp", "", 3.0))
        await store.add(*(Alert(f"a {run.id}", run.id, 4.0, "dead", "dead", 1, 1) for run in runs))
        await store.add(other, Run("stays", "other", "n", "h", 1.0), Link("l2", "s2", "other", "", 3.0))
        for run in ("r0", "r1", "stays"):
            many = [block(i) for i in range(2500)]  # more than one transaction takes
            await store.append(run, many, last_seq=2499, last_step=2499, seen=1.0)
        await store.remove("exp")
        assert await store.find(Experiment) == [other]
        assert [run.id for run in await store.find(Run)] == ["stays"]
        assert [link.id for link in await store.find(Link)] == ["l2"]
        assert await store.find(Alert) == []
        assert [len(await store.blocks(run, 0, 0, 9999)) for run in ("r0", "r1", "stays")] == [0, 0, 2500]
        await store.remove("exp")

    play(url, scenario)


def test_a_full_disk_is_a_sentence_and_harms_nothing(tmp_path: Path) -> None:
    """A real limit: the database may not grow past the pages it has."""

    async def scenario(store: Store) -> None:
        await store.add(EXPERIMENT, RUN)
        await store.append("run", [block(0)], last_seq=0, last_step=0, seen=1.0)
        big = [Block(0, i, i, i, os.urandom(1 << 20)) for i in range(1, 40)]
        with pytest.raises(StoreError, match=r"cannot write to the database: .*full"):
            await store.append("run", big, last_seq=39, last_step=39, seen=2.0)
        assert await store.blocks("run", 0, 0, 99) == [b"data 0 0"]
        run = await store.get(Run, "run")
        assert run is not None
        assert run.last_seq == 0

    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count=2000")

    event.listen(Engine, "connect", limit)
    try:
        play(f"sqlite:///{tmp_path}/n.db", scenario)
    finally:
        event.remove(Engine, "connect", limit)
