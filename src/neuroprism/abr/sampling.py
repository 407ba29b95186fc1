"""Drawing signals from a trained network.

Letters: B batch, N signals, T samples, F condition columns (`neuroprism.abr.conditioning.CONDITIONS`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from neuroprism.abr.diffusion import NoiseSchedule
from neuroprism.abr.model import AbrNetwork
from neuroprism.abr.sampling_steps import CLEAN, ReverseProcess, trailing_steps
from neuroprism.abr.trained import TrainedAbr
from neuroprism.core.errors import UserError

SamplerName = Literal["ddim", "ddpm"]
SAMPLERS: tuple[SamplerName, ...] = ("ddim", "ddpm")

Predict = Callable[[Tensor, Tensor], Tensor]
"""Output of a network for signals (B, 1, T) at noise levels (B,)."""

DDIM_STEPS = 50


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
