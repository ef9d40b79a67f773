"""`watch(model)`: the one place where capture meets sender."""

from __future__ import annotations

import logging
import math
import os
import secrets
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

import torch
from torch import Tensor, nn

from . import notebook, wire
from . import schedule as scheduling
from .alerts import chosen
from .alerts.telling import Telling
from .asides import Asides, Measuring
from .background import CORES
from .capture.capture import Capture
from .capture.hooks import Border
from .capture.layers import check_kinds, name_of, unwrapped
from .capture.seen import numbers_to_host
from .control import Controls
from .machine import versions
from .ranks import Place
from .scalars import scalar
from .schedule import Budget, Schedule
from .sending.filing import fresh
from .sending.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from .alerts import Rule
    from .capture.layers import Choice
    from .capture.seen import Seen
    from .sending.pipe import Nonfinite

log = logging.getLogger("normscope")

DEFAULT_URL: Final = "http://127.0.0.1:8000"
_TELL: Final = 0.2
"""Seconds after which the run's speed and what watching costs are told again."""
CLOSING: Final = 10.0
"""Seconds that leaving the `with` block may take to hand the last frames over."""


def watch(
    model: nn.Module,
    name: str | None = None,
    url: str | None = None,
    token: str | None = None,
    layers: Choice = None,
    budget: float | None = 0.05,
    kinds: str | Iterable[str] = "output",
    schedule: Schedule | None = None,
    file: str | os.PathLike[str] | None = None,
    alerts: Iterable[str | Rule] | None = (),
    on_alert: Callable[[wire.Alert], object] | None = None,
    ranks: str = "merge",
) -> Watch:
    """Watch a model while it trains; use as a context manager around the training loop.

    Args:
        model: The net. Its weights, random state and autograd graph stay as they would be without watching.
        name: What to call the run; the model's class name unless given.
        url: The server, `http://host:port`; else `NORMSCOPE_URL`, else this machine's port 8000. A server that cannot
            be reached is a warning in the log, never an exception.
        token: Of a sender, if the server asks for one; else `NORMSCOPE_TOKEN`.
        layers: Which modules: None for every leaf, a glob over dotted names, or a function of name and module.
        budget: The largest share of training time that watching may take; None observes every step. Steps that are
            observed are compared with some that are not, so that what watching costs indirectly is counted too.
        kinds: What of each layer: "output", "input", "gradient" (of the loss with respect to the output), "weight",
            "weight_gradient", "bias", "bias_gradient" (as they are when `step` is called), "statistics" of normalizers
            with a `running_mean` (channels on `axis`, else 1): all, or "batch_mean", "running_mean", "…_variance".
        schedule: Which steps may be observed, as far as the budget allows: `normscope.every(10)`,
            `normscope.log_spaced()`, or any function from the step's number to whether it is; all unless given.
        file: Where to record the run instead of sending it, for `normscope.open` and `normscope import`.
        alerts: What to tell people of beside what is always wrong: "loss > 10", or `normscope.alert("std < 0.001",
            layers="encoder.*", steps=20)`. Built-in are non-finite, dead, exploding, vanishing, saturated and stalled;
            None leaves them out too. An alert is logged, shown on the page, and told again once it was over.
        on_alert: Called with each `normscope.Alert` by `step`, a moment after the step that it is about; what it raises
            is logged. `watch.stop()` in it has the loop find `watch.stopped`.
        ranks: Of several processes of `torch.distributed`, each of which calls this: "merge" what they see of a step
            into one run; keep them "apart", side by side on a page; or show what the "first" sees alone.

    Raises:
        OSError: If there is a file of that name already, or it cannot be made.
        TypeError: If `model` is no module, or `layers` or `schedule` of no known kind.
        ValueError: If `layers` or `kinds` leaves nothing to watch, or another argument makes no sense.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: {type(model).__name__} is not a torch.nn.Module")
    url = url or os.environ.get("NORMSCOPE_URL") or DEFAULT_URL
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"url: {url!r} does not begin with http:// or https://")
    token = token or os.environ.get("NORMSCOPE_TOKEN") or None
    if not (schedule is None or callable(schedule)):
        raise TypeError(f"schedule: {schedule!r} is not a function of a step's number")
    model = unwrapped(model)
    name = name or name_of(model)
    place = Place.among(ranks)
    capture = Capture(model, layers, check_kinds(kinds))
    try:
        return Watch(model, capture, name, url, token, budget, schedule, file, alerts, on_alert, place)
    except BaseException:
        capture.close()  # nothing of us stays on a model that is not watched
        raise


class Watch(Measuring):
    """A model being watched; made by `watch`."""

    def __init__(
        self,
        model: nn.Module,
        capture: Capture,
        name: str,
        url: str,
        token: str | None,
        budget: float | None,
        schedule: Schedule | None,
        file: str | os.PathLike[str] | None,
        alerts: Iterable[str | Rule] | None,
        on_alert: Callable[[wire.Alert], object] | None,
        place: Place | None,
    ) -> None:
        self._model = model
        self._url = url
        self._place = place
        self._budget = place.budget(budget) if place else Budget(budget)
        self._sending = Border("sending what was watched failed")
        self._capture = capture
        self._asides = Asides(model, capture, alike=place is not None)
        key, label = secrets.token_urlsafe(16), wire.made_text(name, 200)
        hello = wire.Hello(key, label, capture.layers, token, versions(model))
        self._telling = Telling(on_alert)
        rules = chosen(alerts, [x.name for x in capture.layers], [(s.layer, s.kind) for s in capture.slots])
        if place is not None:
            hello, file, schedule = place.join(capture, model, hello, file, schedule)
        self._schedule = schedule or scheduling.every(1)
        capture.active = bool(self._schedule(0))
        patience = place.patience if place else None
        self._controls = controls = Controls(lambda paused: self._sender.state(paused), patience)
        self._sender = Sender(
            self._url, hello, capture.slots, controls.welcome, controls.apply, file=fresh(file), rules=rules,
            alert=self._telling.put, place=place,
        )  # fmt: skip
        self._waiting: deque[tuple[int, float, dict[str, Any], Seen]] = deque()
        self._step = 0
        self._spent = self._speed = self._beside = 0.0
        self._told = -math.inf
        self._began = time.perf_counter()
        self._closed, self._process = False, os.getpid()
        self._capture.write_to(*self._sender.place())

    @property
    def stopped(self) -> bool:
        """Whether someone pressed stop on the page, or called `stop`: leave the loop; so do all ranks, at one step."""
        if self._place is not None:
            return self._sender.last is not None and self._step > self._sender.last
        return self._controls.stopped

    def show(self, height: int = notebook.HEIGHT, url: str | None = None) -> None:
        """Show the run's page, so many pixels high, in a notebook; elsewhere, print its address under `url`."""
        notebook.show(url or self._url, lambda: self._sender.run, height, self._sender.file)

    def stop(self) -> None:
        """Have the loop find `stopped`, which it has to look at."""
        self._controls.stopped = True

    @property
    def dropped(self) -> int:
        """Frames that were lost: the server could not take them for too long."""
        return self._sender.dropped

    @property
    def nonfinite(self) -> Nonfinite | None:
        """The first step that was looked at and had values that are not finite, and the first layer there.

        None if there was none so far; it is known a moment after the step, and logged then.
        """
        return self._sender.nonfinite

    @property
    def cost(self) -> float:
        """The share of recent training time that watching took, in [0, 1]; what it counts is told in `watch`."""
        return self._budget.cost

    def step(self, **scalars: float | Tensor) -> None:
        """Say that an optimizer step has ended; waits here while the run is paused or paced from the page.

        Args:
            **scalars: Numbers or tensors of one element to show over steps: `loss=loss, accuracy=0.9`.

        Raises:
            TypeError: If a value is neither, at a step that is looked at; the first one is.
        """
        began = time.perf_counter()
        capture = self._capture
        self._spent += capture.seconds + self._asides.seconds
        capture.seconds = self._asides.seconds = 0.0
        if capture.active:
            series = self._series(scalars, began)
            try:
                self._put(self._step, series, capture.collect())
            except Exception as error:  # noqa: BLE001  the border: training goes on
                self._sending.note(error)
        self._step += 1
        self._spent += time.perf_counter() - began
        self._telling.tell()
        if self._place is not None:
            self._sender.made(self._waiting[0][0] if self._waiting else self._step)
        held = self._controls.wait()
        if self._place is not None and self._controls.stopped:
            self._place.stop(self._sender, self._step + 1)
        if torch.get_num_threads() >= CORES:  # no core is free for the courier: what it takes, it takes from training
            beside = self._sender.courier_seconds
            self._spent, self._beside = self._spent + beside - self._beside, beside
        now = time.perf_counter()
        wall = max(now - self._began - held, 1e-9)
        self._budget.note(self._spent, wall, looked=capture.active)
        self._speed = 1 / wall
        self._began = now
        looks = self._looks()
        if looks != capture.active:
            (capture.attach if looks else capture.detach)()
            capture.active = looks
        self._spent = time.perf_counter() - now

    def _series(self, scalars: dict[str, float | Tensor], now: float) -> dict[str, Any]:
        """What goes with a step beside its summaries; what is on a GPU stays a tensor."""
        series: dict[str, Any] = {n: v if type(v) is float else scalar(n, v) for n, v in scalars.items()}
        if self._asides.series:
            series |= self._asides.series
            self._asides.series = {}
        if now - self._told > _TELL:
            self._told = now
            series["watch_cost"] = self._budget.cost
            if self._speed:
                series["steps_per_second"] = self._speed
        return series

    def _looks(self) -> bool:
        """Whether the step that begins now is observed."""
        if self._capture.closed or self._capture.border.failures or self._sending.failures:
            return False
        try:
            return bool(self._schedule(self._step)) and self._budget.allows()
        except Exception as error:  # noqa: BLE001  the border: someone else's function
            self._sending.note(error)
            return False

    def _put(self, step: int, series: dict[str, Any], seen: Seen) -> None:
        """Send what was seen of a step, or have it wait for its device behind those that do."""
        if self._waiting or seen.events or any(isinstance(v, Tensor) for v in series.values()):
            seen.settle()
            self._waiting.append((step, time.time(), numbers_to_host(series, seen), seen))
            self._send_arrived()
        else:
            self._sender.put(step, time.time(), series, seen)
        self._capture.write_to(*self._sender.place())

    def _send_arrived(self, whole: bool = False) -> None:
        """Send the steps that have arrived from their device; `whole` waits for all of them."""
        while self._waiting and (whole or self._waiting[0][-1].ready()):
            step, when, series, seen = self._waiting.popleft()
            seen.wait()
            numbers = {name: v.item() if isinstance(v, Tensor) else v for name, v in series.items()}
            self._sender.put(step, when, numbers, seen)

    def close(self, error: BaseException | None = None) -> None:
        """End the run: remove the hooks, hand over what is left, say how it ended. A second call does nothing."""
        if self._closed or os.getpid() != self._process:  # a forked copy has nothing to say
            return
        self._closed = True
        self._capture.close()
        if self.stopped or isinstance(error, KeyboardInterrupt):
            end = wire.End("stopped", outcome=self._asides.outcome)
        elif error is not None:
            end = wire.End("failed", wire.made_text(f"{type(error).__name__}: {error}", 2000), self._asides.outcome)
        else:
            end = wire.End("finished", outcome=self._asides.outcome)
        with self._sending:
            self._send_arrived(whole=True)
        self._sender.made(self._step)
        if not self._sender.close(end, CLOSING):
            log.warning("normscope: left with frames that the server has not taken")
        self._telling.tell()  # of the last steps

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close(error)
