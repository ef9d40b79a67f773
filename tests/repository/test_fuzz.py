"""A short run of what `make fuzz` does for long."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ..conftest import HOUSE
from ..fuzz import sockets
from ..fuzz.__main__ import BEGIN, END, PAGE, SHARES, Result, mutate, written
from ..fuzz.targets import TARGETS, seeds

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUTS = {"codec": 700, "parser": 2000, "recording": 300, "log": 300, "ingest": 80, "live": 300}


@pytest.fixture(scope="module", autouse=True)
def _left() -> Iterator[None]:
    yield
    sockets.leave()


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_is_taken_amiss(target: str) -> None:
    mutate(TARGETS[target], seeds(target), INPUTS[target])


def test_the_command_counts_its_inputs_and_tells_of_a_fault() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--target", "parser", "--inputs", "500"]
    done = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done 500" in done.stderr + done.stdout
    assert set(SHARES) == set(TARGETS)
    assert sum(SHARES.values()) == pytest.approx(1)


def test_the_page_says_what_came_out() -> None:
    text = PAGE.read_text("utf-8")
    table = text.partition(BEGIN)[2].partition(END)[0]
    tried = int(table.partition("| all | ")[2].partition(" |")[0].replace(",", ""))
    assert tried >= 100_000
    assert "| all | 12 | 1 | |" in written(text, [Result("codec", 12, 1, 0.5)], led=True)
