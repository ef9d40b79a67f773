"""What is said of a step beside its values comes back as it was, whatever it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from normscope.sending.note import _SHAPES, Step, Writer, read

NAMES = st.text(max_size=20)
STEPS = st.integers(0, 2**62)


@given(st.dictionaries(NAMES, st.floats(allow_nan=False), max_size=20), STEPS, st.floats(0, 2e9), st.integers(0, 500))
def test_numbers_come_back_under_their_names_in_their_order(
    series: dict[str, float], step: int, time: float, records: int
) -> None:
    found = read(Writer().write(step, time, series, records))
    assert found == Step(step, time, series, records)
    assert list(found.series) == list(series)


def test_what_is_not_finite_stays_so() -> None:
    found = read(Writer().write(3, 1.5, {"loss": math.nan, "rate": -math.inf, "step": 2}, 0)).series
    assert math.isnan(found["loss"])
    assert found["rate"] == -math.inf
    assert found["step"] == 2


@pytest.mark.parametrize("more", [None, ((0, 2), (5, 7), (0,), ([1.0] * 8,))])
def test_vectors_and_tensors_without_a_record_come_back_too(more: Any) -> None:
    writer = Writer()
    series = {"loss": 0.5, "landscape.loss": np.array([1.0, 2.0])}
    for _ in range(2):
        found = read(writer.write(7, 12.5, series, 1, more))
        assert found[:2] == (7, 12.5)
        assert found.series["landscape.loss"].tolist() == [1.0, 2.0]
        assert found.more == more


def test_a_loop_with_ever_new_names_does_not_fill_the_memory() -> None:
    writer = Writer()
    for i in range(3 * _SHAPES):
        assert read(writer.write(i, 0.0, {f"at step {i}": 1.0}, 0)).series == {f"at step {i}": 1.0}
    assert len(writer._shapes) <= _SHAPES
