"""Configuration of the learning-rate schedule: one section for each type.

Units: the rate changes with every optimizer step. Lengths are given in epochs
(fractions are allowed where a float stands) and converted to optimizer steps;
only `warmup_steps` is given in steps. Every length counts from the end of the
warm-up. `reduce_on_plateau` counts validations.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from neuroprism.core.section import Section

Factor = Annotated[float, Field(gt=0, lt=1)]


class _ScheduleConfig(Section):
    """What every schedule has."""

    warmup_epochs: float = Field(default=0.0, ge=0)
    """Epochs in which the rate rises linearly to where the schedule begins; 0 = no warm-up."""

    warmup_steps: int | None = Field(default=None, ge=0)
    """The same in optimizer steps, instead of `warmup_epochs`."""

    @model_validator(mode="after")
    def _one_warmup(self) -> _ScheduleConfig:
        if self.warmup_epochs and self.warmup_steps:
            raise ValueError("set either warmup_epochs or warmup_steps, not both")
        return self


class ConstantConfig(_ScheduleConfig):
    """The rate stays where it is."""

    type: Literal["constant"] = "constant"
    """Course of the learning rate."""


class StepConfig(_ScheduleConfig):
    """The rate is multiplied by `gamma` every `step_size` epochs."""

    type: Literal["step"] = "step"
    """Course of the learning rate."""

    step_size: float = Field(default=30.0, gt=0)
    """Epochs between two reductions."""

    gamma: Factor = 0.1
    """Factor of every reduction."""


class MultistepConfig(_ScheduleConfig):
    """The rate is multiplied by `gamma` at each milestone."""

    type: Literal["multistep"] = "multistep"
    """Course of the learning rate."""

    milestones: tuple[float, ...] = (30.0, 60.0)
    """Epochs at which the rate is reduced, increasing."""

    gamma: Factor = 0.1
    """Factor of every reduction."""

    @field_validator("milestones")
    @classmethod
    def _increase(cls, milestones: tuple[float, ...]) -> tuple[float, ...]:
        if not milestones or milestones[0] <= 0 or any(a >= b for a, b in pairwise(milestones)):
            raise ValueError("must be positive and increasing, e.g. [30, 60]")
        return milestones


class ExponentialConfig(_ScheduleConfig):
    """The rate falls by the factor `gamma` per epoch, a little with every step."""

    type: Literal["exponential"] = "exponential"
    """Course of the learning rate."""

    gamma: Factor = 0.95
    """Factor per epoch."""


class CosineAnnealingConfig(_ScheduleConfig):
    """The rate falls along half a cosine to `eta_min` and stays there (Loshchilov and Hutter 2017)."""

    type: Literal["cosine_annealing"] = "cosine_annealing"
    """Course of the learning rate."""

    T_max: float | None = Field(default=None, gt=0)
    """Epochs of the fall; null = until the end of training."""

    eta_min: float = Field(default=5e-7, ge=0)
    """Lowest learning rate."""


class CosineWarmRestartsConfig(_ScheduleConfig):
    """The rate falls along half a cosine to `eta_min` and jumps back, again and again."""

    type: Literal["cosine_annealing_warm_restarts"] = "cosine_annealing_warm_restarts"
    """Course of the learning rate."""

    T_0: int = Field(default=30, ge=1)
    """Epochs of the first period."""

    T_mult: int = Field(default=1, ge=1)
    """Whole number by which every next period is longer."""

    eta_min: float = Field(default=5e-7, ge=0)
    """Lowest learning rate."""

    @field_validator("T_mult", mode="before")
    @classmethod
    def _whole(cls, value: object) -> object:
        if isinstance(value, float) and not value.is_integer():
            raise ValueError(f"must be a whole number, e.g. 1 or 2, not {value}")
        return value


class OneCycleConfig(_ScheduleConfig):
    """The rate rises to its maximum and falls far below its start (Smith and Topin 2018)."""

    type: Literal["one_cycle"] = "one_cycle"
    """Course of the learning rate."""

    pct_start: Factor = 0.3
    """Share of the cycle in which the rate rises."""

    div_factor: float = Field(default=25.0, gt=1)
    """Highest rate over first rate."""

    final_div_factor: float = Field(default=1e4, gt=1)
    """First rate over last rate."""

    anneal_strategy: Literal["cos", "linear"] = "cos"
    """Shape of rise and fall."""


class ReduceOnPlateauConfig(_ScheduleConfig):
    """The rate is multiplied by `factor` when the series `early_stopping.monitor` stops improving."""

    type: Literal["reduce_on_plateau"] = "reduce_on_plateau"
    """Course of the learning rate."""

    factor: Factor = 0.5
    """Factor of every reduction."""

    patience: int = Field(default=5, ge=0)
    """Validations without improvement that are tolerated."""

    threshold: float = Field(default=1e-4, ge=0)
    """An improvement must exceed this; absolute, since a loss may be negative."""

    cooldown: int = Field(default=0, ge=0)
    """Validations after a reduction in which none counts as bad."""

    min_lr: float = Field(default=0.0, ge=0)
    """Lowest learning rate."""


ScheduleConfig = Annotated[
    ConstantConfig
    | StepConfig
    | MultistepConfig
    | ExponentialConfig
    | CosineAnnealingConfig
    | CosineWarmRestartsConfig
    | OneCycleConfig
    | ReduceOnPlateauConfig,
    Field(discriminator="type"),
]


def lowest_rate(config: ScheduleConfig) -> float:
    """Return the learning rate below which the schedule never goes, where it names one."""
    match config:
        case CosineAnnealingConfig() | CosineWarmRestartsConfig():
            return config.eta_min
        case ReduceOnPlateauConfig():
            return config.min_lr
        case _:
            return 0.0
