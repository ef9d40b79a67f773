"""What hooks see, and that nothing notices them."""

from __future__ import annotations

import gc
import weakref
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from normscope import native, wire
from normscope.capture.capture import Capture
from normscope.capture.layers import choose, parameters, saturation
from normscope.capture.summary import NEVER, SAMPLE, Summaries, summarize
from normscope.sketch import BINS


@pytest.fixture(params=["compiled", "python"], autouse=True)
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of this holds with the compiled core and without."""
    if request.param == "python":
        monkeypatch.setattr(native.library, "_library", None)


def summarized(capture: Capture) -> Summaries:
    """Of what was seen in a step; then the next one begins."""
    found = summarize(capture.collect().raw(), capture.bounds)
    capture.forget()
    return found


def seen(capture: Capture) -> dict[int, Any]:
    """Count and mean of each row of what was seen, by slot; rows of one slot merged."""
    s = summarized(capture)
    slots = s.slots
    frame = wire.merge(
        [wire.Frame(0, 0, 0, 0.0, layers=slots, kinds=slots * 0, moments=s.moments, counters=s.counters)]
    )
    return {
        int(i): (int(c[0]), float(m[0])) for i, c, m in zip(frame.layers, frame.counters, frame.moments, strict=True)
    }


def watched(model: nn.Module, layers: Any = None) -> Capture:
    capture = Capture(model, layers)
    capture.active = True
    return capture


def test_leaves_a_glob_or_a_predicate_choose() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Identity()), nn.ReLU())
    assert list(choose(model, None)) == ["0.0", "0.1", "1"]
    assert list(choose(model, "0*")) == ["0", "0.0", "0.1"]
    assert list(choose(model, lambda name, m: isinstance(m, nn.ReLU))) == ["1"]
    with pytest.raises(ValueError, match="leaves no module"):
        choose(model, "nothing")
    with pytest.raises(TypeError, match="layers"):
        choose(model, 3)  # type: ignore[arg-type]


def test_a_layer_whose_weights_are_parametrized_is_still_one_layer() -> None:
    model = nn.Sequential(weight_norm(nn.Linear(2, 3)), nn.ReLU())
    assert list(choose(model, None)) == ["0", "1"]


def test_attention_is_one_layer_with_all_of_its_weights() -> None:
    model = nn.TransformerEncoderLayer(8, 2, 8)
    names = ["self_attn", "linear1", "dropout", "linear2", "norm1", "norm2", "dropout1", "dropout2"]
    assert list(choose(model, None)) == names
    capture = watched(model)
    model(torch.randn(4, 3, 8))
    assert seen(capture)[0][0] == 4 * 3 * 8
    weights, biases = (parameters(model.self_attn, kind) for kind in ("weight", "bias"))
    assert [p.shape for p in weights] == [(24, 8), (8, 8)]
    assert [p.shape for p in biases] == [(24,), (8,)]


def test_outputs_are_seen_in_training_mode_only() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Identity())
    capture, x = watched(model), torch.ones(5, 3)
    wanted = model(x).mean().item()
    assert seen(capture) == {i: (20, pytest.approx(wanted, abs=1e-6)) for i in (0, 1)}
    model.eval()
    model(x)
    assert seen(capture) == {}
    model.train()
    capture.active = False
    model(x)
    assert seen(capture) == {}
    capture.active = True
    capture.close()
    model(x)
    assert seen(capture) == {}
    assert not any(m._forward_hooks for m in model.modules())


def test_several_forwards_of_a_step_add_up() -> None:
    shared = nn.Identity()
    model = nn.Sequential(shared, nn.Flatten(), shared)
    capture = watched(model)
    model(torch.full((2, 3), 1.0))
    model(torch.full((4, 3), 4.0))
    assert seen(capture) == {0: (36, pytest.approx(3.0)), 1: (18, pytest.approx(3.0))}


@pytest.mark.parametrize("size", [4, SAMPLE + 1])
def test_in_place_modules_do_not_falsify_what_was_before_them(size: int) -> None:
    model = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    capture = watched(model)
    for _ in range(3):
        model(-torch.ones(1, size))
        assert seen(capture) == {0: (size, -1.0), 1: (size, 0.0)}


def test_writing_after_many_quiet_steps_never_gives_wrong_numbers() -> None:
    model = nn.Sequential(nn.Identity())
    capture = watched(model)
    for _ in range(3):
        model(torch.ones(4))
        assert seen(capture) == {0: (4, 1.0)}
    model(torch.ones(4)).zero_()
    assert seen(capture) in ({}, {0: (4, 1.0)})
    model(torch.ones(4)).zero_()
    assert seen(capture) == {0: (4, 1.0)}


class Odd(nn.Module):
    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    def forward(self) -> Any:
        return self.output


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ((torch.ones(2), torch.zeros(3)), {0: (2, 1.0)}),
        ({"a": torch.ones(2)}, {0: (2, 1.0)}),
        ([None, (torch.ones(2),)], {0: (2, 1.0)}),
        (torch.ones(2, dtype=torch.float16), {0: (2, 1.0)}),
        (torch.ones(2, dtype=torch.bfloat16), {0: (2, 1.0)}),
        (torch.ones(2, dtype=torch.float64), {0: (2, 1.0)}),
        (torch.ones(6)[::3], {0: (2, 1.0)}),
        (torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last), {0: (96, 1.0)}),
        (torch.complex(torch.zeros(2), -torch.ones(2)).conj().imag, {0: (2, 1.0)}),
        (torch.ones(2).as_subclass(nn.Parameter), {0: (2, 1.0)}),
        (torch.zeros(0, 3), {0: (0, pytest.approx(float("nan"), nan_ok=True))}),
        (torch.eye(2).to_sparse(), {}),
        (torch.ones(2, dtype=torch.int64), {}),
        (torch.ones(2, dtype=torch.complex64), {}),
        (None, {}),
        ("text", {}),
    ],
)
def test_the_first_floating_tensor_of_an_output_is_seen(output: Any, found: dict[int, tuple[int, float]]) -> None:
    model = Odd(output)
    capture = watched(model)
    for _ in range(2):
        model()
        assert seen(capture) == found


def test_inference_mode_is_left_alone() -> None:
    model = nn.Linear(2, 2)
    capture = watched(model)
    with torch.inference_mode():
        model(torch.ones(1, 2))
    assert seen(capture) == {}
    assert capture.border.failures == 0


@pytest.mark.parametrize("size", [4, SAMPLE + 1])
def test_no_activation_lives_on_after_its_step(size: int) -> None:
    model = nn.Sequential(nn.Linear(3, size))
    capture = watched(model)
    for _ in range(3):
        output = model(torch.ones(1, 3))
        alive = weakref.ref(output.untyped_storage())
        seen = capture.collect()
        seen.settle()
        del output
        gc.collect()
        assert alive() is None
        assert len(summarize(seen.raw(), capture.bounds).slots) == 1
        capture.forget()


def test_an_error_of_ours_ends_watching_and_not_training(caplog: pytest.LogCaptureFixture) -> None:
    class Strange(Tensor):
        def detach(self) -> Any:
            raise OSError("no")

    model = Odd(torch.ones(2).as_subclass(Strange))
    capture = watched(model)
    for _ in range(3):
        model()
    assert capture.border.failures == 1
    assert len(caplog.records) == 1
    assert not capture.active


def test_every_layer_has_a_histogram_however_many_there_are() -> None:
    model = nn.Sequential(*(nn.Identity() for _ in range(50)))
    capture = watched(model)
    capture.write_to(np.zeros(10_000, np.float32), 0, 10_000)
    for size, least in ((10, 10), (1000, 100), (200_000, 100)):
        model(torch.linspace(0, 1, size))
        assert capture.collect().count <= 10_000
        summaries = summarized(capture)
        assert sorted(summaries.slots) == list(range(50))
        counted = np.bincount(summaries.bins // BINS, summaries.counts)
        assert len(counted) == 50
        assert counted.min() >= least
        assert (summaries.counters[:, 0] == size).all()
        np.testing.assert_allclose(summaries.moments[:, 0], 0.5, rtol=1e-5)


def test_a_step_that_never_ends_stays_bounded() -> None:
    model = nn.Identity()
    capture = watched(model)
    for _ in range(600):
        model(torch.ones(SAMPLE))
    assert seen(capture) == {0: (600 * SAMPLE, 1.0)}


@pytest.mark.parametrize(
    ("module", "values", "saturated"),
    [
        (nn.Sigmoid(), [0.005, 0.5, 0.995], 2),
        (nn.Softmax(1), [0.005, 0.5, 0.995], 2),
        (nn.Tanh(), [-0.995, 0.0, 0.995], 2),
        (nn.Hardtanh(), [-1.0, 0.999, 1.0], 2),
        (nn.ReLU6(), [0.0, 3.0, 6.0], 2),
        (nn.Linear(1, 1), [-1e9, 0.0, 1e9], 0),
    ],
)
def test_what_counts_as_saturated(module: nn.Module, values: list[float], saturated: int) -> None:
    low, high = saturation(module)
    array = np.array(values, np.float32)
    assert np.count_nonzero((array < low) | (array > high)) == saturated
    assert (saturated == 0) == ((low, high) == NEVER)


class Residual(nn.Module):
    """Adds in place to what a layer gave a while ago."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Identity(), nn.Identity(), nn.Identity()
        self.disturb = True

    def forward(self, x: Tensor) -> Tensor:
        a = self.first(x.clone())
        b = self.second(a * 2)
        if self.disturb:
            a += 100
        return cast(Tensor, self.third(a + b))


