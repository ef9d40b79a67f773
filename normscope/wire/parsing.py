"""JSON messages as they come: read, and refused if anything in them would do harm later."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, Final

from ..errors import WireError
from . import bounds
from .bounds import is_text
from .codec import VERSION
from .messages import (
    ACTIONS,
    ENDS,
    MOST_PLACES,
    Ack,
    Alert,
    Control,
    End,
    Graph,
    Hello,
    Layer,
    Message,
    Place,
    State,
    Viewed,
    Welcome,
)

_MESSAGES: Final = {c.__name__.lower(): c for c in (Hello, Welcome, Ack, Control, Viewed, State, Graph, Alert, End)}


def parse(text: str) -> Message:
    """The message in `text`.

    Raises:
        WireError: If it is not JSON, of an unknown type, or has wrong fields.
    """
    try:
        fields: dict[str, Any] = json.loads(text)
        kind = _MESSAGES[fields.pop("type")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WireError(f"not a message of this protocol: {str(text)[:60]!r}") from error
    try:
        message = kind(**fields)
        if isinstance(message, Hello):
            layers = tuple(Layer(str(x["name"]), str(x["type"]), tuple(x["kinds"])) for x in fields.get("layers", ()))
            message = Hello(**{**fields, "layers": layers})
        elif isinstance(message, Graph):
            message = Graph(tuple((a, b) for a, b in message.edges))
        elif isinstance(message, Alert):
            message = replace(message, places=tuple(Place(*place) for place in message.places))
    except (TypeError, KeyError, ValueError) as error:
        raise WireError(f"malformed {kind.__name__}: {error}") from error
    _validate(message)
    return message


def _validate(message: Message) -> None:
    """Refuse values that would do harm later; a wrong type is refused where it is used least."""
    match message:
        case Hello(key=key, name=name, token=token, versions=versions, version=version):
            if version != VERSION:
                raise WireError(f"hello of version {version}; this side speaks version {VERSION}")
            if not (is_text(key, 100) and len(key) >= 16 and is_text(name, bounds.NAME)):
                raise WireError(f"malformed Hello: key must be 16 to 100 characters and name at most {bounds.NAME}")
            if not (token is None or is_text(token, bounds.NAME)) or not _is_words(versions):
                raise WireError("malformed Hello: token must be a string and versions strings by name")
            if not _is_group(message.group, message.arm):
                raise WireError("malformed Hello: group must be 16 to 100 characters, with an arm of at most 100")
            _validate_layers(message.layers)
        case Control(action=action) if action not in ACTIONS:
            raise WireError(f"unknown action {action!r}; choose from {', '.join(ACTIONS)}")
        case Control(value=pace) | Welcome(pace=pace) if pace is not None and not _is_positive(pace):
            raise WireError(
                f"malformed {type(message).__name__}: {pace!r} is not a positive number of steps per second"
            )
        case Viewed(seconds=seconds) if not _is_positive(seconds):
            raise WireError(f"malformed Viewed: {seconds!r} is not a positive number of seconds")
        case Graph(edges=edges) if len(edges) > bounds.EDGES or not all(_is_index(i) for edge in edges for i in edge):
            raise WireError(f"malformed Graph: edges are at most {bounds.EDGES:,} pairs of indices of layers")
        case Alert() if not _is_alert(message):
            raise WireError(f"malformed Alert: it needs steps, words, and at most {MOST_PLACES} places with numbers")
        case End(status=status) if status not in ENDS:
            raise WireError(f"unknown end {status!r}; choose from {', '.join(ENDS)}")
        case End(error=error) if not (error is None or is_text(error, bounds.ERROR)):
            raise WireError(f"malformed End: an error is a text of at most {bounds.ERROR:,} characters")
        case State(paused=paused) if type(paused) is not bool:
            raise WireError(f"malformed State: paused is {str(paused)[:20]!r}")
        case End(outcome=outcome) if not _is_outcome(outcome):
            raise WireError(f"malformed End: an outcome is at most {bounds.OUTCOME} finite numbers or nulls by name")
        case Ack(last=last) | Welcome(last=last) if not isinstance(last, int):
            raise WireError(f"malformed {type(message).__name__}: last is {last!r}")
        case _:
            pass


def _is_group(group: object, arm: object) -> bool:
    """Whether these are an arm of a group, or neither."""
    if group is None:
        return arm == ""
    return is_text(group, 100) and len(str(group)) >= 16 and is_text(arm, 100) and arm != ""


def _is_positive(value: object) -> bool:
    """Whether it is a positive number."""
    return isinstance(value, int | float) and 0 < value < float("inf")


def _is_index(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_alert(alert: Alert) -> bool:
    steps = (alert.number, alert.step, alert.since, alert.more, 0 if alert.cleared is None else alert.cleared)
    words = [alert.rule, alert.sentence]
    for layer, kind, value in alert.places:
        if type(value) not in (int, float) or not (layer is None or isinstance(layer, str)):
            return False
        words += [layer or "", kind]
    return (
        all(_is_index(step) for step in steps)
        and len(alert.places) <= MOST_PLACES
        and all(is_text(word, 1000) for word in words)
    )


def _is_outcome(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= bounds.OUTCOME
        and all(
            is_text(name, bounds.NAME) and (number is None or (type(number) in (int, float) and _is_finite(number)))
            for name, number in value.items()
        )
    )


def _is_finite(number: float) -> bool:
    """Whether it fits into a float; JSON has integers of any length."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _is_words(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= bounds.VERSIONS
        and all(is_text(word, bounds.NAME) for pair in value.items() for word in pair)
    )


def _validate_layers(layers: tuple[Layer, ...]) -> None:
    if len(layers) > bounds.LAYERS:
        raise WireError(f"malformed Hello: it names {len(layers):,} layers; a run has at most {bounds.LAYERS:,}")
    for layer in layers:
        if not (is_text(layer.name, bounds.LAYER_NAME) and is_text(layer.type, bounds.LAYER_NAME)):
            raise WireError(f"malformed Hello: names of layers have at most {bounds.LAYER_NAME} characters")
        if len(layer.kinds) > bounds.KINDS or not all(is_text(kind, bounds.NAME) for kind in layer.kinds):
            raise WireError(f"malformed Hello: kinds are at most {bounds.KINDS} words")
