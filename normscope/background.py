"""Manners of whoever works beside training, on the same machine: the courier, and the threads of the server."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
from typing import Final

_MMAP_THRESHOLD: Final = -3
_TRIM_THRESHOLD: Final = -1
"""Parameters of glibc's mallopt(3)."""
_PARENT_DEATH_SIGNAL: Final = 1
"""An option of Linux' prctl(2)."""
_LARGEST: Final = 32 << 20
_KEPT: Final = 64 << 20
_NICENESS: Final = 10
CORES: Final = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""Processors that this process may use."""
ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Environment of a process whose numpy should keep to one thread; to be set before numpy is imported."""
MUTE: Final = logging.Logger("normscope.mute", logging.CRITICAL + 1)
"""For a library that shows tracebacks of lines that are dead: what a person should know of them is told by us."""


def step_back() -> None:
    """Let training and pages go first: from now on for this thread and those it starts, where the system can (Linux).

    A thread that often sleeps is otherwise woken in place of one that computes, and training loses a slice of time.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def leave_with_parent() -> None:
    """End this process when the one that made it ends, however that goes, where the system can be told so (Linux).

    It counts for this process alone, not for those that it forks.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)


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
