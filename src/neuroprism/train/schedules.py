"""Learning-rate schedules as factors of the optimizer step.

Step k (from 0) uses ``factor(k)`` times the base rate of every parameter group.
During the W steps of the warm-up the factor rises linearly to where the
schedule begins; the schedule's own clock starts after it. Everything but
`reduce_on_plateau` is a pure function of k, so the step number is all the state
there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from torch.optim import Optimizer

from neuroprism.core.errors import ConfigError
from neuroprism.train.optim import BASE_RATE
from neuroprism.train.schedule_config import (
    ConstantConfig,
    CosineAnnealingConfig,
    CosineWarmRestartsConfig,
    ExponentialConfig,
    MultistepConfig,
    OneCycleConfig,
    ReduceOnPlateauConfig,
    ScheduleConfig,
    StepConfig,
)

Curve = Callable[[int], float]


class Schedule:
    """The learning rate of every optimizer step.

    Parameters
    ----------
    config
        Type and options.
    learning_rate
        Highest rate, to which absolute rates in `config` are related.
    steps_per_epoch
        Optimizer steps of an epoch.
    epochs
        Epochs of the whole training.
    maximize
        Whether the series watched by `reduce_on_plateau` is better when higher.

    Raises
    ------
    ConfigError
        If the warm-up is as long as the training.
    """

    def __init__(
        self,
        config: ScheduleConfig,
        *,
        learning_rate: float,
        steps_per_epoch: int,
        epochs: int,
        maximize: bool = False,
    ) -> None:
        n_steps = steps_per_epoch * epochs
        self.learning_rate = learning_rate
        self.n_warmup = (
            config.warmup_steps
            if config.warmup_steps is not None
            else round(config.warmup_epochs * steps_per_epoch)
        )
        if self.n_warmup >= n_steps:
            raise ConfigError(
                f"training.scheduler.warmup_steps: {self.n_warmup} steps of warm-up, "
                f"but the whole training has {n_steps}"
            )
        self._curve = _curve(config, learning_rate, steps_per_epoch, n_steps - self.n_warmup)
        self._plateau = (
            Plateau(config, lowest=config.min_lr / learning_rate, maximize=maximize)
            if isinstance(config, ReduceOnPlateauConfig)
            else None
        )

    def factor(self, step: int) -> float:
        """Return the factor of step number `step`, counted from 0."""
        scale = self._plateau.factor if self._plateau else 1.0
        if step < self.n_warmup:
            return scale * self._curve(0) * (step + 1) / (self.n_warmup + 1)
        return scale * self._curve(step - self.n_warmup)

    def apply(self, optimizer: Optimizer, step: int) -> float:
        """Set the rate of every group of `optimizer` for `step`; return the highest one."""
        factor = self.factor(step)
        for group in optimizer.param_groups:
            group["lr"] = group[BASE_RATE] * factor
        return self.learning_rate * factor

    def observe(self, value: float | None, *, step: int) -> None:
        """Take in the watched series after a validation; only `reduce_on_plateau` listens.

        During the warm-up no validation counts as bad.
        """
        if self._plateau and value is not None:
            self._plateau.observe(value, tolerant=step < self.n_warmup)

    def state_dict(self) -> dict[str, Any]:
        """Return what is not a function of the step number."""
        return self._plateau.state_dict() if self._plateau else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`; the state of another type of schedule is not taken over."""
        if self._plateau and state:
            self._plateau.load_state_dict(state)


class Plateau:
    """Reduces its factor when a series stops improving.

    Attributes
    ----------
    factor
        Present factor of the learning rate.
    """

    def __init__(self, config: ReduceOnPlateauConfig, *, lowest: float, maximize: bool) -> None:
        self._config = config
        self._lowest = lowest
        self._sign = -1.0 if maximize else 1.0
        self.factor = 1.0
        self._best = math.inf
        self._n_bad = 0
        self._cooldown = 0

    def observe(self, value: float, *, tolerant: bool = False) -> None:
        """Take in the next value; `tolerant`: it may improve, but does not count as bad."""
        signed = self._sign * value
        if signed < self._best - self._config.threshold:
            self._best, self._n_bad = signed, 0
        else:
            self._n_bad += 1
        if tolerant or self._cooldown:
            self._cooldown = max(0, self._cooldown - 1)
            self._n_bad = 0
        if self._n_bad > self._config.patience:
            self.factor = max(self.factor * self._config.factor, self._lowest)
            self._cooldown, self._n_bad = self._config.cooldown, 0

    def state_dict(self) -> dict[str, Any]:
        """Return factor, best value and counters."""
        return {
            "factor": self.factor,
            "best": self._best,
            "n_bad": self._n_bad,
            "cooldown": self._cooldown,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.factor = state["factor"]
        self._best = state["best"]
        self._n_bad = state["n_bad"]
        self._cooldown = state["cooldown"]


def _curve(config: ScheduleConfig, learning_rate: float, steps_per_epoch: int, n_steps: int) -> Curve:
    """Return the factor as a function of the step after the warm-up, which has `n_steps` left."""

    def steps(epochs: float) -> int:
        return max(1, round(epochs * steps_per_epoch))

    match config:
        case ConstantConfig() | ReduceOnPlateauConfig():
            return lambda _: 1.0
        case StepConfig():
            return partial(_step, period=steps(config.step_size), gamma=config.gamma)
        case MultistepConfig():
            milestones = [steps(epochs) for epochs in config.milestones]
            return lambda k: config.gamma ** sum(k >= milestone for milestone in milestones)
        case ExponentialConfig():
            return lambda k: config.gamma ** (k / steps_per_epoch)
        case CosineAnnealingConfig():
            length = n_steps if config.T_max is None else steps(config.T_max)
            return partial(_cosine, length=length, lowest=config.eta_min / learning_rate)
        case CosineWarmRestartsConfig():
            return partial(
                _restarting_cosine,
                first=steps(config.T_0),
                growth=config.T_mult,
                lowest=config.eta_min / learning_rate,
            )
        case OneCycleConfig():
            return partial(_one_cycle, length=n_steps, config=config)


def _step(k: int, *, period: int, gamma: float) -> float:
    return gamma ** (k // period)


def _cosine(k: int, *, length: int, lowest: float) -> float:
    return lowest + (1 - lowest) * _half_cosine(min(k / length, 1.0))


def _restarting_cosine(k: int, *, first: int, growth: int, lowest: float) -> float:
    """Cosine annealing with warm restarts (Loshchilov and Hutter 2017, eq. 5)."""
    length = first
    if growth == 1:
        k %= first
    else:
        while k >= length:
            k -= length
            length *= growth
    return lowest + (1 - lowest) * _half_cosine(k / length)


def _one_cycle(k: int, *, length: int, config: OneCycleConfig) -> float:
    """One rise and one fall (Smith and Topin 2018)."""
    shape = _half_cosine if config.anneal_strategy == "cos" else lambda share: 1.0 - share
    first = 1 / config.div_factor
    last = first / config.final_div_factor
    top = max(config.pct_start * length - 1, 0.0)
    if k <= top:
        share = k / top if top else 1.0
        return 1 + (first - 1) * shape(share)
    share = min((k - top) / max(length - 1 - top, 1e-12), 1.0)
    return last + (1 - last) * shape(share)


def _half_cosine(share: float) -> float:
    """Fall from 1 to 0 while `share` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * share))
