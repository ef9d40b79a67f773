"""What holds for any tensor, any histogram, any frame and any bytes; examples by hypothesis."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from normscope import native, sketch, wire
from normscope.capture.capture import Capture
from normscope.capture.summary import Summaries, merge_numbers, summarize
from normscope.errors import WireError
from normscope.sending import courier
from normscope.sending.note import Step

from .test_wire import assert_same, frame_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float32]

BITS = st.integers(0, 2**32 - 1)
"""Of any float32: zeros of both signs, denormal ones, infinities, NaN."""
arrays = st.one_of(
    st.lists(BITS, max_size=60).map(lambda bits: np.array(bits, np.uint32).view(np.float32)),
    st.builds(
        lambda seed, size, mean, spread: (
            (mean + spread * np.random.default_rng(seed).standard_normal(size)).astype(np.float32)
        ),
        st.integers(0, 1000), st.integers(0, 20_000), st.sampled_from([0, 1e-6, 1000, -1e6]),
        st.sampled_from([1e-6, 1, 1e6]),
    ),
)  # fmt: skip


def finite(values: Values) -> Values:
    return values[np.isfinite(values)]


@given(st.lists(arrays, max_size=5))
def test_histograms_of_parts_add_up_to_that_of_the_whole(parts: list[Values]) -> None:
    whole = np.concatenate([*parts, np.zeros(0, np.float32)])
    total = sum((sketch.histogram(finite(part)) for part in parts), np.zeros(sketch.BINS, np.int64))
    assert np.array_equal(sketch.histogram(finite(whole)), total)


@given(arrays.filter(lambda values: len(finite(values)) > 0), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_quantiles_grow_and_stay_between_the_extremes(values: Values, shares: list[float]) -> None:
    values = finite(values)
    low, high = float(values.min()), float(values.max())
    found = sketch.quantiles(sketch.histogram(values), sorted(shares), low, high)
    assert np.all(np.diff(found) >= 0)
    assert np.all((found >= low) & (found <= high))


def seen(values: Values) -> Summaries:
    capture = Capture(net := nn.Sequential(nn.Identity()))
    capture.write_to(np.zeros(40_000, np.float32), 0, 40_000)
    capture.active = True
    net(torch.from_numpy(values))
    assert not capture.border.failures
    return summarize(capture.collect().raw(), capture.bounds)


@given(arrays)
def test_both_roads_count_exactly_and_agree(values: Values) -> None:
    found = seen(values)
    with mock.patch.object(native.library, "_library", None):
        other = seen(values)
    whole = finite(values)
    exact = [len(values), int((values == 0).sum()), 0, len(values) - len(whole)]
    for s in (found, other):
        assert s.counters[0].tolist() == exact
        assert s.moments[0, 2:].tolist() == [whole.min(), whole.max()] if len(whole) else np.isnan(s.moments).all()
    if len(values) <= 1 << 14:
        for s in (found, other):
            assert np.array_equal(np.bincount(s.bins, s.counts, sketch.BINS), sketch.histogram(whole))
    if len(whole) and np.abs(whole).max() < 1e30:
        wanted = whole.astype(np.float64)
        for s in (found, other):
            # The sum of squares of what is nearly zero rounds to zero; so do its deviations in float32.
            assert math.isclose(s.moments[0, 0], wanted.mean(), rel_tol=1e-5, abs_tol=1e-6 * np.abs(wanted).max())
            assert math.isclose(s.moments[0, 1], wanted.std(), rel_tol=1e-5, abs_tol=1e-6 * np.abs(wanted).max())


@given(arrays, arrays)
def test_numbers_of_two_merge_into_those_of_both(one: Values, other: Values) -> None:
    def numbers(values: Values) -> list[float]:
        x = finite(values).astype(np.float64)
        moments = [x.mean(), x.std(), x.min(), x.max()] if len(x) else [math.nan] * 4
        return [len(values), int((values == 0).sum()), 0, len(values) - len(x), *moments]

    found, wanted = merge_numbers(numbers(one), numbers(other)), numbers(np.concatenate([one, other]))
    assert found[:4] == wanted[:4]
    largest = np.abs(finite(np.concatenate([one, other, [0]])).astype(np.float64)).max()
    np.testing.assert_allclose(found[4:], wanted[4:], rtol=1e-9, atol=1e-9 * largest)


def wide(values: Values) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # a NaN of the signalling kind
        return values.astype(np.float64)


frames = st.builds(
    lambda tensors, seq, series: frame_of({i: wide(values) for i, values in tensors.items()}, seq, **series),
    st.dictionaries(st.integers(0, 65_535), arrays, max_size=4).map(lambda found: dict(sorted(found.items()))),
    st.integers(0, 2**30 - 1),
    st.dictionaries(st.text("abc_.é", min_size=1, max_size=20), st.floats(), max_size=3),
)


@given(st.lists(frames, max_size=4))
def test_frames_come_back_as_they_were_and_say_what_they_are(some: list[wire.Frame]) -> None:
    encoded = [wire.encode(frame) for frame in some]
    for frame, data in zip(some, encoded, strict=True):
        assert_same(wire.decode(data), frame)
        largest = frame.layers[-1] if len(frame.layers) else -1
        said = (0, len(frame.layers), frame.seq, 1, frame.first_step, frame.last_step, largest)
        assert wire.check(data) == said
        with mock.patch.object(native.library, "_library", None):
            assert wire.check(data) == said
    assert wire.split(wire.pack(encoded)) == encoded


def assert_nearly_same(one: wire.Frame, other: wire.Frame) -> None:
    """But for how their means are rounded: deviations and series are sums of products."""
    for name in ("mean", "low", "high"):
        for series, same in zip(one.series.values(), other.series.values(), strict=True):
            np.testing.assert_allclose(getattr(series, name), getattr(same, name), rtol=1e-12)
            setattr(series, name, getattr(same, name))
    np.testing.assert_allclose(one.moments, other.moments, rtol=1e-6)
    one.moments = other.moments
    assert_same(one, other)


@given(
    frames,
    st.lists(
        st.lists(arrays.filter(lambda x: np.abs(finite(x)).max(initial=0) < 1e30), max_size=3), min_size=1, max_size=4
    ),
)
def test_both_roads_merge_alike(other: wire.Frame, tensors: list[list[Values]]) -> None:
    layers = max(map(len, tensors))
    same = [
        wire.encode(
            frame_of(
                {i: wide(x) for i, x in enumerate((some + [np.zeros(3, np.float32)] * 3)[:layers])},
                seq, **{"loss": 1 / (1 + seq), "few" if seq % 2 else "other": 0.1 * seq},
            )
        )
        for seq, some in enumerate(tensors)
    ]  # fmt: skip
    for datas in (same, [*same, wire.encode(other)], [wire.merge_encoded(same)] * 2):
        found = wire.decode(wire.merge_encoded(datas))
        assert_nearly_same(found, wire.decode(wire.encode(wire.merge([wire.decode(data) for data in datas]))))
        assert wire.check(wire.encode(found)).level == found.level
    if native.available():
        assert native.merge(same, len(wire.KINDS))  # which is not left to Python


def sampled(values: Values, every: int, seq: int) -> wire.Frame:
    """A frame of one layer, of whose values every so many-th is counted."""
    frame = frame_of({0: wide(values)}, seq)
    dense = sketch.histogram(finite(values)[::every])
    frame.bins, frame.counts = np.flatnonzero(dense), dense[dense > 0]
    return frame


@given(st.lists(st.tuples(arrays, st.integers(1, 9)), min_size=1, max_size=4))
def test_histograms_of_unlike_shares_are_weighed_by_the_values_they_stand_for(parts: list[tuple[Values, int]]) -> None:
    some = [sampled(values, every, seq) for seq, (values, every) in enumerate(parts)]
    merged = wire.merge(some)
    counts = [frame.counts.sum() for frame in some]
    values = [frame.counters[0, 0] - frame.counters[0, 3] for frame in some]
    wanted = np.zeros(sketch.BINS)
    for frame, n, all_n in zip(some, counts, values, strict=True):
        if n:
            wanted += frame.histogram(0) / n * all_n * (sum(counts) / sum(values))
    # Sums up to any bin are rounded, of each part by itself, and so is the difference of two of them.
    np.testing.assert_allclose(np.cumsum(merged.histogram(0)), np.cumsum(wanted), atol=len(some) / 2 + 1e-6)
    np.testing.assert_allclose(merged.histogram(0), wanted, atol=len(some) + 1e-6)
    found = wire.decode(wire.merge_encoded([wire.encode(frame) for frame in some]))
    assert np.array_equal(found.histogram(0), merged.histogram(0))


def test_a_short_last_mini_batch_has_no_more_say_than_its_values() -> None:
    rng = np.random.default_rng(0)
    large, small = rng.normal(0, 1, 1_000_000).astype(np.float32), rng.normal(3, 1, 50_000).astype(np.float32)
    merged = wire.merge([sampled(large, 122, 0), sampled(small, 7, 1)])
    found = sketch.quantiles(merged.histogram(0), [0.25, 0.5, 0.75, 0.95], *merged.moments[0, 2:])
    wanted = np.quantile(np.concatenate([large, small]), [0.25, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(found, wanted, atol=0.03 * (wanted[2] - wanted[0]))  # what a sample of 8,192 may be off


def test_both_roads_count_no_more_samples_than_there_is_room_for() -> None:
    data = bytearray(wire.encode(frame_of({}, 0, loss=1.0)))
    at = data.index(b"loss") + len(b"loss") + 2
    data[at : at + 4] = (2**31 + 1).to_bytes(4, "little")
    for library in (native.library._library, None):
        with mock.patch.object(native.library, "_library", library):
            merged = wire.decode(wire.merge_encoded([bytes(data)] * 4))
        assert (merged.series["loss"].samples, merged.series["loss"].mean.tolist()) == (2**32 - 1, [1.0])


@given(arrays, arrays)
def test_both_roads_make_the_same_frame_of_a_step(one: Values, other: Values) -> None:
    capture = Capture(net := nn.Sequential(nn.Tanh(), nn.Identity()))
    places = courier.Places(capture.slots)
    capture.write_to(np.zeros(40_000, np.float32), 0, 40_000)
    capture.active = True
    for module, values in zip(net, (one, other), strict=True):
        module(torch.from_numpy(values))
    seen = capture.collect()
    step = Step(7, 12.5, {"loss": 0.5, "landscape.loss": [1.0, 2.0]}, seen.records, None)
    data, slots, numbers = courier.encoded(step, seen.values, places, 3)
    frame = courier.frame_of(step, seen.values, places, 3)
    assert data == wire.encode(frame)
    assert slots.tolist() == frame.layers.tolist()
    np.testing.assert_array_equal(numbers, np.hstack([frame.counters, frame.moments]))


@given(frames, frames)
def test_merged_frames_count_what_both_counted(one: wire.Frame, other: wire.Frame) -> None:
    merged = wire.merge([one, other])
    for layer in {*one.layers.tolist(), *other.layers.tolist()}:
        rows = [(frame, frame.layers.tolist().index(layer)) for frame in (one, other) if layer in frame.layers]
        row = merged.layers.tolist().index(layer)
        assert np.array_equal(merged.histogram(row), sum(frame.histogram(i) for frame, i in rows))
        assert merged.counters[row].tolist() == sum(frame.counters[i] for frame, i in rows).tolist()


def checked(data: bytes) -> wire.Head | str:
    try:
        return wire.check(data)
    except WireError as error:
        return str(error)


@given(frames, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4), st.integers(0, 10_000))
def test_damaged_frames_are_refused_or_still_are_frames(
    frame: wire.Frame, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(wire.encode(frame))
    for at, byte in changes:
        data[at % len(data)] = byte
    for damaged in (bytes(data), bytes(data[: cut % len(data)])):
        with mock.patch.object(native.library, "_library", None):
            said = checked(damaged)
        assert checked(damaged) == said
        with suppress(WireError):
            found = wire.decode(damaged)
            assert len(found.layers) == len(found.kinds) == len(found.moments) == len(found.counters)
            assert np.all(np.diff(found.bins) > 0)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_are_frames(data: bytes) -> None:
    for read in (wire.decode, wire.split):
        with suppress(WireError):
            read(data)
