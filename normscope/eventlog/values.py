"""What an event holds: scalars and histograms, in both of the forms in which TensorBoard has written them."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import MissingError

try:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.util.tensor_util import make_ndarray
except ModuleNotFoundError:
    raise MissingError("tensorboard", "tensorboard") from None

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_FORMS: Final = {"image": "images", "audio": "audio"}
"""What values of an older form are called in TensorBoard's newer one."""
_NUMBERS: Final = 3 << 20
"""Numbers of a tensor: a histogram of a million buckets. A few bytes may announce any shape."""
_DIMENSIONS: Final = 8
_TAGS: Final = 65_535
"""Tags of which it is remembered what they are."""
_SKIPPED: Final = (20, 40)
"""How many kinds of things are told apart that are skipped, and characters of their names."""
_WHOLE_EVENTS: Final = ("graph_def", "meta_graph_def", "tagged_run_metadata")
"""What an event may hold instead of values."""


class Values:
    """Tells what the events of a run hold, which they do not repeat: only a tag's first value names its kind.

    Attributes:
        skipped: How many values there were that are neither scalars nor histograms, by what they are.
        odd: How many could not be taken, by why.
    """

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()
        self._plugins: dict[str, str] = {}

    def of(self, event: Any) -> Iterator[tuple[int, str, bool, float]]:
        """Of each scalar and histogram its place in the event, its tag, whether it is a histogram, and a number.

        That is the scalar's value, or how many values were counted.
        """
        if event.WhichOneof("what") != "summary":
            if event.WhichOneof("what") in _WHOLE_EVENTS:
                self._skip("graphs")
            return
        for place, value in enumerate(event.summary.value):
            form = value.WhichOneof("value")
            if form == "simple_value":
                yield place, value.tag, False, value.simple_value
            elif form == "histo":
                yield place, value.tag, True, value.histo.num
            elif form == "tensor":
                yield from self._of_tensor(place, value)
            else:
                self._skip(value.metadata.plugin_data.plugin_name or _FORMS.get(form, "others"))

    def _of_tensor(self, place: int, value: Any) -> Iterator[tuple[int, str, bool, float]]:
        plugin = value.metadata.plugin_data.plugin_name
        if not plugin:
            plugin = self._plugins.get(value.tag, "")
        elif len(self._plugins) < _TAGS:
            self._plugins[value.tag] = plugin
        try:
            if plugin == "scalars":
                yield place, value.tag, False, _scalar(value.tensor)
            elif plugin == "histograms":
                yield place, value.tag, True, float(buckets(value)[:, 2].sum())
            else:
                self._skip(plugin or "others")
        except ValueError as error:
            self.odd[str(error)] += 1

    def _skip(self, what: str) -> None:
        """Count what is neither; a log may call things as it likes."""
        name = what[: _SKIPPED[1]]
        self.skipped[name if name in self.skipped or len(self.skipped) < _SKIPPED[0] else "others"] += 1


def _scalar(tensor: Any) -> float:
    one = tensor.float_val
    found = np.array(one) if len(one) == 1 else _numbers(tensor)
    if not found.size:
        raise ValueError("a scalar without a value")
    return float(found.flat[0])


def buckets(value: Any) -> NDArray[np.float64]:
    """A histogram in the form of a tensor: left and right edge and count of each bucket, shape [n, 3].

    Raises:
        ValueError: If it is none.
    """
    found = _numbers(value.tensor)
    if found.size % 3:
        raise ValueError("a histogram whose buckets are no triples")
    return found.reshape(-1, 3)


def _numbers(tensor: Any) -> NDArray[np.float64]:
    """The numbers of a tensor.

    Raises:
        ValueError: If it has others than it announces, or none.
    """
    shape = [dimension.size for dimension in tensor.tensor_shape.dim[: _DIMENSIONS + 1]]
    if len(shape) > _DIMENSIONS or min(shape, default=0) < 0 or math.prod(shape) > _NUMBERS:
        raise ValueError(f"a tensor with a shape of less than nothing or of more than {_NUMBERS:,} numbers")
    try:
        found: NDArray[Any] = make_ndarray(tensor)
    except (TypeError, ValueError, IndexError, OverflowError):
        raise ValueError("a tensor that does not hold what it announces") from None
    if found.dtype.kind not in "fiub":
        raise ValueError("a tensor that is not of numbers")
    return found.astype(np.float64)


def parse(data: bytes) -> Any:
    """The event in a record.

    Raises:
        ValueError: If there is none.
    """
    try:
        return Event.FromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from error
