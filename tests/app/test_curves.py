"""The axes and paths of the picture that a page begins with; `tests/e2e/test_glimpse.py` has Plotly's beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.pages.curves import HEIGHT, WIDTH, nice_range, number, path, step_range, ticks

LINES = Path(__file__).parents[2] / "static" / "lines"
NODE = [sys.executable, "scripts/node.py", "node", "--input-type=module", "-e"]


def in_javascript(expression: str) -> object:
    """What the page's own code makes of it."""
    imports = f'import {{ niceRange, stepRange }} from "{LINES}/column.js"; import {{ number }} from "{LINES}/scale.js"'
    code = f"{imports}; console.log(JSON.stringify({expression}))"
    answer = subprocess.run([*NODE, code], cwd=LINES.parents[1], capture_output=True, text=True, check=True)
    found: object = json.loads(answer.stdout)
    return found


def test_ranges_are_those_of_the_page() -> None:
    values = [(0.1, 2.3), (-3.0, -2.999), (5.0, 5.0), (0.0, 0.0), (1e-7, 3e-5), (12_345.0, 98_765.0), (-0.2, 41.0)]
    assert in_javascript(f"{json.dumps(values)}.map(([low, high]) => niceRange(low, high))") == [
        list(nice_range(*pair)) for pair in values
    ]
    steps = [(0, 0), (0, 5), (19, 0), (299, 300), (299, 1000), (999, 0), (1001, 900), (41_000, 0), (99_999, 100_000)]
    assert in_javascript(f"{json.dumps(steps)}.map(([newest, planned]) => stepRange(newest, planned))") == [
        list(step_range(*pair)) for pair in steps
    ]


def test_numbers_are_written_as_on_the_page() -> None:
    values = [0, 1, -1, 0.5, 1.125, 99.95, 1234.5, 99_999, 123_456, 1e21, 0.00123456, 0.000999, -4.2e-7, 1e-3, 300.0]
    assert in_javascript(f"{json.dumps(values)}.map((value) => number(value))") == [number(value) for value in values]
    assert number(float("nan")) == number(float("inf")) == "–"


@pytest.mark.parametrize(
    ("bounds", "most", "steps", "wanted"),
    [
        ((0.5, 2.5), 5, False, ["0.5", "1", "1.5", "2", "2.5"]),
        ((-0.1, 0.1), 5, False, ["−0.1", "−0.05", "0", "0.05", "0.1"]),
        ((0, 25_000), 5, False, ["0", "1", "2"]),  # times ten thousand
        ((0, 1000), 7, True, ["0", "200", "400", "600", "800", "1k"]),
        ((0, 3_000_000), 7, True, ["0", "500k", "1M", "1.5M", "2M", "2.5M", "3M"]),
        ((0, 3), 7, True, ["0", "500m", "1", "1.5", "2", "2.5", "3"]),
    ],
)
def test_ticks_are_round_numbers(bounds: tuple[float, float], most: int, steps: bool, wanted: list[str]) -> None:
    found = ticks(bounds, most, steps=steps)
    assert [tick.text for tick in found] == wanted
    assert all(-1e-3 <= tick.at <= 1 + 1e-3 for tick in found)


def test_large_numbers_are_told_as_multiples_of_a_power() -> None:
    assert [tick.power for tick in ticks((0, 25_000), 5)] == ["", "4", "4"]
    assert [tick.power for tick in ticks((0, 0.0002), 5)] == ["", *["−4"] * 4]


def test_a_line_ends_where_its_values_say_and_breaks_where_there_are_none() -> None:
    x, y = np.arange(5.0), np.array([0.0, 1.0, np.nan, 2.0, 1e12])
    d = path(x, y, (0.0, 4.0), (0.0, 2.0))
    assert d == f"M0,{HEIGHT}L{WIDTH // 4},{HEIGHT // 2}M{3 * WIDTH // 4},0L{WIDTH},-1000000"
