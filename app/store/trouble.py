"""What keeps a database from being read or written, said once and not each time that it is tried again."""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import exc

from . import StoreError, packing

log = logging.getLogger("normscope.store")

FAILURES: Final = (exc.DatabaseError, exc.InterfaceError, exc.TimeoutError, *packing.FAILURES)
"""How a database fails: it says so, it cannot be reached, or what it gives is not what was put there."""
_DAMAGED: Final = ("malformed", "not a database", "a block cannot be unpacked")
"""Words of what it says that no waiting will help against."""


class Trouble:
    """Whether one thing, reading or writing, can be done at present."""

    def __init__(self, cannot: str) -> None:
        self._cannot = cannot
        self._said: str | None = None

    def found(self, error: Exception) -> Exception:
        """What to raise for it; the caller's own mistakes stay as they are."""
        if isinstance(error, exc.IntegrityError):
            return error
        packed = isinstance(error, packing.FAILURES)
        said = f"a block cannot be unpacked: {error}" if packed else getattr(error, "orig", None) or error
        reason = " ".join(str(said).split())
        sentence = f"cannot {self._cannot} the database: {reason}"
        if any(word in reason for word in _DAMAGED):
            sentence += "; it is damaged, restore a backup (docs/keeping.md)"
        if sentence != self._said:
            self._said = sentence
            log.error("%s", sentence)
        return StoreError(sentence)

    def over(self) -> None:
        """It could be done."""
        if self._said is not None:
            self._said = None
            log.warning("can %s the database again", self._cannot)
