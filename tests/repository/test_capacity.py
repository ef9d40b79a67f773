"""What is reckoned from measurements: the page says what the command makes of them, and the simulation is no guess."""

from __future__ import annotations

import json
import statistics

import pytest

from benchmarks.capacity import COSTS, PAGE, written
from benchmarks.fanout import Level, Place, delays
from benchmarks.reckoning import FULL, RATE, Load, Model


def test_the_page_is_what_the_command_makes_of_what_was_measured() -> None:
    assert written(json.loads(COSTS.read_text("utf-8"))) == PAGE.read_text("utf-8"), "run make capacity"


def test_an_update_reaches_viewers_one_after_another() -> None:
    found = delays([Level(1000, 1e-3)], Place(hop=0.01, before=0.1), rate=0.1, updates=20)
    assert len(found) == 20_000
    assert statistics.mean(found) == pytest.approx(0.11 + 1e-3 * 1001 / 2, rel=0.02)
    assert max(found) == pytest.approx(0.11 + 1.0, rel=0.1)


def test_relays_work_side_by_side() -> None:
    through = delays([Level(10, 1e-3), Level(100, 1e-3)], Place(hop=0.01), rate=0.1, updates=20)
    assert len(through) == 20_000
    assert max(through) == pytest.approx(10e-3 + 100e-3 + 0.02, rel=0.3)
    followed = delays([Level(10, 1e-3), Level(100, 1e-3)], Place(hop=0.01), rate=0.1, updates=20, of=5)
    assert len(followed) == 4000
    assert statistics.mean(followed) == pytest.approx(statistics.mean(through), rel=0.1)


def test_what_shares_a_core_waits_for_it() -> None:
    """A server and its viewers on one core take as long as the one after the other."""
    levels = [Level(1000, 1e-3)]
    one, two = (delays(levels, Place(cores, viewers=1e-3), rate=0.01, updates=5) for cores in (1, 2))
    assert max(one) == pytest.approx(2.0, rel=0.1)
    assert max(two) == pytest.approx(1.0, rel=0.1)


def test_more_than_a_process_can_send_piles_up() -> None:
    found = delays([Level(100, 0.02)], Place(), rate=1.0, updates=10)
    assert max(found[:100]) < 3
    assert min(found[-100:]) > 8


def test_a_load_takes_what_its_parts_cost() -> None:
    costs = {
        "postgresql_server_seconds_per_frame": 1e-3, "server_seconds_per_delivery": 1e-4,
        "server_seconds_per_answer": 0.03, "server_seconds_per_reading": 1e-3, "server_seconds_per_word": 1e-4,
        "bus_seconds_per_word": 1e-6, "postgresql_frames_per_second": 1000.0, "postgresql_seconds_per_reading": 1e-4,
    }  # fmt: skip
    model, load = Model(costs), Load("some", 1000, 3000)
    assert model.frames(load) == 1000 * RATE
    assert model.taking(load) == 5 / FULL
    assert model.showing(load) == pytest.approx(1.5 / FULL)
    assert model.answering(load) == pytest.approx(3 / FULL)
    assert model.databases(load) == 5 / FULL
    assert model.hearing(load) == pytest.approx(0.5)
    # With one server there is no difference; with very many, every viewer has his run read for himself.
    assert model.places(load, 1, by_run=False) == model.places(load, 1, by_run=True) == 1000
    assert model.places(load, 1e6, by_run=False) == pytest.approx(3000, rel=0.01)
