"""Drawing signals from a trained network, and denoising recordings with it.

Letters: B batch, N signals, T samples, F condition columns (`neuroprism.abr.conditioning.CONDITIONS`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from neuroprism.abr.dataset import AbrDataset
from neuroprism.abr.diffusion import NoiseSchedule
from neuroprism.abr.model import AbrNetwork
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.sampling_steps import CLEAN, ReverseProcess, trailing_steps
from neuroprism.abr.trained import TrainedAbr
from neuroprism.core.errors import DataError, UserError

SamplerName = Literal["ddim", "ddpm"]
SAMPLERS: tuple[SamplerName, ...] = ("ddim", "ddpm")

Predict = Callable[[Tensor, Tensor], Tensor]
"""Output of a network for signals (B, 1, T) at noise levels (B,)."""

DDIM_STEPS = 50
DENOISING_STEPS = 10

NOISE_BANDWIDTH_HZ = 1000.0
"""Band in which the noise of an averaged response is taken to lie.

Chosen on simulated recordings, where it gives a smaller error of the denoised trace than bandwidths of 400
and 2,500 Hz or white noise; a slow baseline makes the noise of a recording narrower still.
"""


@dataclass(frozen=True, kw_only=True)
class SamplerSettings:
    """How signals are drawn.

    Attributes
    ----------
    sampler
        `ddim`: few steps, deterministic unless `eta` says otherwise; `ddpm`: ancestral.
    steps
        Number of steps; None: 50 for ddim, every noise level of the model for ddpm.
    eta
        Share of the ancestral noise in ddim, 0 to 1.
    guidance
        Scale w of ``u + w (c - u)`` with the predictions c under the condition and u without it
        (Ho and Salimans 2022, arXiv 2207.12598); 1 is the condition as trained, 0 no condition at all.

    Raises
    ------
    UserError
        If a value makes no sense.
    """

    sampler: SamplerName = "ddim"
    steps: int | None = None
    eta: float = 0.0
    guidance: float = 1.0

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise UserError(f"sampler must be {' or '.join(SAMPLERS)}, not '{self.sampler}'")
        if self.steps is not None and self.steps < 1:
            raise UserError(f"steps must be 1 or more, not {self.steps}")
        if not 0 <= self.eta <= 1:
            raise UserError(f"eta must be between 0 and 1, not {self.eta:g}")
        if self.sampler == "ddpm" and self.eta:
            raise UserError("eta belongs to the sampler ddim; ddpm always adds its noise")
        if not (math.isfinite(self.guidance) and self.guidance >= 0):
            raise UserError(f"guidance must be 0 or more, not {self.guidance:g}")

    def levels(self, schedule: NoiseSchedule) -> list[int]:
        """Return the noise levels to visit, from the highest down."""
        default = schedule.n_steps if self.sampler == "ddpm" else min(DDIM_STEPS, schedule.n_steps)
        return trailing_steps(schedule.n_steps, default if self.steps is None else self.steps)


class SignalNoise:
    """Standard normal noise of which every signal has its own source.

    What a signal gets depends on `seed` and its number only: neither the batch nor the device it is in
    changes it, and the first of many are the same as few.

    Parameters
    ----------
    seed
        Of all signals, 0 or more.
    numbers
        Number of each signal of the batch.
    """

    def __init__(self, seed: int, numbers: Sequence[int]) -> None:
        self._sources = [torch.Generator().manual_seed(_mixed(seed, number)) for number in numbers]

    def draw(self, like: Tensor) -> Tensor:
        """Return noise with shape (B, ...), type and device of `like`."""
        shape = like.shape[1:]
        drawn = [torch.randn(shape, generator=source, dtype=like.dtype) for source in self._sources]
        return torch.stack(drawn).to(like.device)


def _mixed(seed: int, number: int) -> int:
    """Return a seed of 63 bits; neighbouring pairs give unrelated ones."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def guided(network: AbrNetwork, condition: Tensor, missing: Tensor, scale: float) -> Predict:
    """Return the prediction of a network under conditions (B, F), guided by `scale`.

    Scale 1 asks the network once under the condition, 0 once under the null condition; any other scale
    asks for both in one batch and is linear in them, so that it does not matter what is predicted.
    """
    n = len(condition)
    if scale in (0.0, 1.0):
        drop = torch.full((n,), scale == 0.0, dtype=torch.bool, device=condition.device)
        return lambda x_t, t: network.predict_signal(x_t, t, condition, missing, drop)
    both = torch.arange(2 * n, device=condition.device) >= n
    condition, missing = condition.repeat(2, 1), missing.repeat(2, 1)

    def predict(x_t: Tensor, t: Tensor) -> Tensor:
        answers = network.predict_signal(x_t.repeat(2, 1, 1), t.repeat(2), condition, missing, both)
        conditional, unconditional = answers.chunk(2)
        return unconditional + scale * (conditional - unconditional)

    return predict


