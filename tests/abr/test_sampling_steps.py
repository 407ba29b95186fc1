"""Single steps against diffusers, whole chains against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor

from neuroprism.abr.diffusion import DiffusionConfig, NoiseSchedule, PredictionType, fixed_noise
from neuroprism.abr.sampling import SamplerSettings, SignalNoise, run_sampler
from neuroprism.abr.sampling_steps import CLEAN, ReverseProcess, trailing_steps
from neuroprism.core.errors import UserError

ORACLE_NAME = {"cosine": "squaredcos_cap_v2", "linear": "linear"}
DIFFUSERS_NAME = {"v": "v_prediction", "x0": "sample", "epsilon": "epsilon"}
# Noise cannot be turned into the signal at the last level of the cosine schedule.
CASES = [
    ("cosine", "v"),
    ("cosine", "x0"),
    ("linear", "v"),
    ("linear", "x0"),
    ("linear", "epsilon"),
]


def exact_schedule(kind: str = "cosine") -> NoiseSchedule:
    """A schedule in float64, without the rounding of its float32 tables."""
    schedule = NoiseSchedule(DiffusionConfig.model_validate({"noise_schedule": {"type": kind}})).double()
    schedule.signal, schedule.noise = schedule.alpha_bar.sqrt(), (1 - schedule.alpha_bar).sqrt()
    return schedule


def oracle(scheduler: Any, kind: str, prediction_type: str, n_steps: int, **options: Any) -> Any:
    made = scheduler(
        1000,
        beta_schedule=ORACLE_NAME[kind],
        beta_start=1e-4,
        beta_end=0.02,
        prediction_type=DIFFUSERS_NAME[prediction_type],
        clip_sample=False,
        timestep_spacing="trailing",
        **options,
    )
    made.alphas_cumprod = made.alphas_cumprod.double()
    made.set_timesteps(n_steps)
    return made


def pair(levels: list[int], number: int) -> tuple[Tensor, Tensor]:
    t, lower = [*levels, CLEAN][number : number + 2]
    return torch.full((3,), t), torch.full((3,), lower)


@pytest.mark.parametrize("n_steps", [1, 7, 50, 333, 1000])
def test_steps_are_spaced_as_in_diffusers(n_steps: int) -> None:
    theirs = oracle(DDIMScheduler, "cosine", "v", n_steps).timesteps
    assert trailing_steps(1000, n_steps) == theirs.tolist()


def test_numbers_of_steps_that_make_no_sense() -> None:
    assert trailing_steps(1000, 50)[:2] == [999, 979]
    for n_steps in (0, 1001):
        with pytest.raises(UserError, match="between 1 and 1000"):
            trailing_steps(1000, n_steps)


@pytest.mark.parametrize("clip", [None, (-0.8, 1.1)])
@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
@pytest.mark.parametrize(("kind", "prediction_type"), CASES)
def test_ddim_step_equals_diffusers(
    kind: str, prediction_type: PredictionType, eta: float, clip: tuple[float, float] | None
) -> None:
    theirs = oracle(DDIMScheduler, kind, prediction_type, 50, set_alpha_to_one=True)
    if clip is not None:
        # diffusers knows symmetric limits only.
        theirs.register_to_config(clip_sample=True, clip_sample_range=0.8)
        clip = (-0.8, 0.8)
    ours = ReverseProcess(exact_schedule(kind), prediction_type=prediction_type, clip=clip)
    for number in (0, 1, 25, 48, 49):
        x, prediction, fresh = (fixed_noise((3, 1, 40), 10 * number + k).double() for k in range(3))
        t, lower = pair(trailing_steps(1000, 50), number)
        expected = theirs.step(
            prediction,
            int(t[0]),
            x,
            eta=eta,
            variance_noise=fresh,
            use_clipped_model_output=clip is not None,
        ).prev_sample
        found = ours.ddim(prediction, x, t, lower, eta=eta, fresh=fresh if eta else None)
        assert (found - expected).abs().max() < 1e-6


@pytest.mark.parametrize("n_steps", [50, 1000])
@pytest.mark.parametrize(("kind", "prediction_type"), CASES)
def test_ddpm_step_equals_diffusers(
    kind: str, prediction_type: PredictionType, n_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = oracle(DDPMScheduler, kind, prediction_type, n_steps)
    ours = ReverseProcess(exact_schedule(kind), prediction_type=prediction_type)
    for number in (0, 1, n_steps // 2, n_steps - 2, n_steps - 1):
        x, prediction, fresh = (fixed_noise((3, 1, 40), 10 * number + k).double() for k in range(3))
        monkeypatch.setattr(
            "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, fresh=fresh, **__: fresh
        )
        t, lower = pair(trailing_steps(1000, n_steps), number)
        expected = theirs.step(prediction, int(t[0]), x).prev_sample
        assert (ours.ddpm(prediction, x, t, lower, fresh=fresh) - expected).abs().max() < 1e-6


@pytest.mark.parametrize(("kind", "prediction_type"), CASES)
def test_ddim_with_all_its_noise_is_ddpm(kind: str, prediction_type: PredictionType) -> None:
    process = ReverseProcess(exact_schedule(kind), prediction_type=prediction_type, clip=(-2.0, 3.0))
    x, prediction, fresh = (fixed_noise((4, 1, 40), k).double() for k in range(3))
    t, lower = torch.tensor([999, 500, 30, 0]), torch.tensor([998, 350, 0, CLEAN])
    implicit = process.ddim(prediction, x, t, lower, eta=1.0, fresh=fresh)
    assert (implicit - process.ddpm(prediction, x, t, lower, fresh=fresh)).abs().max() < 1e-6


def test_float32_is_close_to_float64() -> None:
    exact = ReverseProcess(exact_schedule(), prediction_type="v")
    plain = ReverseProcess(NoiseSchedule(DiffusionConfig()))
    x, prediction, fresh = (fixed_noise((4, 1, 40), k) for k in range(3))
    t, lower = torch.tensor([999, 500, 30, 0]), torch.tensor([979, 350, 10, CLEAN])
    for eta in (0.0, 1.0):
        expected = exact.ddim(prediction.double(), x.double(), t, lower, eta=eta, fresh=fresh.double())
        assert (plain.ddim(prediction, x, t, lower, eta=eta, fresh=fresh) - expected).abs().max() < 5e-6


def test_a_clipped_signal_stays_in_its_range() -> None:
    process = ReverseProcess(exact_schedule(), clip=(-0.5, 0.25))
    x, prediction = fixed_noise((3, 1, 40), 1).double(), fixed_noise((3, 1, 40), 2).double()
    last = process.ddim(prediction, x, torch.full((3,), 19), torch.full((3,), CLEAN))
    assert (float(last.min()), float(last.max())) == (-0.5, 0.25)


# --- a signal whose best denoiser is known ----------------------------------------------------------------


class Gaussian:
    """Data N(mean, covariance) and the exact denoiser of it, in the prediction type of the process."""

    def __init__(self, schedule: NoiseSchedule, mean: Tensor, covariance: Tensor, kind: PredictionType):
        self.schedule, self.mean, self.kind = schedule, mean, kind
        self.values, self.vectors = torch.linalg.eigh(covariance)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """``E[x0 | x_t] = m + sqrt(a) C (a C + (1 - a) I)^-1 (x_t - sqrt(a) m)``."""
        a = float(self.schedule.alpha_bar[t[0]])
        gain = (self.vectors * (a**0.5 * self.values / (a * self.values + 1 - a))) @ self.vectors.T
        x0 = self.mean + (x - a**0.5 * self.mean) @ gain.T
        return self.schedule.target(x0, self.schedule.to_noise(x0, x, t, "x0"), t, self.kind)


# Of data N(1.5, 0.5^2) in closed form: steps, then mean and SD with eta = 0, and SD with eta = 1.
CLOSED_FORM = [
    (10, 1.49997, 0.42683, 0.38866),
    (20, 1.49997, 0.46211, 0.43230),
    (50, 1.49996, 0.48445, 0.46774),
    (100, 1.49996, 0.49213, 0.48244),
    (250, 1.49996, 0.49681, 0.49245),
    (1000, 1.49996, 0.49919, 0.49799),
]


@pytest.mark.parametrize(("n_steps", "mean", "sd", "sd_ancestral"), CLOSED_FORM)
def test_gaussian_chain_is_the_known_affine_map(
    n_steps: int, mean: float, sd: float, sd_ancestral: float
) -> None:
    schedule = exact_schedule()
    process = ReverseProcess(schedule, prediction_type="v")
    denoiser = Gaussian(schedule, torch.tensor([1.5]).double(), torch.tensor([[0.25]]).double(), "v")

    # Two starts give slope and offset of the map from x_T to x_0.
    start = torch.tensor([[[0.0]], [[1.0]]]).double()
    found = run_sampler(process, denoiser, start, SamplerSettings(steps=n_steps), SignalNoise(0, [0, 1]))
    offset, slope = float(found[0]), float(found[1] - found[0])
    assert offset == pytest.approx(mean, abs=2e-5)
    assert slope == pytest.approx(sd, abs=2e-5)

    # With noise the variance follows from the slopes of the single steps.
    variance = 1.0
    levels = trailing_steps(1000, n_steps)
    for t, lower in zip(levels, [*levels[1:], CLEAN], strict=True):
        at, to = torch.full((2,), t), torch.full((2,), lower)
        moved = process.ddpm(denoiser(start, at), start, at, to, fresh=torch.zeros_like(start))
        added = process.ddpm(denoiser(start, at), start, at, to, fresh=torch.ones_like(start)) - moved
        variance = float(moved[1] - moved[0]) ** 2 * variance + float(added[0]) ** 2
    assert variance**0.5 == pytest.approx(sd_ancestral, abs=2e-5)


@pytest.mark.parametrize(
    ("settings", "kind", "prediction_type"),
    [
        (SamplerSettings(steps=200), "cosine", "v"),
        (SamplerSettings(steps=200, eta=1.0), "linear", "epsilon"),
        (SamplerSettings(sampler="ddpm", steps=400), "cosine", "x0"),
    ],
    ids=["ddim", "ddim with noise", "ddpm"],
)
def test_gaussian_mean_and_covariance_are_recovered(
    settings: SamplerSettings, kind: str, prediction_type: PredictionType
) -> None:
    n, schedule = 4000, exact_schedule(kind)
    factor = torch.tensor([[0.9, 0.0, 0.0], [0.5, 0.6, 0.0], [-0.3, 0.4, 0.5]]).double()
    mean, covariance = torch.tensor([0.5, -1.0, 0.2]).double(), factor @ factor.T
    process = ReverseProcess(schedule, prediction_type=prediction_type)
    denoiser = Gaussian(schedule, mean, covariance, prediction_type)
    noise = SignalNoise(7, [0])
    start = noise.draw(torch.empty(1, n, 3).double()).transpose(0, 1)

    class Shared:
        def draw(self, like: Tensor) -> Tensor:
            return noise.draw(like.transpose(0, 1)).transpose(0, 1)

    found = run_sampler(process, denoiser, start, settings, Shared()).squeeze(1)  # type: ignore[arg-type]
    error_of_mean = (covariance.diagonal() / n).sqrt()
    assert ((found.mean(dim=0) - mean).abs() < 4 * error_of_mean).all()
    spread = covariance.diagonal()
    error_of_covariance = ((covariance**2 + spread[:, None] * spread) / n).sqrt()
    measured = torch.from_numpy(np.cov(found.numpy().T))
    # The steps leave some 2 % of the variance out.
    assert (
        (measured - covariance).abs() < 4 * error_of_covariance + 0.02 * spread.sqrt().outer(spread.sqrt())
    ).all()
