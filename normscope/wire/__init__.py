"""What crosses the sockets: frames as bytes, everything else as JSON. Needs no torch."""

from .codec import VERSION, decode, decode_frames, encode, encode_frames, pack, select, split
from .frame import KINDS, Frame, Series
from .merging import MERGE, merge, merge_groups
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
    "Hello",
    "Layer",
    "Message",
    "Series",
    "State",
    "Viewed",
    "Welcome",
    "decode",
    "decode_frames",
    "encode",
    "encode_frames",
    "merge",
    "merge_groups",
    "pack",
    "parse",
    "select",
    "split",
]
