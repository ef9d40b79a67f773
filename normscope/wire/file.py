"""A run in a file: what would have crossed a socket, message by message.

    magic    "NORMSCOPE" 0x01
    message  kind u8 (0: JSON, 1: a frame), length u32 little-endian, then so many bytes

The first message is the Hello, the last the End, if the run had one. A file that was cut off in the middle of a message
is read as far as it is whole.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from ..errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC: Final = b"NORMSCOPE\x01"
SUFFIX: Final = ".normscope"
_HEAD: Final = struct.Struct("<BI")
_JSON, _FRAME = 0, 1
_MOST: Final = 256 << 20
"""Bytes of a message."""


def filed(message: str | bytes) -> bytes:
    """A message, JSON or a frame, as it stands in a file."""
    data = message.encode() if isinstance(message, str) else message
    return _HEAD.pack(_JSON if isinstance(message, str) else _FRAME, len(data)) + data


def messages(file: BinaryIO) -> Iterator[tuple[int, str | bytes]]:
    """The messages of a file, each with where it ends.

    Raises:
        WireError: If it is no such file.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise WireError("it does not begin as a recording of Normscope does")
    at = len(MAGIC)
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        kind, size = _HEAD.unpack(head)
        if kind not in (_JSON, _FRAME):
            raise WireError(f"there is a message of unknown kind {kind} at byte {at}")
        if size > _MOST:  # before there is room made for it
            raise WireError(f"there is a message of {size:,} bytes at byte {at}; the longest have {_MOST:,}")
        data = file.read(size)
        if len(data) < size:
            return
        at += _HEAD.size + size
        try:
            yield at, data.decode() if kind == _JSON else data
        except UnicodeDecodeError as error:
            raise WireError(f"there is a message at byte {at - size} that is not UTF-8") from error
