"""All roads from values to a summary, against numpy in float64."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from normscope import native, sketch
from normscope.capture.capture import Capture
from normscope.capture.reduction import flat, reduce_here, reduce_there, stride
from normscope.capture.seen import Seen
from normscope.capture.summary import ALL, NEVER, SAMPLE, Raw, Summaries, summarize, summarize_arrays

from ..test_native import needs_core
from ..test_sketch import close, drawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Road = Callable[[list[Tensor], list[tuple[float, float]]], Summaries]


def summarized(tensors: list[Tensor], bounds: list[tuple[float, float]]) -> Summaries:
    """By the compiled core, where there is one; as hooks do it."""
    return _captured(tensors, bounds)


def copied(tensors: list[Tensor], bounds: list[tuple[float, float]]) -> Summaries:
    """Without the compiled core: small tensors are copied, large ones reduced."""
    with mock.patch.object(native.library, "_library", None):
        return _captured(tensors, bounds)


def _captured(tensors: list[Tensor], bounds: list[tuple[float, float]]) -> Summaries:
    net = nn.ModuleList(nn.Identity() for _ in tensors)
    if not tensors:
        return summarize(Raw(), np.zeros((2, 0), np.float32))
    with mock.patch("normscope.capture.layers.saturation", side_effect=bounds):
        capture = Capture(net)
    capture.active = True
    for module, tensor in zip(net, tensors, strict=True):
        module(tensor)
    assert not capture.border.failures
    return summarize(capture.collect().raw(), capture.bounds)


def there(tensors: list[Tensor], bounds: list[tuple[float, float]], wide: torch.dtype = torch.float64) -> Summaries:
    """As on another device; this machine's processor can play one."""
    away = [(i, reduce_there(flat(t), *b, wide=wide)) for i, (t, b) in enumerate(zip(tensors, bounds, strict=True))]
    seen = Seen(np.zeros(0, np.float32), 0, 0, 0, packed=native.available(), away=away)
    return summarize(seen.raw(), np.array(bounds, np.float32).T)


def there_by_float32(tensors: list[Tensor], bounds: list[tuple[float, float]]) -> Summaries:
    """As on a device that knows no wider numbers."""
    return there(tensors, bounds, torch.float32)


def there_without_core(tensors: list[Tensor], bounds: list[tuple[float, float]]) -> Summaries:
    with mock.patch.object(native.library, "_library", None):
        return there(tensors, bounds)


def end_to_end(tensors: list[Tensor], bounds: list[tuple[float, float]]) -> Summaries:
    """All values counted, whatever the size: what the process beside training does with copies and samples."""
    arrays = [t.float().numpy().reshape(-1) for t in tensors]
    low, high = np.array(bounds, np.float32).reshape(-1, 2).T
    lengths = np.array([len(a) for a in arrays], np.int64)
    values = np.concatenate(arrays) if arrays else np.zeros(0, np.float32)
    return summarize_arrays(values, lengths, low, high)


ROADS = [summarized, copied, there, there_by_float32, there_without_core, end_to_end]
roads = pytest.mark.parametrize("road", ROADS)


