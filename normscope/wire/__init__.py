"""What crosses the sockets: frames as bytes, everything else as JSON. Needs no torch."""

from .bounds import EDGES as MOST_EDGES
from .bounds import made_text
from .codec import (
    VERSION,
    Head,
    check,
    decode,
    encode,
    encode_step,
    pack,
    select,
    series_names,
    split,
)
from .frame import KINDS, Frame, Series
from .merging import MERGE, merge, merge_encoded, merge_ranks
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
from .parsing import parse

__all__ = [
    "ACTIONS",
    "ENDS",
    "KINDS",
    "MERGE",
    "MOST_EDGES",
    "MOST_PLACES",
    "VERSION",
    "Ack",
    "Alert",
    "Control",
    "End",
    "Frame",
    "Graph",
    "Head",
    "Hello",
    "Layer",
    "Message",
    "Place",
    "Series",
    "State",
    "Viewed",
    "Welcome",
    "check",
    "decode",
    "encode",
    "encode_step",
    "made_text",
    "merge",
    "merge_encoded",
    "merge_ranks",
    "pack",
    "parse",
    "select",
    "series_names",
    "split",
]
