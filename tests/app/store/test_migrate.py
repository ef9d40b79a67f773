"""A shared database is brought to this version by command, once, and a server says when that is due."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from app.store import StoreError, migrate_store, open_store, prepare_store
from app.store.schema import KNOWN

from ...conftest import HOUSE

if TYPE_CHECKING:
    from pathlib import Path

    from ...services import Postgres


def normscope(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "normscope", *arguments]
    return subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False, timeout=60)


def test_a_server_that_finds_no_tables_says_what_to_run(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.empty()
    done = normscope("serve", "--store", url, "--port", "0", "--data", str(tmp_path), "--no-browser")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"is empty; bring it to schema {KNOWN[-1]} with: normscope migrate" in done.stderr
    made = normscope("migrate", "--store", url)
    assert (made.returncode, made.stdout) == (0, f"The database is made, of schema {KNOWN[-1]}.\n")
    prepare_store(url)


def test_an_older_database_is_refused_until_it_is_migrated(postgres: Postgres) -> None:
    url = postgres.fresh()
    with psycopg.connect(url) as db:  # as the migration before the last left it
        db.execute("DROP TABLE leases")
        db.execute("UPDATE alembic_version SET version_num = %s", (KNOWN[-2],))
    with pytest.raises(StoreError, match=rf"is of schema {KNOWN[-2]}, older than .* normscope migrate"):
        asyncio.run(open_store(url))
    assert migrate_store(url) == (KNOWN[-2], KNOWN[-1])
    prepare_store(url)


def test_a_newer_database_is_refused_by_both(postgres: Postgres) -> None:
    url = postgres.fresh()
    with psycopg.connect(url) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    for refuses in (prepare_store, migrate_store):
        with pytest.raises(StoreError, match="schema 9999, newer than this program's"):
            refuses(url)


def test_two_who_migrate_at_once_wait_for_each_other(postgres: Postgres) -> None:
    url = postgres.empty()
    with ThreadPoolExecutor(3) as threads:
        before = [made[0] for made in threads.map(migrate_store, [url] * 3)]
    assert sorted(before, key=str) == [KNOWN[-1], KNOWN[-1], None]


def test_an_unreachable_database_is_a_sentence_without_the_password() -> None:
    sentence = r"cannot open the database postgresql://me:\*\*\*@127.0.0.1:9/x: .*refused"
    with pytest.raises(StoreError, match=sentence) as caught:
        prepare_store("postgresql://me:secret@127.0.0.1:9/x")
    assert "secret" not in str(caught.value)


def test_what_cannot_be_migrated_by_command_says_so(tmp_path: Path) -> None:
    done = normscope("migrate", "--store", f"sqlite:///{tmp_path}/n.db")
    assert done.returncode == 1
    assert "migrated by the server that opens it" in done.stderr
