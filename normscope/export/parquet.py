"""A run as a folder of two Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import MissingError
from .tables import Ragged, batches, series, summaries

try:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter
except ModuleNotFoundError:
    raise MissingError("pyarrow", "parquet") from None

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from .. import wire

_WORDS: Final = ("layer", "kind", "name")
"""Columns of few different words."""


def write(path: Path, layers: Sequence[wire.Layer], frames: Iterable[wire.Frame]) -> None:
    """Write `summaries.parquet` and `series.parquet` into a new folder, a group of rows after the other."""
    path.mkdir()
    writers: dict[str, Any] = {}
    try:
        for some in batches(frames):
            for name, columns in (("summaries", summaries(some, layers)), ("series", series(some))):
                table = _table(columns)
                if name not in writers:
                    writers[name] = ParquetWriter(path / f"{name}.parquet", table.schema, compression="zstd")
                writers[name].write_table(table)
    finally:
        for writer in writers.values():
            writer.close()


def _table(columns: Mapping[str, Any]) -> Any:
    return pa.table({name: _column(name, values) for name, values in columns.items()})


def _column(name: str, values: Any) -> Any:
    if isinstance(values, Ragged):
        return pa.ListArray.from_arrays(pa.array(values.offsets, pa.int32()), pa.array(values.values, pa.int64()))
    if name in _WORDS:
        return pa.DictionaryArray.from_arrays(*_encoded(values))
    return pa.array(values)


def _encoded(words: Sequence[str]) -> tuple[Any, Any]:
    known = {word: i for i, word in enumerate(dict.fromkeys(words))}
    return pa.array([known[word] for word in words], pa.int32()), pa.array(list(known), pa.string())
