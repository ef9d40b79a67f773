"""Tensors that wait are described by what torch lends of them: exactly those that the core can read as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from normscope import native
from normscope.capture.recorder import Copying, Packing
from normscope.capture.summary import ALL, NEVER, summarize
from normscope.capture.tensors import is_plain
from normscope.native import tensors

if TYPE_CHECKING:
    from normscope.capture.recorder import Recorder
    from normscope.capture.summary import Summaries

lends = hasattr(Tensor, "__dlpack_c_exchange_api__")
needs_lending = pytest.mark.skipif(
    not (lends and native.available()), reason="there is no core, or this torch is older"
)

KINDS = {
    "a matrix": torch.randn(60, 100),
    "a parameter's product": nn.Linear(3, 4)(torch.randn(5, 3)),
    "a row": torch.randn(5, 7)[2],
    "rows": torch.randn(5, 7)[1:3],
    "a column": torch.randn(5, 7)[:, 2],
    "a column of one": torch.randn(5, 1).t(),
    "transposed": torch.randn(5, 7).t(),
    "channels last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    "expanded": torch.randn(1, 7).expand(5, 7),
    "one number": torch.tensor(3.0),
    "nothing": torch.empty(3, 0, 2),
    "negated by a flag": torch._neg_view(torch.randn(6)),
    "of conjugates": torch.randn(6, dtype=torch.complex64).conj().imag,
    "float64": torch.randn(6, dtype=torch.float64),
    "float16": torch.randn(6).half(),
    "bfloat16": torch.randn(6).bfloat16(),
    "integers": torch.arange(6),
    "complex": torch.randn(6, dtype=torch.complex64),
    "booleans": torch.ones(6, dtype=torch.bool),
    "without values": torch.empty(6, device="meta"),
    "the largest": torch.randn(ALL),
    "too large": torch.randn(ALL + 1),
}


def waiting() -> list[tuple[int, Tensor, int]]:
    return [(slot, x, x._version) for slot, x in enumerate(KINDS.values())]


def found(recorder: Recorder, slots: int) -> Summaries:
    bounds = np.full((2, slots), np.array(NEVER, np.float32)[:, None])
    return summarize(recorder.take().raw(), bounds)


def test_where_torch_lends_its_tensors_to_a_core_they_are_taken() -> None:
    assert (native.describer() is not None) == (lends and native.available())
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    assert lends or version < (2, 10), "torch has given up what the core asks for"


@needs_lending
def test_the_core_takes_what_is_plain_and_small_and_leaves_the_rest() -> None:
    describer = native.describer()
    assert describer is not None
    jobs, count, others = describer.describe(waiting())
    plain = [slot for slot, x, _ in waiting() if is_plain(x) and x.numel() <= ALL]
    assert [jobs[4 * i + 3] for i in range(count)] == plain
    assert sorted([*plain, *others]) == list(range(len(KINDS)))
    for i, slot in enumerate(plain):
        x = list(KINDS.values())[slot]
        assert jobs[4 * i : 4 * i + 3].tolist() == [x.data_ptr(), x.numel(), 0]
    for slot, x, _ in waiting():
        job = describer.describe_one(slot, x)
        assert (None if job is None else job.tolist()) == ([x.data_ptr(), x.numel(), 0, slot] if is_plain(x) else None)


@needs_lending
def test_what_was_changed_in_place_meanwhile_is_left() -> None:
    describer = native.describer()
    assert describer is not None
    kept, changed = torch.randn(4), torch.randn(4)
    entries = [(0, changed, changed._version), (1, kept, kept._version)]
    changed.add_(1)
    jobs, count, others = describer.describe(entries)
    assert (count, list(others), jobs[3]) == (1, [0], 1)


@needs_lending
def test_nobody_counts_a_reference_too_many() -> None:
    import sys

    describer = native.describer()
    assert describer is not None
    x = torch.randn(3)
    counted = sys.getrefcount(x), sys.getrefcount(True), sys.getrefcount(False)
    for _ in range(1000):
        describer.describe([(0, x, x._version), (1, x, 99)])
        describer.describe_one(0, x)
    assert (sys.getrefcount(x), sys.getrefcount(True), sys.getrefcount(False)) == pytest.approx(counted, abs=50)


@pytest.mark.parametrize("road", ["lent", "asked", "copied"])
def test_all_roads_find_the_same(road: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what torch lends, as an older torch has it, and without a core."""
    slots = len(KINDS)
    bounds = np.full((2, slots), np.array(NEVER, np.float32)[:, None])
    if road == "asked":
        monkeypatch.setattr(tensors, "asked", lambda: None)
    recorder: Recorder = Packing(bounds) if native.available() and road != "copied" else Copying(bounds)
    memory = np.zeros(1 << 17, np.float32)
    recorder.begin(memory, 0, len(memory))
    others = {slot for slot, _, _ in recorder.add_all(waiting())}
    assert others == {slot for slot, x, _ in waiting() if not (is_plain(x) and x.numel() <= ALL)}
    summaries = found(recorder, slots)
    assert set(summaries.slots.tolist()) == set(range(slots)) - others
    for slot, moments, counters in zip(summaries.slots, summaries.moments, summaries.counters, strict=True):
        x = list(KINDS.values())[slot].detach().double().numpy()
        assert counters[0] == x.size
        if x.size:
            np.testing.assert_allclose(moments, [x.mean(), x.std(), x.min(), x.max()], rtol=1e-5, atol=1e-7)


def test_a_torch_that_does_not_lend_its_tensors_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors.asked.cache_clear()
    try:
        monkeypatch.delattr(Tensor, "__dlpack_c_exchange_api__", raising=False)
        assert native.describer() is None
    finally:
        monkeypatch.undo()
        tensors.asked.cache_clear()