@torch.no_grad()
def run_sampler(
    process: ReverseProcess,
    predict: Predict,
    start: Tensor,
    settings: SamplerSettings,
    noise: SignalNoise,
    *,
    after_step: Callable[[], object] | None = None,
) -> Tensor:
    """Take pure noise (B, 1, T) down to clean signals of the same shape.

    Parameters
    ----------
    process
        Single steps.
    predict
        Network under its conditions.
    start
        Standard normal noise.
    settings
        Sampler and steps.
    noise
        Source of the noise that is added on the way.
    after_step
        Called after every step.
    """
    levels = settings.levels(process.schedule)
    x = start
    for level, next_level in zip(levels, [*levels[1:], CLEAN], strict=True):
        t, lower = (torch.full((len(x),), value, device=x.device) for value in (level, next_level))
        prediction = predict(x, t)
        if settings.sampler == "ddpm":
            x = process.ddpm(prediction, x, t, lower, fresh=noise.draw(x))
        else:
            fresh = noise.draw(x) if settings.eta else None
            x = process.ddim(prediction, x, t, lower, eta=settings.eta, fresh=fresh)
        if after_step is not None:
            after_step()
    return x


def draw_signals(
    trained: TrainedAbr,
    condition: Tensor,
    missing: Tensor,
    settings: SamplerSettings,
    *,
    seed: int,
    numbers: Sequence[int] | None = None,
    batch_size: int = 64,
    progress: bool = False,
) -> Tensor:
    """Draw one signal for each condition.

    Equal seeds give equal signals, whatever the batch size, up to rounding in the network.

    Parameters
    ----------
    trained
        Network, noise levels and the range of its training signals, to which signals are clipped.
    condition, missing
        Standardised conditions and flags of missing ones, shape (N, F).
    settings
        Sampler, steps, guidance.
    seed
        Of all that is drawn, 0 or more.
    numbers
        Number of each signal, which with `seed` gives its noise; by default its place.
    batch_size
        Signals that are drawn together.
    progress
        Whether to show a bar.

    Returns
    -------
    Tensor
        Standardised signals, shape (N, 1, T), on the CPU.

    Raises
    ------
    UserError
        If guidance is asked of a network that was trained without a null condition, or for more steps
        than the model has noise levels.
    """
    check_guidance(trained, settings.guidance)
    n, n_levels = len(condition), len(settings.levels(trained.schedule))
    numbers = range(n) if numbers is None else numbers
    process = ReverseProcess(trained.schedule, clip=trained.scaler.clip)
    parts = []
    with tqdm(total=n * n_levels, desc="generate", unit="step", disable=not progress) as bar:
        for first in range(0, n, batch_size):
            rows = slice(first, min(first + batch_size, n))
            given = condition[rows].to(trained.device), missing[rows].to(trained.device)
            noise = SignalNoise(seed, numbers[rows])
            start = noise.draw(torch.empty(len(given[0]), 1, trained.n_times, device=trained.device))
            predict = guided(trained.network, *given, settings.guidance)

            def advance(n_signals: int = len(start)) -> None:
                bar.update(n_signals)

            parts.append(run_sampler(process, predict, start, settings, noise, after_step=advance).cpu())
    return torch.cat(parts)


def check_guidance(trained: TrainedAbr, guidance: float) -> None:
    """Refuse guidance that the network was not trained for.

    Raises
    ------
    UserError
        If anything but the condition as it is was asked for.
    """
    if guidance != 1.0 and not trained.has_null_condition:
        raise UserError(
            f"guidance {guidance:g} needs a model that was trained with diffusion.cfg.drop_prob above 0; "
            f"{trained.path} was not: use --guidance 1"
        )