def normal(mean: float, std: float, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(11)
    return (torch.randn(shape, generator=generator, dtype=torch.float64) * std + mean).to(dtype)


CASES = {
    "normal": normal(0, 1, 60, 100),
    "far from zero": normal(1000, 1, 60, 100),
    "further": normal(-3e5, 10, 5000),
    "half": normal(3, 1, 60, 100, dtype=torch.float16),
    "half, far": normal(1000, 4, 60, 100, dtype=torch.float16),
    "bfloat": normal(1000, 30, 60, 100, dtype=torch.bfloat16),
    "double": normal(1, 2, 60, 100, dtype=torch.float64),
    "tiny": normal(1e-25, 1e-25, 300),
    "huge": normal(1e25, 1e25, 300),
    "relu": normal(0, 1, 60, 100).relu(),
    "constant": torch.full((77,), 0.7),
    "zeros": torch.zeros(9, 3),
    "one": torch.tensor(-2.5),
    "large": normal(5, 3, 40_000),
    "larger": normal(-100, 0.1, 300, 1100),
    "images": normal(2, 1, 8, 16, 14, 14),
    "strided": normal(0, 2, 60, 100).t()[::3],
    "last channel": normal(0, 1, 4, 3, 8, 8).to(memory_format=torch.channels_last),
}


def exact(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.double().numpy().reshape(-1)


@roads
@pytest.mark.parametrize("name", CASES)
def test_moments_are_numpys_in_float64(road: Road, name: str) -> None:
    values = exact(CASES[name])
    mean, std, low, high = road([CASES[name]], [NEVER]).moments[0]
    assert mean == pytest.approx(values.mean(), rel=1e-5, abs=1e-9 * float(np.abs(values).max()))
    assert std**2 == pytest.approx(values.var(), rel=1e-5, abs=1e-18 * float(np.abs(values).max()) ** 2)
    assert (low, high) == (np.float32(values.min()), np.float32(values.max()))


@roads
@pytest.mark.parametrize("name", CASES)
def test_histograms_are_those_of_the_sampled_values(road: Road, name: str) -> None:
    values = flat(CASES[name]).float().numpy()
    found = road([CASES[name]], [NEVER])
    dense = np.zeros(sketch.BINS, np.int64)
    dense[found.bins] = found.counts
    if road is summarized and native.available() and values.size > ALL:
        counted = sketch.histogram(values[places_counted(values.size)])
        assert dense.sum() == SAMPLE
        below, wanted = np.cumsum(dense) / SAMPLE, np.cumsum(counted) / counted.sum()
        assert np.abs(below - wanted).max() <= 1 / SAMPLE
        return
    sampled = values if road is end_to_end else values[:: stride(values.size)]
    assert np.array_equal(dense, sketch.histogram(sampled))
    assert road is end_to_end or min(values.size, SAMPLE // 2) <= dense.sum() <= SAMPLE


def places_counted(size: int) -> NDArray[np.int64]:
    """Which values of a large tensor the core counts: every so many-th, or units of 16, the first few of each group."""
    most, unit = 65_535, 16
    if size <= most:
        return np.arange(size)
    if size > 2 * most:
        return np.arange(0, size, stride(size, most))
    units = size // unit
    group = next(n for n in range(unit, units) if math.gcd(n, units) == 1)
    take = (most // unit - group) * group // units
    found = np.flatnonzero(np.arange(size) // unit % group < take)
    assert most / 2 < len(found) <= most
    return found


@pytest.mark.parametrize("size", [16_385, 65_535, 65_536, 98_304, 131_070, 131_072, 2 * 3 * 5 * 7 * 500, 1_000_000])
@needs_core
def test_of_any_large_tensor_many_values_are_counted(size: int) -> None:
    """Ramps, along which each place has a value of its own."""
    values = np.linspace(1, 2, size, dtype=np.float32)
    found = summarized([torch.from_numpy(values)], [NEVER])
    counted = sketch.histogram(values[places_counted(size)])
    np.testing.assert_allclose(found.counts / SAMPLE, counted[found.bins] / counted.sum(), atol=1 / SAMPLE)


@needs_core  # without it a plain sample is taken, whose percentiles are off by more
@pytest.mark.parametrize("size", [20_000, 65_536, 1_000_003])
@pytest.mark.parametrize("name", ["normal", "relu", "heavy", "bimodal", "tiny", "huge", "sigmoid", "constant"])
def test_percentiles_of_large_tensors_are_close_to_numpys(name: str, size: int) -> None:
    values = drawn(name, size)
    found = summarized([torch.from_numpy(values)], [NEVER])
    dense = np.zeros(sketch.BINS, np.int64)
    dense[found.bins] = found.counts
    shares = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    assert close(sketch.quantiles(dense, shares, *found.moments[0, 2:]), values, shares)


@needs_core
def test_rare_values_stand_in_the_histograms_as_often_as_they_are_there() -> None:
    """Not in each, which keeps one in eight of what it counts; over many steps in as many as they should."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(400):
        values = rng.normal(size=60_000).astype(np.float32)
        values[rng.integers(60_000)] = 100.0
        summary = summarized([torch.from_numpy(values)], [NEVER])
        found.append(int(summary.counts[summary.bins == sketch.bin_index(100.0)].sum()))
    assert set(found) == {0, 1}
    assert sum(found) == pytest.approx(400 * SAMPLE / 60_000, rel=0.5)  # 55, of which 7 are a standard deviation


@roads
def test_counters_and_values_that_are_not_finite(road: Road) -> None:
    nan, inf = float("nan"), float("inf")
    tensor = torch.tensor([0.0, -0.0, nan, inf, -inf, 0.995, 0.005, 0.5, 1e-45])
    found = road([tensor], [(0.01, 0.99)])
    assert found.counters[0].tolist() == [9, 2, 5, 3]
    finite = exact(tensor)[np.isfinite(exact(tensor))]
    wanted = [finite.mean(), finite.std(), finite.min(), finite.max()]
    np.testing.assert_allclose(found.moments[0], wanted, rtol=1e-6)
    assert found.counts.sum() == 6


@roads
def test_saturation_is_beyond_the_bounds_on_either_side(road: Road) -> None:
    tensor = torch.tensor([-0.995, -0.5, 0.0, 0.5, 0.995, float("nan")])
    assert road([tensor, tensor], [(-0.99, 0.99), NEVER]).counters[:, 2].tolist() == [2, 0]


@roads
def test_tensors_without_finite_values_have_no_moments(road: Road) -> None:
    found = road([torch.zeros(0, 5), torch.tensor([float("nan"), float("inf")])], [NEVER, (0.1, 0.9)])
    assert np.isnan(found.moments).all()
    assert found.counters.tolist() == [[0, 0, 0, 0], [2, 0, 0, 2]]
    assert len(found.bins) == 0


@roads
def test_tensors_side_by_side_do_not_mix(road: Road) -> None:
    tensors = [CASES[n].float() for n in ("normal", "zeros", "far from zero")]
    tensors[1:1] = [torch.zeros(0), torch.tensor([float("inf"), 1.0])]
    bounds = [NEVER, NEVER, (0.0, 0.5), NEVER, (999.0, 1001.0)]
    found = road(tensors, bounds)
    for row, (tensor, bound) in enumerate(zip(tensors, bounds, strict=True)):
        alone = road([tensor], [bound])
        np.testing.assert_allclose(found.moments[row], alone.moments[0], rtol=1e-12)
        assert np.array_equal(found.counters[row], alone.counters[0])
        mine = found.bins // sketch.BINS == row
        assert np.array_equal(found.bins[mine] - row * sketch.BINS, alone.bins)
        assert np.array_equal(found.counts[mine], alone.counts)


def test_no_tensors_have_no_summaries() -> None:
    found = copied([], [])
    assert found.moments.shape == (0, 4)
    assert found.counters.shape == (0, 4)


def test_bins_follow_the_rule_of_the_sketch_for_every_bit_pattern() -> None:
    rng = np.random.default_rng(4)
    values = torch.from_numpy(rng.integers(0, 2**32, SAMPLE, dtype=np.uint32).view(np.float32).copy())
    for road in ROADS:
        found = road([values], [NEVER])
        dense = np.zeros(sketch.BINS, np.int64)
        dense[found.bins] = found.counts
        assert np.array_equal(dense, sketch.histogram(values.numpy()))


@roads
def test_a_sample_sees_every_column(road: Road) -> None:
    columns = torch.arange(64.0).repeat(64 * 200, 1) + 1
    found = road([columns], [NEVER])
    whole = sketch.histogram(columns.numpy())
    assert np.array_equal(found.bins, np.flatnonzero(whole))
    np.testing.assert_allclose(found.counts / found.counts.sum(), whole[found.bins] / whole.sum(), rtol=0.05)


def test_reducing_leaves_the_tensor_and_the_graph_alone() -> None:
    tensor = normal(0, 1, 500).requires_grad_()
    output = tensor * 2
    before, version = output.detach().clone(), output._version
    assert not reduce_there(flat(output), *NEVER).requires_grad
    reduce_here(flat(output), *NEVER, np.zeros(SAMPLE, np.float32))
    assert output._version == version
    assert torch.equal(output, before)


@needs_core
def test_where_a_step_has_no_room_for_all_histograms_from_elsewhere_numbers_are_kept() -> None:
    tensors = [normal(i, 1, 20_000) for i in range(4)]
    away = [(i, reduce_there(flat(t), *NEVER)) for i, t in enumerate(tensors)]
    bounds = np.array([NEVER] * 4, np.float32).T
    whole = summarize(Seen(np.zeros(0, np.float32), 0, 0, 0, packed=True, away=away).raw(), bounds)
    seen = Seen(np.zeros(0, np.float32), 0, 0, 0, packed=True, away=away)
    seen.finish(450)
    found = summarize(seen.raw(), bounds)
    assert seen.count <= 450
    assert np.array_equal(found.moments, whole.moments)
    assert np.array_equal(found.counters, whole.counters)
    rows = np.unique(found.bins // sketch.BINS)
    assert 0 < len(rows) < 4
    few = np.isin(whole.bins // sketch.BINS, rows)
    assert np.array_equal(found.bins, whole.bins[few])
    assert np.array_equal(found.counts, whole.counts[few])
