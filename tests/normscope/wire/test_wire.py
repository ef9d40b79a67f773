"""Frames and messages: what is written is read, what is damaged is refused, merging is exact."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from normscope import sketch, wire
from normscope.errors import WireError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def frame_of(values: dict[int, NDArray[np.float64]], seq: int = 0, **series: float) -> wire.Frame:
    """A level-0 frame with the summaries of these layers, by numpy on the raw values."""
    frame = wire.Frame(seq, seq * 3, seq * 3, 1000.5 + seq)
    frame.series = {name: wire.Series.of(value) for name, value in series.items()}
    frame.layers = np.array(list(values), np.int64)
    frame.kinds = np.zeros(len(values), np.int64)
    rows = [v[np.isfinite(v)] for v in values.values()]
    frame.moments = np.array([[r.mean(), r.std(), r.min(), r.max()] if len(r) else [np.nan] * 4 for r in rows]).reshape(
        -1, 4
    )
    frame.counters = np.array(
        [[len(v), (v == 0).sum(), 0, (~np.isfinite(v)).sum()] for v in values.values()], np.int64
    ).reshape(-1, 4)
    dense = np.concatenate([sketch.histogram(r) for r in rows]) if rows else np.zeros(0, np.int64)
    frame.bins = np.flatnonzero(dense)
    frame.counts = dense[frame.bins]
    return frame


def some_frame(seq: int = 0) -> wire.Frame:
    rng = np.random.default_rng(seed=seq)
    values = {
        0: rng.normal(0, 1, 6000),
        3: np.zeros(10),
        4: np.array([np.nan, np.inf]),
        7: rng.standard_t(2, 500) * 1e9,
        9: np.array([]),
    }
    frame = frame_of(values, seq, loss=0.25 * seq, accuracy=0.5)
    frame.series["landscape.loss"] = wire.Series.of(rng.normal(size=8))
    return frame


def assert_same(a: wire.Frame, b: wire.Frame) -> None:
    for name in ("seq", "first_step", "last_step", "time", "level", "frames"):
        assert getattr(a, name) == getattr(b, name), name
    for name in ("layers", "kinds", "counters", "bins", "counts"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert np.array_equal(a.moments.astype(np.float32), b.moments.astype(np.float32), equal_nan=True)
    assert list(a.series) == list(b.series)
    for name, series in a.series.items():
        for part in ("mean", "low", "high"):
            assert np.array_equal(getattr(series, part), getattr(b.series[name], part), equal_nan=True), name
        assert series.samples == b.series[name].samples


@pytest.mark.parametrize("count", [1, 4])
def test_a_frame_comes_back_as_it_was(count: int) -> None:
    frame = some_frame() if count == 1 else wire.merge([some_frame(i) for i in range(count)])
    assert_same(wire.decode(wire.encode(frame)), frame)


@pytest.mark.parametrize("count", [1, 4])
def test_an_outline_is_the_frame_without_its_histograms(count: int) -> None:
    data = wire.encode(wire.merge([some_frame(i) for i in range(count)]))
    whole = wire.decode(data)
    whole.bins, whole.counts = whole.bins[:0], whole.counts[:0]
    assert_same(wire.outline(data), whole)


def test_series_keep_values_that_are_not_finite() -> None:
    frame = frame_of({}, loss=float("nan"), other=float("inf"))
    back = wire.decode(wire.encode(frame))
    assert np.isnan(back.series["loss"].mean[0])
    assert back.series["other"].mean[0] == np.inf


def test_neighbouring_layers_with_bins_at_the_ends_stay_apart() -> None:
    frame = frame_of({0: np.array([1e30, -1e30]), 1: np.array([-1e30, 1e30])})
    back = wire.decode(wire.encode(frame))
    assert_same(back, frame)
    assert back.histogram(0)[-1] == back.histogram(1)[0] == 1


def test_every_truncation_is_refused() -> None:
    data = wire.encode(some_frame())
    for end in range(len(data)):
        with pytest.raises(WireError):
            wire.decode(data[:end])
    with pytest.raises(WireError):
        wire.decode(data + b"\0")


def test_flipped_bytes_are_refused_or_read_and_nothing_else() -> None:
    data = wire.encode(some_frame())
    rng = np.random.default_rng(0)
    for place, flip in zip(rng.integers(0, len(data), 2000), rng.integers(1, 256, 2000), strict=True):
        damaged = bytearray(data)
        damaged[place] ^= flip
        try:
            frame = wire.decode(bytes(damaged))
        except WireError:
            continue
        assert len(frame.moments) == len(frame.layers) == len(frame.counters)


def test_noise_is_refused() -> None:
    rng = np.random.default_rng(1)
    for size in rng.integers(0, 200, 300):
        with pytest.raises(WireError):
            wire.decode(b"\1" + rng.bytes(int(size)))


def test_select_keeps_the_layers_asked_for() -> None:
    frame = some_frame()
    data = wire.encode(frame)
    kept = wire.decode(wire.select(data, [7, 3, 99]))
    assert kept.layers.tolist() == [3, 7]
    assert np.array_equal(kept.histogram(1), frame.histogram(3))
    assert list(kept.series) == list(frame.series)
    assert wire.select(data, frame.layers.tolist()) == data
    assert len(wire.decode(wire.select(data, [])).layers) == 0


def test_a_merged_frame_is_the_summary_of_all_values() -> None:
    rng = np.random.default_rng(5)
    parts = [{0: rng.normal(1000, 1, 500) + i, 2: rng.exponential(1, 60)} for i in range(4)]
    parts[1][5] = np.array([1.0, np.nan])
    parts[2][5] = np.array([np.nan])
    merged = wire.merge([frame_of(p, i, loss=float(i)) for i, p in enumerate(parts)])
    whole = frame_of({k: np.concatenate([p[k] for p in parts if k in p]) for k in (0, 2, 5)})
    assert (merged.seq, merged.first_step, merged.last_step, merged.level, merged.frames) == (0, 0, 9, 1, 4)
    assert merged.layers.tolist() == [0, 2, 5]
    np.testing.assert_allclose(merged.moments, whole.moments, rtol=1e-9)
    for name in ("counters", "bins", "counts"):
        assert np.array_equal(getattr(merged, name), getattr(whole, name)), name
    loss = merged.series["loss"]
    assert (loss.mean[0], loss.low[0], loss.high[0], loss.samples) == (1.5, 0.0, 3.0, 4)


def test_merging_in_one_step_or_two_is_the_same() -> None:
    frames = [some_frame(i) for i in range(16)]
    twice = wire.merge([wire.merge(frames[i : i + 4]) for i in range(0, 16, 4)])
    once = wire.merge(frames)
    np.testing.assert_allclose(twice.moments, once.moments, rtol=1e-9)
    assert np.array_equal(twice.bins, once.bins)
    assert np.array_equal(twice.counts, once.counts)
    assert twice.level == 2


def test_several_rows_of_one_layer_in_one_frame_merge() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 100), rng.normal(5, 2, 50)
    frame = frame_of({0: a, 1: b})
    frame.layers = np.array([0, 0])
    merged = wire.merge([frame])
    np.testing.assert_allclose(merged.moments, frame_of({0: np.concatenate([a, b])}).moments)


LAYERS = (wire.Layer("fc1", "Linear"), wire.Layer("net.0.act", "ReLU"))


@pytest.mark.parametrize(
    "message",
    [
        wire.Hello("k" * 22, "a net", LAYERS, "token", {"torch": "2"}),
        wire.Welcome("r1", 7, paused=True, pace=20.0),
        wire.Ack(3, ended=True),
        wire.Control("pace", 2.5),
        wire.Control("pace", None),
        wire.State(paused=True),
        wire.Graph(((0, 1), (1, 0))),
        wire.End("failed", "ValueError: no"),
        wire.End("finished", outcome={"final_loss": 0.25, "steps_to_loss": 40, "beta": None}),
    ],
)
def test_messages_come_back_as_they_were(message: wire.Message) -> None:
    assert wire.parse(message.dump()) == message


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "1", "{}", '"hello"', '{"type":"ack"}', '{"type":"nothing"}', '{"type":["ack"]}',
        '{"type":"ack","last":"3"}', '{"type":"control","action":"explode"}', '{"type":"end","status":"fine"}',
        '{"type":"control","action":"pace","value":"x"}', '{"type":"control","action":"pace","value":-1}',
        '{"type":"control","action":"pace","value":NaN}', '{"type":"welcome","run":"r","last":0,"pace":0}',
        '{"type":"end","status":"finished","outcome":{"loss":NaN}}', '{"type":"end","status":"finished","outcome":[1]}',
        '{"type":"hello","key":"short","name":"n"}', '{"type":"ack","last":1,"more":2}',
        '{"type":"hello","key":"kkkkkkkkkkkkkkkkkkkkkk","name":"n","version":99}',
        '{"type":"hello","key":"kkkkkkkkkkkkkkkkkkkkkk","name":"n","layers":[{"name":"x"}]}',
        '{"type":"hello","key":"kkkkkkkkkkkkkkkkkkkkkk","name":"n","layers":[1]}',
        '{"type":"hello","key":"kkkkkkkkkkkkkkkkkkkkkk","name":"n","layers":5}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(WireError):
        wire.parse(text)


def test_a_frame_of_another_version_is_refused() -> None:
    data = bytes([wire.VERSION + 1]) + wire.encode(some_frame())[1:]
    with pytest.raises(WireError, match="version"):
        wire.decode(data)


def test_a_time_that_is_no_time_is_refused() -> None:
    data = bytearray(wire.encode(frame_of({})))
    struct.pack_into("<d", data, struct.calcsize("<BBHIIII"), float("nan"))
    with pytest.raises(WireError, match="time"):
        wire.decode(bytes(data))


def test_a_series_without_samples_is_refused() -> None:
    frame = frame_of({}, loss=1.0)
    frame.series["loss"].samples = 0
    with pytest.raises(WireError, match="samples"):
        wire.decode(wire.encode(frame))


def test_moments_beyond_float32_arrive_as_infinite() -> None:
    frame = frame_of({0: np.array([1.0])})
    frame.moments[0, 0] = 1e300
    assert wire.decode(wire.encode(frame)).moments[0, 0] == np.inf


def test_messages_are_small_json_objects() -> None:
    assert json.loads(wire.Ack(4).dump()) == {"type": "ack", "last": 4, "ended": False}
