"""The fixed bins against numpy and scipy on the raw values."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from normscope import sketch

if TYPE_CHECKING:
    from numpy.typing import NDArray

N = 1_000_000
P = np.array([0.01, 0.05, 0.15, 0.25, 0.5, 0.75, 0.85, 0.95, 0.99])


def drawn(name: str, size: int = N) -> NDArray[np.float32]:
    """Values that are spread as the name says."""
    rng = np.random.default_rng(7)
    match name:
        case "normal":
            values = rng.normal(0.3, 1.0, size)
        case "relu":
            values = np.maximum(rng.normal(0.0, 1.0, size), 0)
        case "heavy":
            values = rng.standard_t(2, size)
        case "bimodal":
            values = np.where(rng.random(size) < 0.4, rng.normal(-3, 0.5, size), rng.normal(2, 0.8, size))
        case "tiny":
            values = rng.normal(1e-6, 2e-6, size)
        case "huge":
            values = rng.normal(1e6, 2e6, size)
        case "sigmoid":
            values = 1 / (1 + np.exp(-rng.normal(0, 2, size)))
        case _:
            values = np.full(size, 0.7)
    return values.astype(np.float32)


def close(found: NDArray[np.float64], values: NDArray[np.float32], shares: NDArray[np.float64]) -> bool:
    """Whether quantiles are within 1 % of the values' interquartile range, or 2 % of numpy's."""
    exact = values.astype(np.float64)
    wanted, (upper, lower) = np.quantile(exact, shares), np.quantile(exact, [0.75, 0.25])
    return bool((np.abs(found - wanted) <= np.maximum(0.01 * (upper - lower), 0.02 * np.abs(wanted)) + 1e-30).all())


@pytest.mark.parametrize("name", ["normal", "relu", "heavy", "bimodal", "tiny", "huge", "sigmoid", "constant"])
def test_quantiles_are_close_to_numpys(name: str) -> None:
    values = drawn(name)
    found = sketch.quantiles(sketch.histogram(values), P, float(values.min()), float(values.max()))
    assert close(found, values, P), found


def test_quantiles_keep_order_and_stay_within_the_extremes() -> None:
    values = drawn("heavy")[:1000]
    found = sketch.quantiles(sketch.histogram(values), np.linspace(0, 1, 301), float(values.min()), float(values.max()))
    assert (np.diff(found) >= 0).all()
    assert found[0] == pytest.approx(values.min(), rel=1e-6)
    assert found[-1] == pytest.approx(values.max(), rel=1e-6)


def test_nothing_has_no_quantiles_and_no_distance() -> None:
    nothing, something = np.zeros(sketch.BINS), sketch.histogram([1.0])
    assert np.isnan(sketch.quantiles(nothing, P, np.nan, np.nan)).all()
    for distance in (sketch.wasserstein, sketch.jensen_shannon, sketch.kolmogorov_smirnov):
        assert np.isnan(distance(nothing, something))
        assert np.isnan(distance(something, nothing))


def test_a_sum_of_histograms_is_the_histogram_of_all() -> None:
    parts = np.array_split(drawn("heavy"), 7)
    summed = sum(sketch.histogram(p) for p in parts)
    assert np.array_equal(summed, sketch.histogram(np.concatenate(parts)))


def test_edges_are_exact_float32_and_each_bin_begins_at_its_own() -> None:
    edges = sketch.edges()
    assert len(edges) == sketch.BINS + 1
    finite = edges[1:-1]
    assert np.array_equal(finite, finite.astype(np.float32).astype(np.float64))
    assert (np.diff(finite) > 0).all()
    positive = finite[finite > 0]
    assert np.array_equal(sketch.bin_index(positive), np.searchsorted(edges, positive, side="right") - 1)
    below = np.nextafter(positive.astype(np.float32), np.float32(0))
    assert np.array_equal(sketch.bin_index(below), sketch.bin_index(positive) - 1)


def test_bins_agree_with_a_search_among_the_edges() -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    values = values[np.isfinite(values)]
    magnitude = np.searchsorted(sketch.edges(), np.abs(values.astype(np.float64)), side="right") - 1
    wanted = np.where(np.signbit(values), sketch.BINS - 1 - magnitude, magnitude)
    assert np.array_equal(sketch.bin_index(values), wanted)


@pytest.mark.parametrize(
    ("value", "bin_"),
    [
        (0.0, sketch.ZERO_BIN),
        (-0.0, sketch.ZERO_BIN),
        (1e-45, sketch.ZERO_BIN),
        (-1e-45, sketch.ZERO_BIN),
        (2.0**-64, sketch.ZERO_BIN + 1),
        (-(2.0**-64), sketch.ZERO_BIN - 1),
        (2.0**32, sketch.BINS - 1),
        (-(2.0**32), 0),
        (3.4e38, sketch.BINS - 1),
    ],
)
def test_the_ends_of_the_line(value: float, bin_: int) -> None:
    assert int(sketch.bin_index(value)) == bin_


def test_what_is_not_finite_is_in_no_bin() -> None:
    assert sketch.histogram([np.nan, np.inf, -np.inf, 1.0]).sum() == 1


@pytest.mark.parametrize(("one", "other"), [("normal", "bimodal"), ("normal", "relu"), ("tiny", "huge")])
def test_distances_are_close_to_scipys_on_raw_values(one: str, other: str) -> None:
    a, b = drawn(one)[:100_000], drawn(other)[:100_000]
    p, q = sketch.histogram(a), sketch.histogram(b)
    assert sketch.wasserstein(p, q) == pytest.approx(wasserstein_distance(a, b), rel=0.02)
    assert sketch.jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-9)
    # Seen at bin edges only, so it can be below the true one, by at most the mass of a bin.
    assert -1e-12 <= ks_2samp(a, b).statistic - sketch.kolmogorov_smirnov(p, q) <= 0.02


def test_a_shift_is_its_wasserstein_distance() -> None:
    values = drawn("normal")
    p, q = sketch.histogram(values), sketch.histogram(values + 0.5)
    assert sketch.wasserstein(p, q) == pytest.approx(0.5, rel=0.01)
    assert sketch.wasserstein(p, p) == sketch.jensen_shannon(p, p) == sketch.kolmogorov_smirnov(p, p) == 0


def test_the_torch_free_part_leaves_torch_alone() -> None:
    code = "import sys, normscope.wire, normscope.sketch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_quantiles_of_many_histograms_are_those_of_each() -> None:
    rng = np.random.default_rng(3)
    values = [rng.normal(3 * rng.normal(), rng.uniform(0.001, 5), int(rng.integers(1, 300))) for _ in range(60)]
    values += [np.zeros(5), np.ones(3), np.array([1e12, -1e12, 0.0]), np.maximum(rng.normal(size=90), 0)]
    tallies = np.array([sketch.histogram(v) for v in values] + [np.zeros(sketch.BINS, np.int64)])
    low, high = np.array([(v.min(), v.max()) for v in [*values, np.array([np.nan])]], np.float32).T
    wanted = [0, 0.05, 0.5, 0.95, 1]
    each = [sketch.quantiles(t, wanted, a, b) for t, a, b in zip(tallies, low, high, strict=True)]
    np.testing.assert_allclose(sketch.quantiles_of_many(tallies, wanted, low, high), each, rtol=1e-12)


def test_extremes_that_are_infinite_leave_quantiles_near_them_unknown() -> None:
    tally = sketch.histogram([1.0, 2.0, 1e30])[None]
    low, high = np.array([np.inf]), np.array([np.inf])
    assert np.isnan(sketch.quantiles_of_many(tally, [0.5], low, high)).all()
    assert np.isfinite(sketch.quantiles_of_many(tally, [0.1], np.array([1.0]), high)).all()
