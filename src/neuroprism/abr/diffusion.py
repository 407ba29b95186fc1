"""The diffusion process of the signal: noise schedules, prediction targets, loss weights.

``x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e`` with ``a_t`` the cumulative product of ``1 - beta`` and
t = 0 .. n_steps - 1; ``SNR(t) = a_t / (1 - a_t)``. The velocity is ``v = sqrt(a) e - sqrt(1 - a) x_0``
(Salimans and Ho 2022, arXiv 2202.00512). Signals have unit variance over the training split.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from neuroprism.core.section import Section

PredictionType = Literal["v", "x0", "epsilon"]

COSINE_OFFSET = 0.008
MAX_BETA = 0.999


class CosineSchedule(Section):
    """``a`` follows a squared cosine (Nichol and Dhariwal 2021, arXiv 2102.09672)."""

    type: Literal["cosine"] = "cosine"
    """Form of the noise schedule."""

    num_timesteps: int = Field(default=1000, ge=2)
    """Number of noise levels."""

    def betas(self) -> Tensor:
        """Return beta (n_steps,), float32."""

        def alpha_bar(u: float) -> float:
            return math.cos((u + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2) ** 2

        n = self.num_timesteps
        return torch.tensor([min(1 - alpha_bar((i + 1) / n) / alpha_bar(i / n), MAX_BETA) for i in range(n)])


class _BetaRange(Section):
    num_timesteps: int = Field(default=1000, ge=2)
    """Number of noise levels."""

    beta_start: float = Field(default=1e-4, gt=0, lt=1)
    """Variance added in the first step."""

    beta_end: float = Field(default=0.02, gt=0, lt=1)
    """Variance added in the last step."""

    @model_validator(mode="after")
    def _increasing(self) -> _BetaRange:
        if self.beta_start >= self.beta_end:
            raise ValueError(
                f"beta_start ({self.beta_start:g}) must be smaller than beta_end ({self.beta_end:g})"
            )
        return self


class LinearSchedule(_BetaRange):
    """``beta`` rises linearly (Ho et al. 2020, arXiv 2006.11239)."""

    type: Literal["linear"] = "linear"
    """Form of the noise schedule."""

    def betas(self) -> Tensor:
        """Return beta (n_steps,), float32."""
        return torch.linspace(self.beta_start, self.beta_end, self.num_timesteps)


class QuadraticSchedule(_BetaRange):
    """The square root of ``beta`` rises linearly."""

    type: Literal["quadratic"] = "quadratic"
    """Form of the noise schedule."""

    def betas(self) -> Tensor:
        """Return beta (n_steps,), float32."""
        return torch.linspace(self.beta_start**0.5, self.beta_end**0.5, self.num_timesteps).square()


ScheduleConfig = Annotated[CosineSchedule | LinearSchedule | QuadraticSchedule, Field(discriminator="type")]


class GuidanceConfig(Section):
    """Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598)."""

    drop_prob: float = Field(default=0.1, ge=0, le=1)
    """Share of training recordings whose condition is replaced by the learned null condition."""


class DiffusionConfig(Section):
    """The noise process and what the network predicts."""

    noise_schedule: ScheduleConfig = CosineSchedule()
    """How the share of noise grows with the step."""

    prediction_type: PredictionType = "v"
    """Network output: velocity, clean signal or noise."""

    min_snr_gamma: float | None = Field(default=5.0, gt=0)
    """Cap of the signal-to-noise ratio in the loss weights (Min-SNR); null weighs every step alike."""

    cfg: GuidanceConfig = GuidanceConfig()
    """Dropping of the condition in training."""

    @model_validator(mode="after")
    def _recoverable(self) -> DiffusionConfig:
        if self.prediction_type == "epsilon" and self.noise_schedule.type == "cosine":
            raise ValueError(
                "prediction_type epsilon does not work with noise_schedule.type cosine, whose last step "
                "holds no signal to recover; use v or x0, or a linear or quadratic schedule"
            )
        return self


class NoiseSchedule(nn.Module):
    """All numbers of a diffusion process, on the device of the model.

    Attributes
    ----------
    alpha_bar
        Cumulative product of 1 - beta, shape (n_steps,), float32.
    signal, noise
        sqrt(alpha_bar) and sqrt(1 - alpha_bar).
    snr
        alpha_bar / (1 - alpha_bar).
    """

    betas: Tensor
    alpha_bar: Tensor
    signal: Tensor
    noise: Tensor
    snr: Tensor
    weights: Tensor

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.prediction_type: PredictionType = config.prediction_type
        self.n_steps = config.noise_schedule.num_timesteps
        betas = config.noise_schedule.betas()
        alpha_bar = torch.cumprod(1 - betas, dim=0)
        exact = alpha_bar.double()
        snr = exact / (1 - exact)
        weights = min_snr_weights(snr, self.prediction_type, config.min_snr_gamma)
        values = {
            "betas": betas,
            "alpha_bar": alpha_bar,
            "signal": exact.sqrt(),
            "noise": (1 - exact).sqrt(),
            "snr": snr,
            "weights": weights / weights.mean(),
        }
        for name, value in values.items():
            self.register_buffer(name, value.float(), persistent=False)

    def random_steps(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw `n` steps uniformly, int64."""
        device = generator.device if generator is not None else self.alpha_bar.device
        return torch.randint(self.n_steps, (n,), generator=generator, device=device).to(self.alpha_bar.device)

    def validation_grid(self, n_levels: int) -> Tensor:
        """Return the middle steps of `n_levels` equal ranges of steps, int64, increasing.

        Raises
        ------
        ValueError
            If there are more levels than steps, or none.
        """
        if not 1 <= n_levels <= self.n_steps:
            raise ValueError(f"n_levels must be between 1 and {self.n_steps}, not {n_levels}")
        middle = (torch.arange(n_levels, dtype=torch.float64) + 0.5) * self.n_steps / n_levels
        return middle.floor().long().to(self.alpha_bar.device)

    def loss_weights(self, t: Tensor, *, grid: Tensor | None = None) -> Tensor:
        """Return the Min-SNR weight of each step, shape of `t`.

        The weights have mean 1 over all steps, or over `grid` when only those steps are
        visited, so that predicting zero costs 1 on unit-variance data.
        """
        weights = self.weights[t]
        return weights if grid is None else weights / self.weights[grid].mean()

    def zero_predictor_loss(self, t: Tensor, weights: Tensor, mean_square: float) -> Tensor:
        """Return the expected weighted loss of predicting zero at each step, shape of `t`.

        Parameters
        ----------
        t, weights
            Steps and their weights.
        mean_square
            Mean square of the clean signals, 1 on the training split.
        """
        a = self.alpha_bar[t]
        if self.prediction_type == "v":
            return weights * (a + (1 - a) * mean_square)
        return weights * (mean_square if self.prediction_type == "x0" else 1.0)

    def add_noise(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return x_t for clean signals (B, ...), noise of the same shape and steps (B,)."""
        signal, sigma = self._coefficients(t, x0)
        return signal * x0 + sigma * noise

    def target(
        self, x0: Tensor, noise: Tensor, t: Tensor, prediction_type: PredictionType | None = None
    ) -> Tensor:
        """Return what the network should predict; `prediction_type` defaults to the configured one."""
        kind = prediction_type or self.prediction_type
        if kind == "x0":
            return x0
        if kind == "epsilon":
            return noise
        signal, sigma = self._coefficients(t, x0)
        return signal * noise - sigma * x0

    def to_x0(
        self, prediction: Tensor, x_t: Tensor, t: Tensor, prediction_type: PredictionType | None = None
    ) -> Tensor:
        """Return the clean signal that a prediction implies."""
        kind = prediction_type or self.prediction_type
        signal, sigma = self._coefficients(t, x_t)
        if kind == "x0":
            return prediction
        if kind == "epsilon":
            return (x_t - sigma * prediction) / signal
        return signal * x_t - sigma * prediction

    def to_noise(
        self, prediction: Tensor, x_t: Tensor, t: Tensor, prediction_type: PredictionType | None = None
    ) -> Tensor:
        """Return the noise that a prediction implies."""
        kind = prediction_type or self.prediction_type
        signal, sigma = self._coefficients(t, x_t)
        if kind == "epsilon":
            return prediction
        if kind == "x0":
            return (x_t - signal * prediction) / sigma
        return sigma * x_t + signal * prediction

    def to_v(
        self, prediction: Tensor, x_t: Tensor, t: Tensor, prediction_type: PredictionType | None = None
    ) -> Tensor:
        """Return the velocity that a prediction implies."""
        kind = prediction_type or self.prediction_type
        signal, sigma = self._coefficients(t, x_t)
        if kind == "x0":
            return (signal * x_t - prediction) / sigma
        if kind == "epsilon":
            return (prediction - sigma * x_t) / signal
        return prediction

    def _coefficients(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1, *[1] * (like.ndim - 1))
        return self.signal[t].view(shape), self.noise[t].view(shape)


def min_snr_weights(snr: Tensor, prediction_type: PredictionType, gamma: float | None) -> Tensor:
    """Return Min-SNR loss weights (Hang et al. 2023, arXiv 2303.09556); ones without `gamma`.

    epsilon: min(SNR, gamma) / SNR; v: min(SNR, gamma) / (SNR + 1); x0: min(SNR, gamma).
    """
    if gamma is None:
        return torch.ones_like(snr)
    capped = snr.clamp(max=gamma)
    if prediction_type == "epsilon":
        return capped / snr
    return capped / (snr + 1) if prediction_type == "v" else capped


def fixed_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Return standard normal noise on the CPU that depends on `shape` and `seed` only."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
