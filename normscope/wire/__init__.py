"""What crosses the sockets: frames as bytes, everything else as JSON. Needs no torch."""

from .codec import (
    VERSION,
    Head,
    check,
    decode,
    encode,
    encode_step,
    pack,
    select,
    split,
)
from .frame import KINDS, Frame, Series
from .merging import MERGE, merge, merge_encoded
from .messages import ACTIONS, ENDS, Ack, Control, End, Hello, Layer, Message, State, Viewed, Welcome, parse

__all__ = [
    "ACTIONS",
    "ENDS",
    "KINDS",
    "MERGE",
    "VERSION",
    "Ack",
    "Control",
    "End",
    "Frame",
    "Head",
    "Hello",
    "Layer",
    "Message",
    "Series",
    "State",
    "Viewed",
    "Welcome",
    "check",
    "decode",
    "encode",
    "encode_step",
    "merge",
    "merge_encoded",
    "pack",
    "parse",
    "select",
    "split",
]
