"""Configuration of the optimizer: one section for each type, so that no option is read in vain."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neuroprism.core.section import Section

Fraction = Annotated[float, Field(ge=0, lt=1)]


class _OptimizerConfig(Section):
    """What every optimizer has."""

    learning_rate: float = Field(default=2e-4, gt=0)
    """Highest learning rate; the schedule scales it by a factor of at most 1."""

    weight_decay: float = Field(default=1e-4, ge=0)
    """Weight decay of matrices; biases, norms and other vectors have none."""


class _AdamFamilyConfig(_OptimizerConfig):
    betas: tuple[Fraction, Fraction] = (0.9, 0.95)
    """Decay of the running means of the gradient and of its square."""

    eps: float = Field(default=1e-8, gt=0)
    """Added to the denominator."""

    amsgrad: bool = False
    """Use the maximum of the second moments (Reddi et al. 2018)."""


class AdamConfig(_AdamFamilyConfig):
    """Adam (Kingma and Ba 2015); weight decay is added to the gradient."""

    type: Literal["adam"] = "adam"
    """Kind of optimizer."""


class AdamWConfig(_AdamFamilyConfig):
    """AdamW (Loshchilov and Hutter 2019); weight decay is decoupled from the gradient."""

    type: Literal["adamw"] = "adamw"
    """Kind of optimizer."""


class SgdConfig(_OptimizerConfig):
    """Stochastic gradient descent with momentum."""

    type: Literal["sgd"] = "sgd"
    """Kind of optimizer."""

    momentum: Fraction = 0.9
    """Share of the former update that is kept."""

    nesterov: bool = False
    """Look ahead along the momentum; needs a momentum above 0."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> SgdConfig:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self


OptimizerConfig = Annotated[AdamConfig | AdamWConfig | SgdConfig, Field(discriminator="type")]
