"""`normscope migrate`: bring a PostgreSQL database to the schema of this program."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from normscope.errors import NormscopeError

from ..settings import Settings
from ..store import migrate_store

if TYPE_CHECKING:
    from collections.abc import Sequence


def arguments() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(
        "normscope migrate",
        description="Bring a PostgreSQL database to this version. Stop older servers first; back up before.",
    )
    parser.add_argument(
        "--store",
        default=Settings().store,
        metavar="URL",
        help="postgresql://USER:PASSWORD@HOST/NAME, or NORMSCOPE_STORE",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Migrate; the exit status."""
    given = arguments().parse_args(argv)
    try:
        before, now = migrate_store(given.store or Settings().store_url)
    except (NormscopeError, ValueError) as error:
        sys.stderr.write(f"normscope: {error}\n")
        return 1
    words = "is made, of" if before is None else "was already of" if before == now else f"went from {before} to"
    sys.stdout.write(f"The database {words} schema {now}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
