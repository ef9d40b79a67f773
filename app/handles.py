"""Files and sockets that the system lets this process have open at once."""

from __future__ import annotations

import contextlib
from typing import Final

try:
    import resource
except ImportError:  # Windows: sockets are not files there
    resource = None  # type: ignore[assignment]

WANTED: Final = (1 << 16, 10_240)
"""How many would do, and what macOS lets a process have that asks for too many."""


def want_many() -> None:
    """Ask for as many as the system gives without further rights: its usual bound is 1,024, or 256."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for many in WANTED:
        wanted = many if hard == resource.RLIM_INFINITY else min(many, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
            return


def share(of: int) -> int:
    """One part of so many of them: sockets of one kind must leave room for the others, and for files."""
    soft = WANTED[0] if resource is None else resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (WANTED[0] if soft < 0 else soft) // of
