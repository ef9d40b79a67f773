"""The normalizers, against closed forms in numpy, in float64."""

from __future__ import annotations

import copy
import math
import multiprocessing
import pickle
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, distributed, nn

from trainer import norms
from trainer.norms import NORMS, Normalize, norm
from trainer.norms.sample import groups

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

EPS, NEGLIGIBLE = 1e-5, 1e-30  # torch refuses zero; what is added of this to a variance is lost
UNITS = 4
SHAPES = {0: (6, 5, UNITS), 1: (12, UNITS), 2: (6, UNITS, 3, 2)}
every_shape = pytest.mark.parametrize("dimensions", SHAPES, ids=["tokens", "units", "images"])
PLACES = [(arm, d) for arm in NORMS for d in SHAPES if arm != "instance" or d == 2]
everywhere = pytest.mark.parametrize(("arm", "dimensions"), PLACES)


def make(arm: str, dimensions: int = 1, units: int = UNITS, **options: Any) -> nn.Module:
    """In float64, with γ and β that are not 1 and 0."""
    module = norm(arm, units, dimensions, **options).double()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.linspace(0.5, 2, units))
    return module


def draw(dimensions: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(SHAPES[dimensions], generator=generator, dtype=torch.float64) * 3
    return (x + 2).requires_grad_()


def columns(x: Tensor | None, dimensions: int) -> Array:
    """One column of values for each unit."""
    assert x is not None
    found: Array = x.detach().movedim(1 if dimensions else -1, -1).flatten(0, -2).numpy()
    return found


def row(vector: Any) -> Array:
    found: Array = vector.detach().numpy()
    return found


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def backward(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output, and the gradient with respect to it of a loss in which all values count differently."""
    y = module(x)
    g = torch.randn(y.shape, generator=torch.Generator().manual_seed(9), dtype=y.dtype)
    y.backward(g)
    return y, g


def whitened(x: Array, ddof: int = 0) -> Array:
    found: Array = (x - x.mean(0)) / np.sqrt(x.var(0, ddof=ddof) + EPS)
    return found


@every_shape
@pytest.mark.parametrize(
    ("arm", "options"),
    [
        ("batch", {}),
        ("batch_ghost", {"ghost": 12}),
        ("batch_ghost", {"ghost": 64}),
        ("sync_batch", {}),
        ("l2", {"shift_first": True}),
    ],
)
def test_batch_normalization_and_what_equals_it_forward_and_backward(
    arm: str, options: dict[str, Any], dimensions: int
) -> None:
    module, x = make(arm, dimensions, **options), draw(dimensions)
    y, gradient = backward(module, x)
    values, g = columns(x, dimensions), columns(gradient, dimensions)
    gamma, beta, m = row(module.weight), row(module.bias), len(values)
    hat, sigma = whitened(values), np.sqrt(values.var(0) + EPS)
    close(columns(y, dimensions), gamma * hat + beta)
    expected = gamma / (m * sigma) * (m * g - g.sum(0) - hat * (g * hat).sum(0))
    close(columns(x.grad, dimensions), expected)
    close(row(module.weight.grad), (g * hat).sum(0))
    close(row(module.bias.grad), g.sum(0))


def test_batch_normalization_without_gamma_and_beta() -> None:
    module, x = make("batch_plain"), draw(1)
    assert not list(module.parameters())
    close(columns(module(x), 1), whitened(columns(x, 1)))


@every_shape
@pytest.mark.parametrize("arm", ["batch", "batch_plain", "sync_batch", "batch_ghost"])
def test_a_gradient_through_batch_normalization_changes_neither_mean_nor_spread(arm: str, dimensions: int) -> None:
    module: Any = make(arm, dimensions)
    module.eps = NEGLIGIBLE
    x = draw(dimensions)
    backward(module, x)
    dx, values = columns(x.grad, dimensions), columns(x, dimensions)
    hat = (values - values.mean(0)) / values.std(0)
    assert np.abs(dx).max() > 0.01
    close(dx.sum(0), 0)
    close((dx * hat).sum(0), 0)


@every_shape
def test_the_gradient_before_batch_normalization_is_as_much_shorter_as_the_theorem_says(dimensions: int) -> None:
    """Santurkar et al. 2018, theorem 4.1, whose bound plain batch normalization attains: for each unit
    ‖∂L/∂x‖² = γ²/σ² (‖∂L/∂y‖² − ⟨1, ∂L/∂y⟩²/m − ⟨∂L/∂y, x̂⟩²/m)."""
    module: Any = make("batch", dimensions)
    module.eps = NEGLIGIBLE
    x = draw(dimensions)
    _, gradient = backward(module, x)
    values, g = columns(x, dimensions), columns(gradient, dimensions)
    hat, m = (values - values.mean(0)) / values.std(0), len(values)
    inside = (g**2).sum(0) - g.sum(0) ** 2 / m - (g * hat).sum(0) ** 2 / m
    expected = (row(module.weight) / values.std(0)) ** 2 * inside
    close((columns(x.grad, dimensions) ** 2).sum(0), expected)
    assert (inside < 0.999 * (g**2).sum(0)).all()


INVARIANT = ["batch", "batch_plain", "batch_variance", "batch_ghost", "sync_batch", "layer", "group", "rms"]


@pytest.mark.parametrize("arm", [*INVARIANT, "l1", "l2", "linf", "none", "batch_mean"])
def test_the_scale_of_the_weights_before_does_not_matter_but_where_nothing_is_divided(arm: str) -> None:
    def gradient(scale: float) -> tuple[Tensor, Tensor, Tensor]:
        linear: Any = nn.Linear(3, UNITS, bias=False, dtype=torch.float64)
        module: Any = make(arm)
        module.eps = NEGLIGIBLE
        with torch.no_grad():
            linear.weight.copy_(torch.arange(12, dtype=torch.float64).view(UNITS, 3).cos() * scale)
        y, _ = backward(nn.Sequential(linear, module), draw(1)[:, :3].detach())
        return y, linear.weight.grad, linear.weight.detach()

    y, g, w = gradient(1)
    other, smaller, _ = gradient(5)
    invariant = arm not in ("none", "batch_mean")
    assert torch.allclose(y, other) == invariant
    assert torch.allclose(g / 5, smaller) == invariant
    assert bool((w * g).sum().abs() < 1e-9) == invariant


@every_shape
@pytest.mark.parametrize(
    "arm",
    ["batch", "batch_plain", "batch_mean", "batch_variance", "batch_noisy", "sync_batch", "batch_population"],
)
def test_the_running_variance_is_unbiased_and_that_of_the_batch_is_not(arm: str, dimensions: int) -> None:
    module, x = make(arm, dimensions), draw(dimensions)
    module(x)
    values = columns(x, dimensions)
    close(row(module.running_mean), 0.1 * values.mean(0))
    close(row(module.running_var), 0.9 + 0.1 * values.var(0, ddof=1))
    assert module.num_batches_tracked == 1


@every_shape
def test_mean_only(dimensions: int) -> None:
    module, x = make("batch_mean", dimensions), draw(dimensions)
    y, gradient = backward(module, x)
    values, g, beta = columns(x, dimensions), columns(gradient, dimensions), row(module.bias)
    assert [name for name, _ in module.named_parameters()] == ["bias"]
    close(columns(y, dimensions), values - values.mean(0) + beta)
    close(columns(x.grad, dimensions), g - g.mean(0))
    close(columns(module.eval()(x), dimensions), values - 0.1 * values.mean(0) + beta)


@every_shape
def test_variance_only(dimensions: int) -> None:
    module, x = make("batch_variance", dimensions), draw(dimensions)
    y, gradient = backward(module, x)
    values, g = columns(x, dimensions), columns(gradient, dimensions)
    gamma, beta, sigma = row(module.weight), row(module.bias), np.sqrt(values.var(0) + EPS)
    close(columns(y, dimensions), gamma * values / sigma + beta)
    through_sigma = (g * values).mean(0) * (values - values.mean(0)) / sigma**3
    close(columns(x.grad, dimensions), gamma * (g / sigma - through_sigma))
    running = np.sqrt(0.9 + 0.1 * values.var(0, ddof=1) + EPS)
    close(columns(module.eval()(x), dimensions), gamma * values / running + beta)


@every_shape
def test_two_ghosts_are_two_normalizations(dimensions: int) -> None:
    half = SHAPES[dimensions][0] // 2
    module, x = make("batch_ghost", dimensions, ghost=half), draw(dimensions)
    y, _ = backward(module, x)
    ghosts = [columns(part, dimensions) for part in x.chunk(2)]
    gamma, beta = row(module.weight), row(module.bias)
    for part, ghost in zip(y.chunk(2), ghosts, strict=True):
        close(columns(part, dimensions), gamma * whitened(ghost) + beta)
    mean, variance = np.zeros(UNITS), np.ones(UNITS)
    for ghost in ghosts:
        mean, variance = 0.9 * mean + 0.1 * ghost.mean(0), 0.9 * variance + 0.1 * ghost.var(0, ddof=1)
    close(row(module.running_mean), mean)
    close(row(module.running_var), variance)
    close(
        columns(module.eval()(x), dimensions), gamma * (columns(x, dimensions) - mean) / np.sqrt(variance + EPS) + beta
    )


@pytest.mark.parametrize(
    ("ghost", "sizes"), [(5, [6, 6]), (6, [6, 6]), (7, [12]), (4, [4, 4, 4]), (2, [2] * 6), (12, [12])]
)
def test_no_ghost_is_smaller_than_it_may_be(ghost: int, sizes: list[int]) -> None:
    module, x = make("batch_ghost", ghost=ghost), draw(1)
    gamma, beta = row(module.weight), row(module.bias)
    parts = np.split(columns(x, 1), np.cumsum(sizes)[:-1])
    close(columns(module(x), 1), np.concatenate([gamma * whitened(p) + beta for p in parts]))


@every_shape
def test_population_statistics_arrive_where_batch_normalization_evaluates(dimensions: int) -> None:
    module, x = make("batch_population", dimensions), draw(dimensions)
    gamma, beta, values = row(module.weight), row(module.bias), columns(x, dimensions)
    close(columns(module(x), dimensions), gamma * values / np.sqrt(1 + EPS) + beta)
    for _ in range(300):
        module(x)
    y, g = backward(module, x)
    close(columns(y, dimensions), gamma * whitened(values, ddof=1) + beta)
    close(columns(x.grad, dimensions), gamma * columns(g, dimensions) / np.sqrt(values.var(0, ddof=1) + EPS))
    reference = make("batch", dimensions)
    reference.load_state_dict(module.state_dict())
    torch.testing.assert_close(module.eval()(x), reference.eval()(x))


@every_shape
def test_frozen_statistics_are_those_of_the_first_batch_for_ever(dimensions: int) -> None:
    module, first, later = make("batch_frozen", dimensions), draw(dimensions), draw(dimensions, seed=1)
    module.eval()(later)  # no training batch
    module.train()
    gamma, beta, values = row(module.weight), row(module.bias), columns(first, dimensions)
    slope = gamma / np.sqrt(values.var(0) + EPS)
    for x in (first, later):
        y, g = backward(module, x)
        close(columns(y, dimensions), slope * (columns(x, dimensions) - values.mean(0)) + beta)
        close(columns(x.grad, dimensions), slope * columns(g, dimensions))
    torch.testing.assert_close(module.eval()(later), y)


@every_shape
@pytest.mark.parametrize("shift_first", [False, True])
@pytest.mark.parametrize(("arm", "p"), [("l1", 1.0), ("l2", 2.0), ("linf", math.inf)])
def test_lp_norms_before_and_after_the_shift(arm: str, p: float, shift_first: bool, dimensions: int) -> None:
    module, x = make(arm, dimensions, shift_first=shift_first), draw(dimensions)
    values, gamma, beta = columns(x, dimensions), row(module.weight), row(module.bias)
    sized = values - values.mean(0) if shift_first else values
    size = np.linalg.norm(sized, p, axis=0)
    size = size + EPS if math.isinf(p) else (size**p / len(values) + EPS) ** (1 / p)
    close(columns(module(x), dimensions), gamma * (values - values.mean(0)) / size + beta)
    evaluated = gamma * (values - 0.1 * values.mean(0)) / (0.9 + 0.1 * size) + beta
    close(columns(module.eval()(x), dimensions), evaluated)
    assert torch.autograd.gradcheck(make(arm, dimensions, shift_first=shift_first), x)


@pytest.mark.parametrize(
    ("arm", "dimensions"), [(a, d) for a, d in PLACES if a in ("layer", "group", "instance", "rms")]
)
def test_normalizers_of_a_sample_alone(arm: str, dimensions: int) -> None:
    module, x = make(arm, dimensions), draw(dimensions)
    samples = x.detach().flatten(0, -2) if dimensions == 0 else x.detach()
    values = samples.numpy().reshape(len(samples), UNITS, -1)
    by = {"layer": 1, "rms": 1, "group": 2, "instance": UNITS}[arm]
    parts = values.reshape(len(samples), by, -1)
    if arm == "rms":
        hat = parts / np.sqrt((parts**2).mean(2, keepdims=True) + EPS)
        beta = np.zeros((UNITS, 1))
    else:
        hat = (parts - parts.mean(2, keepdims=True)) / np.sqrt(parts.var(2, keepdims=True) + EPS)
        beta = row(module.bias)[:, None]
    expected = row(module.weight)[:, None] * hat.reshape(values.shape) + beta
    y = module(x)
    close(y.detach().numpy().ravel(), expected.ravel())
    assert torch.equal(module.eval()(x), y)


def test_groups_divide_the_units_and_are_larger_than_one() -> None:
    for units in range(1, 600):
        assert units % groups(units) == 0
        assert units == 1 or units // groups(units) > 1
    assert [groups(n) for n in (1, 2, 7, 10, 16, 100, 256, 512)] == [1, 1, 1, 2, 4, 10, 16, 16]


def noise_on(value: float, shape: tuple[int, ...], dimensions: int = 1, steps: int = 1) -> Tensor:
    module, x = norm("noise", shape[1], dimensions, seed=5), torch.full(shape, value, dtype=torch.float64)
    return torch.stack([module(x) for _ in range(steps)])


def test_noise_shifts_each_unit_by_a_step_and_each_value_by_itself() -> None:
    (m,) = noise_on(0, (2000, 1000)).numpy()
    middle = (m.max(0) + m.min(0)) / 2
    assert (m.max(0) - m.min(0)).max() <= 0.2
    assert stats.kstest(middle, stats.uniform(-0.5, 1).cdf).pvalue > 0.01
    assert stats.kstest((m - middle)[:, :100].ravel(), stats.uniform(-0.1, 0.2).cdf).pvalue > 0.01


def test_noise_scales_each_unit_by_a_step_and_each_value_by_itself() -> None:
    s = noise_on(1e12, (2000, 1000))[0].numpy() / 1e12
    mean = s.mean(0)
    assert stats.kstest(mean, stats.uniform(1, 0.25).cdf).pvalue > 0.01
    assert stats.kstest((s - mean).ravel()[::7] / 0.1, stats.norm.cdf).pvalue > 0.01


def test_noise_is_new_for_each_step_and_each_value_of_an_image() -> None:
    steps = noise_on(0, (50, 400, 2, 2), dimensions=2, steps=2)
    middle = (steps.amax((1, 3, 4)) + steps.amin((1, 3, 4))) / 2
    assert abs(np.corrcoef(middle)[0, 1]) < 0.2
    alone = steps[0] - middle[0].view(-1, 1, 1)
    corners = alone.permute(2, 3, 0, 1).reshape(4, -1).numpy()
    assert np.abs(np.corrcoef(corners) - np.eye(4)).max() < 0.05
    # What a unit has in common is common to its whole image, in all samples.
    assert (steps[0].mean((2, 3)) - middle[0]).abs().max() < 0.1


@every_shape
def test_noisy_batch_normalization_is_the_same_noise_after_batch_normalization(dimensions: int) -> None:
    noisy, noise = make("batch_noisy", dimensions, seed=3), norm("noise", UNITS, dimensions, seed=3)
    batch, x = make("batch", dimensions), draw(dimensions)
    state = torch.get_rng_state()
    for _ in range(3):
        torch.testing.assert_close(noisy(x), noise(batch(x)))
    torch.testing.assert_close(noisy.eval()(x), batch.eval()(x))
    assert torch.equal(noise.eval()(x), x)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("arm", ["batch_noisy", "noise"])
def test_noise_depends_on_the_seed_and_the_layer_and_repeats_with_the_buffers(arm: str) -> None:
    def two(seed: int) -> list[nn.Module]:
        normalize = Normalize(arm, seed)
        return [normalize(nn.Linear(1, UNITS), UNITS)[1] for _ in range(2)]

    x = draw(1).detach().float()
    first, second = (module(x) for module in two(0))
    again, _ = (module(x) for module in two(0))
    other, _ = (module(x) for module in two(1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, second, atol=0.01)
    assert not torch.allclose(first, other, atol=0.01)
    (module, _) = two(0)
    state = copy.deepcopy(module.state_dict())
    assert torch.equal(module(x), first)
    assert not torch.allclose(module(x), first, atol=0.01)
    module.load_state_dict(state)
    assert torch.equal(module(x), first)


def test_weight_normalization_keeps_the_weights_and_learns_lengths_and_directions() -> None:
    for linear in (nn.Linear(64, 100), nn.Conv2d(16, 32, 3)):
        before = linear.weight.detach().clone()
        wrapped: Any
        wrapped, normalizer = Normalize("weight")(linear, len(before))
        assert isinstance(normalizer, nn.Identity)
        np.testing.assert_array_max_ulp(wrapped.weight.detach().numpy(), before.numpy(), maxulp=4)
        wrapped(torch.randn(7, *before.shape[1:])).square().sum().backward()
        length, direction = wrapped.parametrizations.weight.parameters()
        v, g = direction.detach().flatten(1).double(), direction.grad.flatten(1).double()
        torch.testing.assert_close(length.detach().flatten().double(), v.norm(dim=1), rtol=1e-6, atol=0)
        assert length.grad is not None
        assert ((v * g).sum(1).abs() < 1e-5 * v.norm(dim=1) * g.norm(dim=1)).all()


@everywhere
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_what_never_varies_gives_numbers(arm: str, dimensions: int, value: float) -> None:
    one_dead = draw(dimensions).detach()
    one_dead.movedim(1 if dimensions else -1, -1)[..., 0] = value
    for x in (one_dead, torch.full_like(one_dead, value)):
        module = make(arm, dimensions)
        y, _ = backward(module, x.requires_grad_())
        assert torch.isfinite(y).all()
        assert x.grad is not None
        assert torch.isfinite(x.grad).all()
        assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)
        assert torch.isfinite(module.eval()(x)).all()


@everywhere
def test_state_is_in_the_state_dict_and_evaluation_leaves_it_alone(arm: str, dimensions: int) -> None:
    module, x = make(arm, dimensions), draw(dimensions)
    for _ in range(3):
        module(x)
    state = copy.deepcopy(module.state_dict())
    y = module.eval()(x)
    assert y.shape == x.shape
    other = norm(arm, UNITS, dimensions).double().eval()
    other.load_state_dict(state)
    for twin in (other, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(x), y)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def synchronized(rank: int, meet: str) -> list[list[Array]]:
    """One of two processes, with all samples but the last two, or those: what it finds for each shape."""
    torch.set_num_threads(1)
    patience = timedelta(seconds=60)
    distributed.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=2, timeout=patience)
    found = []
    for dimensions in SHAPES:
        x, g = (draw(dimensions, seed).detach()[slice(-2) if rank == 0 else slice(-2, None)] for seed in (0, 1))
        module = make("sync_batch", dimensions)
        y = module(x.requires_grad_())
        y.backward(g)
        gradients = [x.grad, *(p.grad for p in module.parameters())]
        found.append([row(t) for t in (y, module.eval()(x), *gradients, module.running_mean, module.running_var)])
    distributed.destroy_process_group()
    return found


def test_two_processes_normalize_as_one_with_both_batches(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        ranks = pool.starmap(synchronized, [(rank, str(tmp_path / "meet")) for rank in range(2)], chunksize=1)
    for dimensions, first, second in zip(SHAPES, *ranks, strict=True):
        x, module = draw(dimensions), make("batch", dimensions)
        y = module(x)
        y.backward(draw(dimensions, seed=1).detach())
        assert x.grad is not None
        for i, whole in enumerate((y, module.eval()(x), x.grad)):
            close(np.concatenate([first[i], second[i]]), row(whole))
        for i, p in enumerate(module.parameters(), 3):
            close(first[i] + second[i], row(p.grad))
        for rank in (first, second):
            close(rank[5], row(module.running_mean))
            close(rank[6], row(module.running_var))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arm": "bach"}, "unknown arm 'bach'; there are none, batch, "),
        ({"arm": "instance"}, "instance: .* for images alone"),
        ({"arm": "instance", "dimensions": 0}, "instance: .* for images alone"),
        ({"arm": "batch_ghost", "ghost": 0}, "ghost: 0 samples"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        norm(units=UNITS, **arguments)


@pytest.mark.parametrize("arm", ["batch_mean", "batch_variance"])
def test_a_single_value_has_no_variance(arm: str) -> None:
    with pytest.raises(ValueError, match="one value of each unit"):
        make(arm)(torch.ones(1, UNITS, dtype=torch.float64))


def test_every_normalizer_is_described() -> None:
    assert norms.__doc__ is not None
    assert [name for name in NORMS if f"`{name}`" not in norms.__doc__] == []
