"""The tables behind the records. A change here needs a migration beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

from .packing import pack, unpack
from .records import Alert, Brief, Experiment, Going, Lease, Link, Run, Token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Dialect


class Compressed(TypeDecorator[bytes]):
    """Bytes that are packed on their way in. Frames shrink by about a third."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Pack."""
        return None if value is None else pack(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Unpack."""
        return None if value is None else unpack(value)


metadata = MetaData()

experiments = Table(
    "experiments",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("claim", Integer),
    Column("settings", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("notes", Text, nullable=False),
    Column("deleted", Float),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("experiment", String(16), ForeignKey("experiments.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created", Float, nullable=False),
    Column("arm", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("error", Text),
    Column("started", Float),
    Column("ended", Float),
    Column("seen", Float),
    Column("steps", BigInteger),
    Column("layers", JSON, nullable=False),
    Column("edges", JSON, nullable=False),
    Column("thinned", Integer, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("outcome", JSON, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("pace", Float),
    Column("stop", Boolean, nullable=False),
    Column("singles", Integer, nullable=False),
    Column("handle", Text),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("alerts", Integer, nullable=False),
    Column("lasting", Integer, nullable=False),
    Column("sender", String(16)),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("run", String(16), ForeignKey("runs.id"), nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("rule", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("places", JSON, nullable=False),
    Column("more", Integer, nullable=False),
    Column("cleared", BigInteger),
)

links = Table(
    "links",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("experiment", String(16), ForeignKey("experiments.id"), nullable=False, index=True),
    Column("view", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("revoked", Float),
    Column("last_used", Float),
    Column("runs", JSON(none_as_null=True)),
    Column("expires", Float),
    Column("password", Text),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("session", Boolean, nullable=False),
    Column("revoked", Float),
    Column("last_used", Float),
    Column("expires", Float),
)

blocks = Table(
    "blocks",
    metadata,
    # `number` is the place within the level; `index` is a word SQL keeps for itself. Rows of a kilobyte and more
    # want SQLite's ordinary tables: those without a rowid keep whole rows in the inner pages of their tree.
    Column("run", String(16), ForeignKey("runs.id"), primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("first_step", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("data", Compressed, nullable=False),
    postgresql_partition_by="HASH (run)",
)

leases = Table(
    "leases",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("created", Float, nullable=False),
    Column("holder", String(32), nullable=False),
    Column("beat", Integer, nullable=False),
)

TABLES: Final[Mapping[type, Table]] = {
    Experiment: experiments, Run: runs, Brief: runs, Going: runs, Link: links, Alert: alerts, Token: tokens,
    Lease: leases,
}  # fmt: skip
