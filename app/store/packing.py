"""Blocks as they lie in a database: packed by zstd, with a dictionary of what frames have in common.

Why: docs/adr/0012-what-a-block-takes-on-disk.md. Earlier versions packed with zlib, whose bytes begin otherwise.
"""

from __future__ import annotations

import threading
import zlib
from pathlib import Path
from typing import Final

import zstandard

FAILURES: Final = (zlib.error, zstandard.ZstdError)
"""How bytes fail that are not what was packed."""
DICTIONARY: Final = zstandard.ZstdCompressionDict((Path(__file__).parent / "frames.zdict").read_bytes())
"""What was packed with it needs it, for good. Its number is in each block; `make dictionary` trained it."""
LEVEL: Final = 1
"""Higher ones take several times as long, and save a hundredth."""

DICTIONARY.precompute_compress(LEVEL)


class _Tools(threading.local):
    """What packs and unpacks: quick to use again, by one thread at a time."""

    def __init__(self) -> None:
        self.packer = zstandard.ZstdCompressor(LEVEL, DICTIONARY, write_checksum=True)
        self.unpacker = zstandard.ZstdDecompressor(DICTIONARY)


_tools = _Tools()


def pack(data: bytes) -> bytes:
    """A block as it is stored, with a checksum in it."""
    return _tools.packer.compress(data)


def unpack(data: bytes) -> bytes:
    """The block that was packed, by whichever version.

    Raises:
        zstandard.ZstdError, zlib.error: If the bytes are damaged.
    """
    if not data.startswith(zstandard.FRAME_HEADER):
        return zlib.decompress(data)
    try:
        return _tools.unpacker.decompress(data)
    except MemoryError as error:
        raise zstandard.ZstdError("a size that nothing has") from error
