"""What the server writes to its log: one line for each record, whatever came from outside is in it."""

from __future__ import annotations

import logging
import sys
from typing import Final

_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    0x2028: "\\u2028", 0x2029: "\\u2029", 0x202E: "\\u202e",
}  # fmt: skip


class OneLine(logging.Formatter):
    """Control characters are written out: none can begin a line that looks like ours, or talk to a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  its name is theirs
        """The line, without the traceback that may follow."""
        return super().formatMessage(record).translate(_ESCAPES)


def begin() -> None:
    """Log to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
