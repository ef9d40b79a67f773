"""What `import normscope` adds to a program that imports torch anyway, and what using it adds then."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from tests.conftest import HOUSE

from .table import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .table import Table

ROUNDS: Final = 15
_ALONE: Final = "import torch"
_BOTH: Final = "import torch, normscope"
_USED: Final = """
import json, sys, time
import torch
began = time.process_time()
import normscope
imported, before = time.process_time(), len(sys.modules)
normscope.watch
print(json.dumps([imported - began, time.process_time() - imported, len(sys.modules) - before]))
"""


def measure(table: Table) -> None:
    """Fresh interpreters by turns: within one it is known to the millisecond, the difference of two has all of it.

    It is processor time, in which whatever else the machine does has little part.
    """
    inside: list[Any] = []
    whole, torch = [], []
    for kind in (_ALONE, _USED):  # files come from the system's memory from now on
        _run(kind)
    for _ in range(ROUNDS):
        torch.append(_run(_ALONE)[0])
        whole.append(_run(_BOTH)[0] - torch[-1])
        inside.append(json.loads(_run(_USED)[1]))
    imported, used, modules = zip(*inside, strict=True)
    table.add(
        "processor time of `import normscope` beyond `import torch`", _ms(imported), "≤ 50 ms",
        f"whole interpreters, in pairs: {_ms(whole)} more than {median(torch):.2f} s; "
        f"`normscope.watch` then takes {_ms(used)}, for {median(modules):.0f} modules",
    )  # fmt: skip


def _ms(seconds: Sequence[float]) -> str:
    """The median, and between which values the middle half lies."""
    low, high = (1000 * quantile(seconds, share) for share in (0.25, 0.75))
    return f"{1000 * median(seconds):.1f} ms ({low:.1f} to {high:.1f})"


def _run(code: str) -> tuple[float, str]:
    """The processor time of an interpreter from start to end, in which others have no part, and what it says."""
    began = _spent()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=HOUSE)
    return _spent() - began, done.stdout


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
