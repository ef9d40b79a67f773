"""Where training waits: threads that meet at conditions, never sleeps."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from normscope.control import Controls
from normscope.wire import Control, Welcome

if TYPE_CHECKING:
    from collections.abc import Iterator


class Run:
    """A training loop that does nothing but wait at the end of each step."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.changed = threading.Condition()
        self.controls = Controls(self.tell)
        self.steps = 0
        self.paused = 0.0
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def tell(self, held: bool) -> None:
        with self.changed:
            self.told.append(held)
            self.changed.notify_all()

    def loop(self) -> None:
        while not self.controls.stopped:
            with self.changed:
                self.steps += 1
                self.changed.notify_all()
            self.paused += self.controls.wait()

    def until(self, steps: int, held: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.steps >= steps and self.told.count(True) >= held, 10)

    def do(self, action: str, value: float | None = None) -> None:
        self.controls.apply(Control(action, value))


@pytest.fixture
def run() -> Iterator[Run]:
    one = Run()
    yield one
    one.do("stop")
    one.thread.join(10)
    assert not one.thread.is_alive()


def test_without_wishes_nothing_waits() -> None:
    run = Run()
    assert run.controls.wait() == 0
    assert run.told == []


def test_pause_holds_and_resume_goes_on(run: Run) -> None:
    run.do("pause")
    run.thread.start()
    run.until(1, held=1)
    assert run.steps == 1
    run.do("resume")
    run.until(100, held=1)
    assert run.told == [True, False]
    assert run.paused > 0


def test_step_lets_exactly_one_step_through(run: Run) -> None:
    run.do("pause")
    run.thread.start()
    run.until(1, held=1)
    for n in (2, 3, 4):
        run.do("step")
        run.until(n, held=n)
        assert run.steps == n


def test_a_welcome_says_how_to_go_on(run: Run) -> None:
    run.controls.welcome(Welcome("r", -1, paused=True))
    run.thread.start()
    run.until(1, held=1)
    run.controls.welcome(Welcome("r", 0, paused=True))
    assert run.steps == 1
    run.controls.welcome(Welcome("r", 0))
    run.until(50, held=1)


def test_stop_ends_a_pause(run: Run) -> None:
    run.do("pause")
    run.thread.start()
    run.until(1, held=1)
    run.do("stop")
    run.thread.join(10)
    assert run.controls.stopped
    assert run.steps == 1


def test_a_welcome_can_stop_but_never_unstop() -> None:
    controls = Controls(lambda _: None)
    controls.welcome(Welcome("r", 0, stop=True))
    controls.welcome(Welcome("r", 0, stop=False, paused=True))
    assert controls.stopped
    assert controls.wait() == 0


def test_a_pace_is_kept_without_drift_and_counts_as_training() -> None:
    controls = Controls(lambda _: None)
    controls.apply(Control("pace", 200.0))
    controls.wait()
    began = time.monotonic()
    paused = sum(controls.wait() for _ in range(40))
    assert paused == 0
    assert time.monotonic() - began >= 40 / 200 - 1e-3


def test_time_lost_is_not_made_up_in_a_burst() -> None:
    controls = Controls(lambda _: None)
    controls.apply(Control("pace", 100.0))
    controls.wait()
    late = time.monotonic() + 0.1
    while time.monotonic() < late:  # a step that takes ten periods
        pass
    controls.wait()
    began = time.monotonic()
    for _ in range(5):
        controls.wait()
    assert time.monotonic() - began >= 5 / 100 - 1e-3


def test_a_pace_that_is_taken_back_lets_go_at_once(run: Run) -> None:
    run.do("pace", 0.01)
    run.thread.start()
    run.until(1, held=0)
    run.do("pace", None)
    run.until(20, held=0)


def test_a_pace_that_is_raised_applies_to_the_wait_in_progress(run: Run) -> None:
    run.do("pace", 0.001)
    run.thread.start()
    run.until(2, held=0)
    run.do("pace", 1e6)
    run.until(20, held=0)
    run.do("pace", 0.001)
    run.do("pause")
    run.until(20, held=1)
