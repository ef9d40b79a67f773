"""What crosses the sockets: frames as bytes, everything else as JSON. Needs no torch."""

from .frame import KINDS, VERSION, Frame, Series, decode, encode, select
from .merging import MERGE, merge
from .messages import ACTIONS, ENDS, Ack, Control, End, Hello, Layer, Message, State, Welcome, parse

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
    "Hello",
    "Layer",
    "Message",
    "Series",
    "State",
    "Welcome",
    "decode",
    "encode",
    "merge",
    "parse",
    "select",
]
