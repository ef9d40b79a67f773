"""The JSON messages: Hello, Graph, Alert, State and End from a training process; Welcome, Ack, Control, Viewed back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from .codec import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Layer:
    """A watched module: its dotted name, its class, and what of it is summarized."""

    name: str
    type: str
    kinds: tuple[str, ...] = ("output",)


@dataclass(frozen=True, slots=True)
class Message:
    """Root of the JSON messages; `type` is the lower-case class name."""

    allowed: ClassVar[Mapping[str, type[Message]]] = {}

    @property
    def topic(self) -> object:
        """A newer message of the same topic says what counts."""
        return type(self)

    def dump(self) -> str:
        """This message as JSON."""
        return json.dumps({"type": type(self).__name__.lower(), **asdict(self)}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Hello(Message):
    """A training process introduces its run.

    Attributes:
        key: A random name the process gave its run; a second Hello with it continues the same run.
        name: What people call the run.
        layers: The watched layers; frames refer to them by index.
        token: What the server gave the launcher, if this run was started from there.
        versions: Of Python, torch and Normscope, and the device.
        version: Of this protocol.
        group: A random name shared with the runs that belong side by side with this one, if there are any,
        arm: and which of them it is.
    """

    key: str
    name: str
    layers: tuple[Layer, ...] = ()
    token: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    version: int = VERSION
    group: str | None = None
    arm: str = ""


@dataclass(frozen=True, slots=True)
class Welcome(Message):
    """The server knows the run, has committed frames up to `last` (-1: none), and wants it controlled so."""

    run: str
    last: int
    paused: bool = False
    pace: float | None = None
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Ack(Message):
    """Everything up to the frame `last` is committed; `ended`: so is the run's End."""

    last: int
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Control(Message):
    """What a person wants: pause, resume, step (one, then pause), stop, or pace (steps per second; None: no limit)."""

    action: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Viewed(Message):
    """Someone looks at the run for at least so many seconds from now: let frames come soon."""

    seconds: float


@dataclass(frozen=True, slots=True)
class State(Message):
    """The training process says that it is now held at a step, or going again."""

    paused: bool


@dataclass(frozen=True, slots=True)
class Graph(Message):
    """The training process says how its layers hang together, once it has seen a step.

    Attributes:
        edges: Pairs of layers, by their index in the Hello: the second takes what the first gives, directly or through
            operations that belong to no watched layer.
    """

    edges: tuple[tuple[int, int], ...] = ()


class Place(NamedTuple):
    """Where an alert is: a kind of a layer, or, without a layer, the name of a series; and what was measured there."""

    layer: str | None
    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class Alert(Message):
    """A rule began to hold at a step; said again when that is over.

    Attributes:
        number: Counted from 0 in the run; the same number again replaces what was said.
        rule: Its name.
        sentence: What people read.
        step: The step at which they are told.
        since: The step since when it has held.
        places: Where, in the order of the model; at most MOST_PLACES.
        more: How many places more.
        cleared: The step at which it was over; None as long as it lasts.
    """

    number: int
    rule: str
    sentence: str
    step: int
    since: int
    places: tuple[Place, ...] = ()
    more: int = 0
    cleared: int | None = None

    @property
    def topic(self) -> object:
        """The alert's own number."""
        return self.number

    @property
    def layer(self) -> str | None:
        """The first layer that it is about; None if it is about a series."""
        return self.places[0].layer if self.places else None


@dataclass(frozen=True, slots=True)
class End(Message):
    """The last message of a run, sent after its last frame: finished, stopped or failed.

    Attributes:
        status: Which of these.
        error: Why it failed.
        outcome: Numbers that sum the run up, by name; None where one could not be had.
    """

    status: str
    error: str | None = None
    outcome: dict[str, float | None] = field(default_factory=dict)


MOST_PLACES: Final = 20
"""How many places an alert names."""
ACTIONS: Final = ("pause", "resume", "step", "stop", "pace")
ENDS: Final = ("finished", "stopped", "failed")