def test_outputs_that_are_changed_later_in_the_pass_are_seen_as_they_were() -> None:
    model = Residual()
    capture = watched(model)
    for _ in range(4):
        model(torch.ones(5))
        assert seen(capture) == {0: (5, 1.0), 1: (5, 2.0), 2: (5, 103.0)}


def test_a_layer_whose_output_begins_to_be_changed_is_missed_once_and_never_wrong() -> None:
    model = Residual()
    capture = watched(model)
    model.disturb = False
    for _ in range(3):  # how the net is wired is found in the first pass, what can wait in the second
        model(torch.ones(5, requires_grad=True))
        assert seen(capture) == {0: (5, 1.0), 1: (5, 2.0), 2: (5, 3.0)}
    model.disturb = True
    model(torch.ones(5))
    assert seen(capture) == {1: (5, 2.0), 2: (5, 103.0)}
    for _ in range(2):
        model(torch.ones(5))
        assert seen(capture) == {0: (5, 1.0), 1: (5, 2.0), 2: (5, 103.0)}


def test_a_pass_that_fails_midway_leaves_nothing_alive() -> None:
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.fails = False

        def forward(self, x: Tensor) -> Tensor:
            y = cast(Tensor, self.layer(x))
            if self.fails:
                alive.append(weakref.ref(y.untyped_storage()))
                raise RuntimeError("oh")
            return y

    alive: list[Any] = []
    model = Failing()
    capture = watched(model)
    for passes in range(3):  # the first is followed from layer to layer; from the third on, what is small waits
        model.fails = True
        with pytest.raises(RuntimeError, match="oh"):
            model(torch.ones(1, 2))
        gc.collect()
        assert [one() for one in alive] == [None] * (passes + 1)
        model.fails = False
        model(torch.ones(1, 2))
        capture.collect()
        capture.forget()


def test_submodules_that_are_called_alone_are_seen_too() -> None:
    model = nn.Sequential(nn.Identity(), nn.Identity())
    capture = watched(model)
    for _ in range(3):
        for _ in range(200):
            model[0](torch.ones(2))
        assert seen(capture) == {0: (400, 1.0)}