@torch.no_grad()
def denoise(
    trained: TrainedAbr,
    recordings: AbrRecordings,
    *,
    residual_noise_uv: float | None = None,
    steps: int = DENOISING_STEPS,
    batch_size: int = 64,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Return the responses in recordings without their noise, (N, T) in microvolt.

    A recording ``y = x + n`` whose white noise has the SD ``s`` (in SDs of the signal) is, times ``sqrt(a)``,
    a diffused signal of the level t at which ``(1 - a) / a = s^2``. The noise of a recording is not white but
    lies in the band of the response, where it is denser than white noise of the same SD; white noise of
    that density has ``s = residual / SD of the signal * sqrt(half the sampling rate / bandwidth)``. From
    level t deterministic DDIM leads down to the clean signal. One step gives the mean of the possible
    responses, which has the smallest expected error; more steps give one possible response, with all its
    detail.

    A network that learned recorded traces (`data.signal_target: recorded`) takes noise like that of
    its training recordings for a part of the signal; one that learned clean traces does not.

    Parameters
    ----------
    trained
        Network and scaler.
    recordings
        With the window, rate and unit of the training data.
    residual_noise_uv
        SD of the noise in every recording; None: as the recordings say.
    steps
        DDIM steps from the level of each recording.
    batch_size
        Recordings that are denoised together.
    progress
        Whether to show a bar.

    Raises
    ------
    DataError
        If the recordings do not fit the network, or their noise is not known.
    UserError
        If `steps` is not 1 or more.
    """
    if steps < 1:
        raise UserError(f"steps must be 1 or more, not {steps}")
    everything = AbrDataset(recordings, np.arange(len(recordings)), trained.scaler).everything
    levels = noise_levels(trained, _residual_noise(recordings, residual_noise_uv))
    process = ReverseProcess(trained.schedule, clip=trained.scaler.clip)
    parts = []
    with tqdm(total=len(recordings), desc="denoise", unit="recording", disable=not progress) as bar:
        for rows in torch.split(torch.arange(len(recordings)), batch_size):
            batch = everything.select(rows).to(trained.device)
            predict = guided(trained.network, batch.condition, batch.condition_missing, 1.0)
            t = levels[rows].to(trained.device)
            x = trained.schedule.signal[t].view(-1, 1, 1) * batch.observed
            for step in range(steps):
                lower = _between(levels[rows], step + 1, steps).to(trained.device)
                x = process.ddim(predict(x, t), x, t, lower)
                t = lower
            parts.append(x.squeeze(1).cpu())
            bar.update(len(rows))
    clean: NDArray[np.float32] = trained.scaler.signal.invert(torch.cat(parts).double()).numpy()
    return clean.astype(np.float32)


def noise_levels(trained: TrainedAbr, residual_noise_uv: NDArray[np.floating]) -> Tensor:
    """Return the lowest noise level that has at least this noise, (N,), int64.

    Level t has the noise ``sqrt((1 - a) / a)`` for a signal of SD 1; the residual noise counts in SDs of
    the training signals, times the root of half the sampling rate over `NOISE_BANDWIDTH_HZ`.
    """
    density = max(1.0, 0.5 * trained.sample_rate_hz / NOISE_BANDWIDTH_HZ) ** 0.5
    ratio = trained.schedule.snr.cpu().double().rsqrt()
    wanted = torch.from_numpy(density / trained.scaler.signal.sd * np.asarray(residual_noise_uv, np.float64))
    return torch.searchsorted(ratio, wanted).clamp(max=trained.schedule.n_steps - 1)


def _between(levels: Tensor, step: int, n_steps: int) -> Tensor:
    """Return the level of each recording after `step` of `n_steps` equal steps down to the clean signal."""
    if step == n_steps:
        return torch.full_like(levels, CLEAN)
    return (((levels + 1) * (1 - step / n_steps)).round().long() - 1).clamp(min=0)


def _residual_noise(recordings: AbrRecordings, given_uv: float | None) -> NDArray[np.float64]:
    if given_uv is None:
        noise = recordings.residual_noise_uv.astype(np.float64)
        unknown = int(np.isnan(noise).sum())
        if unknown:
            raise DataError(f"residual_noise_uv is not known for {unknown} recordings: give it by hand")
        return noise
    if not (math.isfinite(given_uv) and given_uv >= 0):
        raise DataError(f"residual_noise_uv must be 0 or more, not {given_uv:g}")
    return np.full(len(recordings), given_uv)
