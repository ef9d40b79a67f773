"""How much a training process may say. A server refuses more; watching stays far below.

`app/limits.py` states these beside the server's own limits.
"""

from __future__ import annotations

from typing import Final

MESSAGE: Final = 8 << 20
"""Bytes of a message, unpacked; the largest frames are such a message each."""
LAYERS: Final = 10_000
"""Watched layers of a run."""
ROWS: Final = 60_000
"""Summaries in a frame: layers times what is summarized of each."""
SERIES: Final = 2000
"""Series in a frame."""
SERIES_NAMES: Final = 5000
"""Different names of series over a whole run."""
STEP: Final = 2**32 - 1
"""The last step, and the last number of a frame: what a frame has room for. Several that were merged end there too."""
NAME: Final = 200
"""Characters of a run's name, of a version, of a number's name in an outcome."""
LAYER_NAME: Final = 500
"""Characters of a layer's dotted name, and of its class's."""
VERSIONS: Final = 50
"""Versions that a Hello names."""
KINDS: Final = 32
"""Kinds of things that are summarized of one layer."""
ERROR: Final = 10_000
"""Characters that say why a run has failed."""
EDGES: Final = 20_000
"""Edges of a graph."""
OUTCOME: Final = 1000
"""Numbers that sum a run up."""


def is_text(value: object, most: int) -> bool:
    """Whether it is text that every database keeps: no NUL, no half of a surrogate pair, not too long."""
    return (
        isinstance(value, str)
        and len(value) <= most
        and "\0" not in value
        and not any("\ud800" <= letter <= "\udfff" for letter in value)
    )


def made_text(value: str, most: int) -> str:
    """The text that comes nearest to a value and that `is_text`."""
    return value[:most].replace("\0", "�").encode("utf-8", "replace").decode("utf-8")
