"""Noise schedules, conversions and weights against diffusers and closed forms."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroprism.abr.diffusion import DiffusionConfig, NoiseSchedule, fixed_noise, min_snr_weights
from neuroprism.core import config as configuration
from neuroprism.core.errors import ConfigError

LINEAR = {"type": "linear"}
SCHEDULES = [("cosine", "squaredcos_cap_v2"), ("linear", "linear"), ("quadratic", "scaled_linear")]


def schedule(kind: str = "cosine", **options: object) -> NoiseSchedule:
    return NoiseSchedule(DiffusionConfig.model_validate({"noise_schedule": {"type": kind}} | options))


@pytest.mark.parametrize(("kind", "oracle_name"), SCHEDULES)
def test_schedule_equals_diffusers_exactly(kind: str, oracle_name: str) -> None:
    oracle = DDPMScheduler(1000, beta_schedule=oracle_name, beta_start=1e-4, beta_end=0.02)
    ours = schedule(kind)
    assert torch.allclose(ours.betas, oracle.betas, rtol=2e-7, atol=0)
    assert torch.allclose(ours.alpha_bar, oracle.alphas_cumprod, rtol=2e-6, atol=0)
    if kind == "cosine":
        assert torch.equal(ours.betas, oracle.betas)
        assert torch.equal(ours.alpha_bar, oracle.alphas_cumprod)


@pytest.mark.parametrize(("kind", "oracle_name"), SCHEDULES)
def test_noising_and_velocity_equal_diffusers(kind: str, oracle_name: str) -> None:
    oracle = DDPMScheduler(1000, beta_schedule=oracle_name, beta_start=1e-4, beta_end=0.02)
    ours = schedule(kind)
    x0, noise = fixed_noise((5, 1, 40), 1), fixed_noise((5, 1, 40), 2)
    t = torch.tensor([0, 1, 500, 998, 999])
    assert (ours.add_noise(x0, noise, t) - oracle.add_noise(x0, noise, t)).abs().max() < 1e-6
    assert (ours.target(x0, noise, t, "v") - oracle.get_velocity(x0, noise, t)).abs().max() < 1e-6


def test_known_values_of_the_cosine_schedule() -> None:
    ours = schedule()
    assert float(ours.alpha_bar[0]) == pytest.approx(0.999959, abs=1e-6)
    assert float(ours.alpha_bar[500]) == pytest.approx(0.4923, abs=1e-4)
    assert float(ours.alpha_bar[-1]) == pytest.approx(2.43e-9, rel=1e-2)
    assert float(ours.snr[100]) == pytest.approx(34.2, rel=1e-2)
    assert float(schedule("linear").alpha_bar[-1]) == pytest.approx(4.04e-5, rel=1e-2)


@pytest.mark.parametrize("kind", ["cosine", "linear"])
@pytest.mark.parametrize("prediction_type", ["v", "x0", "epsilon"])
@settings(deadline=None, max_examples=40)
@given(t=st.integers(0, 999), seed=st.integers(0, 2**31))
def test_conversions_return_what_was_mixed(kind: str, prediction_type: str, t: int, seed: int) -> None:
    ours = schedule(kind).double()
    # Exact coefficients: the float32 table itself is rounded.
    ours.noise = (1 - ours.alpha_bar).sqrt()
    ours.signal = ours.alpha_bar.sqrt()
    x0, noise = fixed_noise((1, 1, 20), seed).double(), fixed_noise((1, 1, 20), seed + 1).double()
    steps = torch.tensor([t])
    x_t = ours.add_noise(x0, noise, steps)
    prediction = ours.target(x0, noise, steps, prediction_type)  # type: ignore[arg-type]
    for convert, kind_of_target in ((ours.to_x0, "x0"), (ours.to_noise, "epsilon"), (ours.to_v, "v")):
        expected = ours.target(x0, noise, steps, kind_of_target)  # type: ignore[arg-type]
        assert (convert(prediction, x_t, steps, prediction_type) - expected).abs().max() < 1e-6


def test_conversions_in_float32_through_the_velocity() -> None:
    ours = schedule()
    x0, noise = fixed_noise((1000, 1, 8), 3), fixed_noise((1000, 1, 8), 4)
    t = torch.arange(1000)
    x_t, v = ours.add_noise(x0, noise, t), ours.target(x0, noise, t)
    assert (ours.to_x0(v, x_t, t) - x0).abs().max() < 2e-6
    assert (ours.to_noise(v, x_t, t) - noise).abs().max() < 2e-6


@pytest.mark.parametrize("gamma", [5.0, 1.0, None])
@pytest.mark.parametrize(
    ("kind", "prediction_type"), [("cosine", "v"), ("cosine", "x0"), ("linear", "epsilon")]
)
def test_predicting_zero_costs_one_on_unit_variance_data(
    kind: str, prediction_type: str, gamma: float | None
) -> None:
    ours = schedule(kind, prediction_type=prediction_type, min_snr_gamma=gamma)
    t = torch.arange(1000)
    assert float(ours.loss_weights(t).mean()) == pytest.approx(1.0, abs=1e-5)
    x0, noise = fixed_noise((1000, 1, 400), 5), fixed_noise((1000, 1, 400), 6)
    errors = ours.target(x0, noise, t).square().mean(dim=(1, 2))
    weights = ours.loss_weights(t)
    assert float((weights * errors).mean()) == pytest.approx(1.0, abs=0.02)
    errors = ours.target(0.5 * x0, noise, t).square().mean(dim=(1, 2))
    expected = ours.zero_predictor_loss(t, weights, mean_square=0.25).mean()
    assert float((weights * errors).mean()) == pytest.approx(float(expected), abs=0.02)


def test_weights_follow_the_formulas() -> None:
    snr = torch.tensor([0.01, 1.0, 5.0, 500.0])
    assert min_snr_weights(snr, "x0", 5.0).tolist() == pytest.approx([0.01, 1, 5, 5])
    assert min_snr_weights(snr, "epsilon", 5.0).tolist() == pytest.approx([1, 1, 1, 0.01])
    assert min_snr_weights(snr, "v", 5.0).tolist() == pytest.approx([0.01 / 1.01, 0.5, 5 / 6, 5 / 501])
    assert torch.equal(min_snr_weights(snr, "v", None), torch.ones(4))


def test_grid_and_noise_of_a_validation_never_change() -> None:
    ours = schedule()
    grid = ours.validation_grid(8)
    assert grid.tolist() == [62, 187, 312, 437, 562, 687, 812, 937]
    assert float(ours.loss_weights(grid, grid=grid).mean()) == pytest.approx(1.0, abs=1e-6)
    torch.rand(3)
    assert torch.equal(fixed_noise((3, 4), 9), fixed_noise((3, 4), 9))
    assert not torch.equal(fixed_noise((3, 4), 9), fixed_noise((3, 4), 10))
    for n in (0, 1001):
        with pytest.raises(ValueError, match="n_levels"):
            ours.validation_grid(n)


def test_random_steps_cover_all_steps_and_follow_their_generator() -> None:
    ours = schedule(noise_schedule={"type": "cosine", "num_timesteps": 10})
    draw = ours.random_steps(1000, torch.Generator().manual_seed(0))
    assert sorted(draw.unique().tolist()) == list(range(10))
    assert torch.equal(draw, ours.random_steps(1000, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"prediction_type": "epsilon"},
            "prediction_type epsilon does not work with noise_schedule.type cosine",
        ),
        ({"noise_schedule.beta_start": 0.1}, "does not read it"),
        (
            {"noise_schedule.type": "linear", "noise_schedule.beta_start": 0.1},
            "must be smaller than beta_end",
        ),
        ({"noise_schedule.type": "linaer"}, "did you mean 'linear'"),
        ({"cfg.drop_prob": 1.5}, "cfg.drop_prob"),
        ({"min_snr_gamma": 0}, "min_snr_gamma"),
    ],
)
def test_impossible_processes_are_refused_in_one_line(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        configuration.load(DiffusionConfig, overrides=[(k, v, "--set") for k, v in overrides.items()])
    assert "\n" not in str(caught.value)
