"""Memory of arrays that come and go many times a second."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_MMAP_THRESHOLD: Final = -3
_TRIM_THRESHOLD: Final = -1
"""Parameters of glibc's mallopt(3)."""
_LARGEST: Final = 32 << 20
_KEPT: Final = 64 << 20


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, up to 64 MB, for its next arrays; whether the system can be told so.

    By default glibc hands every array of 128 KB and more back to the system and asks for it anew, page by page, which
    takes longer than what is computed with it. Other C libraries are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, _KEPT))
