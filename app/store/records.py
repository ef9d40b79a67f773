"""What the store keeps, one dataclass per table, and a short form of the one that there are many of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

ACTIVE: Final = ("starting", "running", "paused", "lost")
"""The states in which a run may still send frames."""
ENDED: Final = ("finished", "stopped", "failed")
"""The states that a run does not leave. Before all of them it is waiting."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A question put to several nets.

    Attributes:
        claim: Its number in the catalogue; None for a user's own net.
        settings: The claim's, whole.
        tags: Words by which people find it again.
        notes: What people wrote about it.
        deleted: When it was thrown away, unix seconds; what belongs to it stays for a while.
    """

    id: str
    name: str
    created: float
    claim: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    notes: str = ""
    deleted: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One net's training.

    Attributes:
        experiment: The id of the experiment it belongs to.
        token_hash: SHA-256 of what its training process proves itself with.
        sender: The id of the sender's token that it was made with, if it was with one.
        spec: What its training process is started with, the fields of a `normscope.spec.Spec`; empty if it was not
            started from here.
        status: See `docs/architecture.md`, States of a run.
        error: Why it failed, in the trainer's words.
        seen: When its training process was last heard of, or launched, unix seconds.
        steps: How many steps are planned; None if nobody knows.
        layers: As in its Hello.
        edges: As in its Graph: pairs of layers, the second takes what the first gives. Empty until it is known.
        thinned: How many captured steps came as one at most: 1 unless the server was out of reach for very long.
        versions: As in its Hello.
        outcome: As in its End.
        paused: Whether a person wants it held.
        pace: The largest number of steps per second a person wants; None for no limit.
        stop: Whether a person wants it to end; pages call an active run with this *stopping*.
        singles: How many single steps have been asked for, ever.
        handle: What the launcher knows its process by.
        last_seq: Sequence number of the last committed frame, -1 before the first.
        last_step: The step of that frame.
        alerts: How many alerts there have been.
        lasting: How many of them last.
    """

    id: str
    experiment: str
    name: str
    token_hash: str
    created: float
    arm: str = ""
    seed: int = 0
    spec: dict[str, Any] = field(default_factory=dict)
    status: str = "starting"
    error: str | None = None
    started: float | None = None
    ended: float | None = None
    seen: float | None = None
    steps: int | None = None
    layers: list[dict[str, Any]] = field(default_factory=list)
    edges: list[list[int]] = field(default_factory=list)
    thinned: int = 1
    versions: dict[str, str] = field(default_factory=dict)
    outcome: dict[str, float | None] = field(default_factory=dict)
    paused: bool = False
    pace: float | None = None
    stop: bool = False
    singles: int = 0
    handle: str | None = None
    last_seq: int = -1
    last_step: int = -1
    alerts: int = 0
    lasting: int = 0
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """What people were told of a run; see `normscope.wire.Alert`.

    Attributes:
        run: The id of the run.
        sentence: What people read.
        step: At which they were told.
        since: The step since when it has been so.
        places: Where: layer (null for a series), kind, value.
        more: How many places more.
        cleared: The step at which it was over; None as long as it lasts.
    """

    id: str
    run: str
    created: float
    rule: str
    sentence: str
    step: int
    since: int
    places: list[list[Any]] = field(default_factory=list)
    more: int = 0
    cleared: int | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """A run in short, for lists that may be long: fields of a Run, found as such and never added or changed."""

    id: str
    experiment: str
    name: str
    arm: str
    seed: int
    spec: dict[str, Any]
    status: str
    stop: bool
    steps: int | None
    last_seq: int
    last_step: int
    alerts: int
    lasting: int


@dataclass(frozen=True, slots=True)
class Going:
    """What it takes to look after a run, every second: fields of a Run, found as such and never added or changed."""

    id: str
    status: str
    stop: bool
    handle: str | None
    seen: float | None


@dataclass(frozen=True, slots=True)
class Link:
    """A shareable address that opens a view of an experiment read-only.

    Attributes:
        runs: The ids of those that it opens; None for the whole experiment, also what is added to it later.
        expires: When it ends by itself, unix seconds.
        password: What is kept of the password that it asks for; see `app.access.passwords`.
    """

    id: str
    token_hash: str
    experiment: str
    view: str
    created: float
    revoked: float | None = None
    last_used: float | None = None
    runs: list[str] | None = None
    expires: float | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """What someone proves themselves with to a server that asks.

    Attributes:
        token_hash: SHA-256 of it.
        role: "owner", or "sender" for training processes.
        session: Whether it is what a browser got in which someone has logged in.
        name: What people call it.
        expires: When it ends by itself, unix seconds.
    """

    id: str
    token_hash: str
    role: str
    name: str
    created: float
    session: bool = False
    revoked: float | None = None
    last_used: float | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """What one server at a time may do.

    Attributes:
        id: The word for it.
        created: When it was first taken, unix seconds.
        holder: The server that does it.
        beat: Goes up while that server lives.
    """

    id: str
    created: float
    holder: str
    beat: int = 0


Record = Experiment | Run | Link | Alert | Token | Lease


@dataclass(frozen=True, slots=True)
class Block:
    """An encoded frame at its place in a run's history.

    Attributes:
        level: Of how many merges it is.
        index: Its place within the level.
        first_step: The first step in it.
        last_step: The last.
        data: The frame.
        packed: The same as it is stored, if that was made already: whoever commits has less to do while others wait.
    """

    level: int
    index: int
    first_step: int
    last_step: int
    data: bytes
    packed: bytes | None = None
