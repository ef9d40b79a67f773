"""Records of a file as TensorFlow frames them.

    record  length u64, its checksum u32, so many bytes, their checksum u32; all little-endian

A checksum is CRC-32C, turned by 15 bits and moved by a constant.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

from ..errors import MissingError, NormscopeError

try:
    from google_crc32c import value as crc32c
except ModuleNotFoundError:
    raise MissingError("google-crc32c", "tensorboard") from None

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LENGTH: Final = struct.Struct("<QI")
_CHECKSUM: Final = struct.Struct("<I")
_AHEAD: Final = 1 << 20
"""Bytes that are read at once."""
LARGEST: Final = 64 << 20
"""Bytes of a record; a larger one, which no scalar or histogram needs, is passed over."""


class DamagedError(NormscopeError):
    """A record is not what was written; the message names the file and the place."""


def records(path: Path, most: int | None = None) -> Iterator[tuple[int, bytes | None]]:
    """The records of a file, each with where its bytes begin, as far as they are whole: it may still be written.

    Of one that is too large there is None.

    Args:
        path: Of the file.
        most: Bytes of the file to look at; None for all.

    Raises:
        OSError: If the file cannot be read.
        DamagedError: If a checksum is wrong.
    """
    with path.open("rb", _AHEAD) as file:
        end = os.fstat(file.fileno()).st_size if most is None else most
        at = 0
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            size, checksum = _LENGTH.unpack(head)
            if _masked(head[:8]) != checksum:
                raise DamagedError(f"{path} is damaged: the length of the record at byte {at:,} is wrong")
            at += _LENGTH.size
            if at + size + _CHECKSUM.size > end:  # also before so much memory is asked for
                return
            if size > LARGEST:
                file.seek(size + _CHECKSUM.size, os.SEEK_CUR)
                yield at, None
                at += size + _CHECKSUM.size
                continue
            data = file.read(size)
            if _masked(data) != _CHECKSUM.unpack(file.read(_CHECKSUM.size))[0]:
                raise DamagedError(f"{path} is damaged: the record at byte {at - _LENGTH.size:,} has changed")
            yield at, data
            at += size + _CHECKSUM.size


def _masked(data: bytes) -> int:
    checksum: int = crc32c(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
