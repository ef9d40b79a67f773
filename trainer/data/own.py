"""A person's own data, from an `.npz` file."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from .task import Data, split

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_UNREADABLE = (
    OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, AttributeError, TypeError, MemoryError, RuntimeError,
    SyntaxError, tokenize.TokenError,
)  # fmt: skip
"""What numpy and zipfile may raise of a file that was made to do harm."""
_SPLIT = ("x_train", "y_train", "x_test", "y_test")
_WHOLE = ("x", "y")
MOST_BYTES: Final = 8 << 30
"""Bytes of all arrays of a file, unpacked."""


def from_file(path: Path) -> Data:
    """The data of a file: x_train, y_train, x_test and y_test; or x and y, of which a fixed fifth is for testing.

    Inputs of any shape [n, …] in floating point, or uint8, which is scaled to [0, 1]; images of shape [n, h, w] get a
    channel, and those of shape [n, h, w, 1 or 3] have it moved to the front. Whole-number targets of shape [n] are
    labels, counted from 0; floating-point ones of shape [n] or [n, outputs] are to be regressed.

    Raises:
        ValueError: If the file is not like this; the sentence names the file, the array, and what is wrong.
    """
    arrays = _read(path)
    names = _SPLIT if set(_SPLIT) <= set(arrays) else _WHOLE
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ValueError(f"{path}: holds {', '.join(arrays) or 'nothing'}; needed are {', '.join(_SPLIT)}, or x and y")
    inputs = [_inputs(path, name, arrays[name]) for name in names[::2]]
    targets = [_targets(path, name, arrays[name]) for name in names[1::2]]
    for x, y, name in zip(inputs, targets, names[1::2], strict=True):
        if len(x) != len(y):
            raise ValueError(f"{path}: {name} has {len(y)} targets for {len(x)} inputs")
        if len(x) < 2:
            raise ValueError(f"{path}: {name} has {len(x)} samples; at least 2 are needed")
    if len({x.shape[1:] for x in inputs}) > 1 or len({(y.dtype, y.shape[1:]) for y in targets}) > 1:
        raise ValueError(f"{path}: what is for testing has another shape or kind than what is for training")
    first = targets[0]
    outputs = first.shape[1] if first.is_floating_point() else int(max(y.max() for y in targets)) + 1
    if len(inputs) == 1:
        return split(inputs[0], first, outputs)
    return Data(inputs[0], first, inputs[1], targets[1], outputs)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        # Opened here: numpy leaves a file open that it cannot read.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            _check_size(file)
            return {name: np.asarray(file[name]) for name in file.files}
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file") from error
    except _UNREADABLE as error:
        raise ValueError(f"{path}: is not an .npz file of plain arrays ({error})") from error


def _check_size(file: Any) -> None:
    """ValueError if the arrays would be too large, before there is room made for any."""
    size = sum(member.file_size for member in file.zip.infolist())
    if size > MOST_BYTES:
        raise ValueError(f"its arrays have {size >> 20} MB; there may be {MOST_BYTES >> 20}")


def _inputs(path: Path, name: str, array: NDArray[Any]) -> torch.Tensor:
    if array.ndim < 2:
        raise ValueError(f"{path}: {name} has shape {list(array.shape)}; inputs have at least [samples, features]")
    if array.dtype == np.uint8:
        array = array.astype(np.float32) / 255
    elif not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{path}: {name} is of type {array.dtype}; inputs are in floating point or uint8")
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: {name} has values that are not finite")
    x = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    if x.dim() == 3:
        return x.unsqueeze(1)
    return x.movedim(3, 1).contiguous() if x.dim() == 4 and x.shape[3] in (1, 3) and x.shape[1] not in (1, 3) else x


def _targets(path: Path, name: str, array: NDArray[Any]) -> torch.Tensor:
    if np.issubdtype(array.dtype, np.floating) and array.ndim in (1, 2):
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} has values that are not finite")
        return torch.from_numpy(array.astype(np.float32)).reshape(len(array), -1)
    if not np.issubdtype(array.dtype, np.integer) or array.ndim != 1:
        raise ValueError(
            f"{path}: {name} is of type {array.dtype} and shape {list(array.shape)}; targets are labels, whole numbers "
            "of shape [samples], or floating-point values of shape [samples] or [samples, outputs]"
        )
    if len(array) and array.min() < 0:
        raise ValueError(f"{path}: {name} has the label {array.min()}; labels count from 0")
    if len(array) and array.max() >= 10_000:
        raise ValueError(f"{path}: {name} has the label {array.max()}; there may be at most 10,000 classes")
    return torch.from_numpy(array.astype(np.int64))
