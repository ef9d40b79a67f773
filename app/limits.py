"""All bounds in one place: how much may be sent, kept and asked for, and what happens beyond.

`scripts/limits.py` writes docs/limits.md from this. They are far above what an honest client needs, and low enough that
none can fill the memory, the disk or the processor by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from normscope.wire import bounds

KB: Final = 1 << 10
MB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be done: so many at once, and so many a second in the long run."""

    burst: float
    per_second: float

    def __str__(self) -> str:
        """In words."""
        often = f"{self.per_second:g} a second" if self.per_second >= 1 else f"one in {1 / self.per_second:g} s"
        return f"at most {self.burst:g} at once and {often}"


CHANGES: Final = Rate(300, 30)
"""Requests that change something."""
READINGS: Final = Rate(600, 100)
"""Requests for histories and findings."""
FILES: Final = Rate(12, 0.5)
"""Views saved as files."""
HELLOS: Final = Rate(1000, 50)
"""Connections of training processes."""
FAILED_LOGINS: Final = Rate(10, 0.2)
"""Tokens and passwords that are wrong."""
WORDS: Final = Rate(200, 20)
"""Messages of one socket, beside frames."""
TRAINERS: Final = 2048
"""Sockets of training processes that a client may hold."""
VIEWERS: Final = 2048
"""Sockets of viewers that a client may hold."""
ALL_VIEWERS: Final = 8192
"""Sockets of all viewers together; fewer where the system lets the server open less than twice as many files."""
MAX_BODY: Final = 1 * MB
"""Bytes of a request body; the largest honest one is a view of 2,000 characters."""
VIEWER_MESSAGE: Final = 64 * KB
"""Bytes of a message of a viewer."""
STALLED: Final = 60
"""Seconds for which whoever is being sent something may take none of it."""
TAIL_FRAMES: Final = 256
"""Newest frames of a run that are kept in memory for its viewers; one further behind skips."""
TAIL: Final = 8 * MB
"""Bytes of them."""
TAILS: Final = 64 * MB
"""Bytes of the newest frames of all runs that are watched."""
DELIVERY: Final = 256 * KB
"""Bytes of frames in a message to a viewer, and so what one that reads nothing holds up; a frame alone may be more."""
PART: Final = 256 * KB
"""Bytes of frames that are read from the store and answered at a time; a frame alone may be more."""
EXPERIMENTS: Final = 10_000
"""Experiments that are kept, with those that can still be brought back."""
WAITING: Final = 5000
"""Runs that wait for their turn."""
LINKS: Final = 100
"""Links of an experiment that open."""

TABLE: Final[tuple[tuple[str, str, str], ...]] = (
    ("body of a request", f"{MAX_BODY // MB} MB", "413"),
    ("message of a training process, unpacked", f"{bounds.MESSAGE // MB} MB", "1009"),
    ("message of a viewer, unpacked", f"{VIEWER_MESSAGE // KB} KB", "1009"),
    ("layers of a run", f"{bounds.LAYERS:,}", "1008"),
    ("kinds of what is summarized of a layer", f"{bounds.KINDS}", "1008"),
    ("summaries in a frame", f"{bounds.ROWS:,}", "1008"),
    ("series in a frame", f"{bounds.SERIES:,}", "1008"),
    ("different names of series over a run", f"{bounds.SERIES_NAMES:,}", "1008"),
    ("name of a series", "255 bytes", "1008"),
    ("name of a run, of a version, of a number in an outcome", f"{bounds.NAME} characters", "1008"),
    ("name of a layer, and of its class", f"{bounds.LAYER_NAME} characters", "1008"),
    ("error of a run", f"{bounds.ERROR:,} characters", "1008"),
    ("edges of a graph", f"{bounds.EDGES:,}", "1008"),
    ("numbers in an outcome", f"{bounds.OUTCOME:,}", "1008"),
    ("number of a step or a frame", f"{bounds.STEP:,}", "a frame has room for no more"),
    ("runs of an experiment of a claim", "1,000", "422"),
    ("runs that wait for their turn", f"{WAITING:,}", "409"),
    ("experiments", f"{EXPERIMENTS:,}", "409, 1008"),
    ("links of an experiment that open", f"{LINKS}", "409"),
    ("name of an experiment; its notes; its tags", "200 characters; 10,000; 20 of 40", "422"),
    ("runs in a comparison, and in a saved file", "12", "404, 422"),
    ("points of a history", "10,000", "422"),
    (
        "bytes of a history that are read and answered at a time",
        f"{PART // KB} KB, or one frame; four times as many where they are merged first",
        "the rest follows",
    ),
    ("requests that change something, of a client", str(CHANGES), "429"),
    ("requests for histories and findings, of a client", str(READINGS), "429"),
    ("views saved as files, of a client", str(FILES), "429"),
    ("wrong tokens and passwords in the forms that ask for them, of a client", str(FAILED_LOGINS), "429"),
    ("connections of training processes, of a client", str(HELLOS), "1013"),
    ("training processes connected at a time, of a client", f"{TRAINERS:,}", "1013"),
    ("training processes connected at a time, in all", "a quarter of the files it may open", "1013"),
    ("viewers connected at a time, of a client", f"{VIEWERS:,}", "1013"),
    ("viewers connected at a time, in all", f"{ALL_VIEWERS:,}; half of the files it may open", "1013"),
    ("newest frames of a run that are kept for its viewers", f"{TAIL_FRAMES}, {TAIL // MB} MB", "asked for again"),
    ("newest frames of all watched runs", f"{TAILS // MB} MB", "asked for again"),
    ("message to a viewer, before it is packed", f"{DELIVERY // KB} KB, or one frame", "the rest follows"),
    ("messages of a socket, beside frames", str(WORDS), "read more slowly"),
    ("time in which a viewer answers no ping", "10 s", "the connection ends"),
    ("time in which nothing is taken of what is sent (Linux)", f"{STALLED} s", "the connection ends"),
)
"""What is bounded, how, and the answer beyond: a status of HTTP, or the code that closes a socket."""
