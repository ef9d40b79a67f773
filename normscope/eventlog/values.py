"""What an event holds: scalars and histograms, in both of the forms in which TensorBoard has written them."""

from __future__ import annotations

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
_WHOLE_EVENTS: Final = ("graph_def", "meta_graph_def", "tagged_run_metadata")
"""What an event may hold instead of values."""


class Values:
    """Tells what the events of a run hold, which they do not repeat: only a tag's first value names its kind.

    Attributes:
        skipped: How many values there were that are neither scalars nor histograms, by what they are.
    """

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self._plugins: dict[str, str] = {}

    def of(self, event: Any) -> Iterator[tuple[int, str, bool, float]]:
        """Of each scalar and histogram its place in the event, its tag, whether it is a histogram, and a number.

        That is the scalar's value, or how many values were counted.
        """
        if event.WhichOneof("what") != "summary":
            if event.WhichOneof("what") in _WHOLE_EVENTS:
                self.skipped["graphs"] += 1
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
                self.skipped[value.metadata.plugin_data.plugin_name or _FORMS.get(form, "others")] += 1

    def _of_tensor(self, place: int, value: Any) -> Iterator[tuple[int, str, bool, float]]:
        plugin = value.metadata.plugin_data.plugin_name
        if plugin:
            self._plugins[value.tag] = plugin
        else:
            plugin = self._plugins.get(value.tag, "")
        if plugin == "scalars":
            yield place, value.tag, False, _scalar(value.tensor)
        elif plugin == "histograms":
            yield place, value.tag, True, float(buckets(value)[:, 2].sum())
        else:
            self.skipped[plugin or "others"] += 1


def _scalar(tensor: Any) -> float:
    one = tensor.float_val
    return float(one[0] if len(one) == 1 else make_ndarray(tensor).reshape(-1)[0])


def buckets(value: Any) -> NDArray[np.float64]:
    """A histogram in the form of a tensor: left and right edge and count of each bucket, shape [n, 3]."""
    found: NDArray[np.float64] = make_ndarray(value.tensor).astype(np.float64).reshape(-1, 3)
    return found


def parse(data: bytes) -> Any:
    """The event in a record.

    Raises:
        ValueError: If there is none.
    """
    try:
        return Event.FromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from error
