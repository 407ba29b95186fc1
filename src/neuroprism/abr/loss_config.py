"""The configuration of the loss: weights of the components and the form of each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neuroprism.core.section import Section


class LossWeights(Section):
    """Weight of each component in the total; each component is 1 for a constant predictor."""

    diffusion: float = Field(default=1.0, ge=0)
    """Weight of `signal`."""

    peak_exist: float = Field(default=1.0, ge=0)
    """Weight of `peak_exist`."""

    peak_latency: float = Field(default=1.0, ge=0)
    """Weight of `peak_latency`."""

    peak_amplitude: float = Field(default=1.0, ge=0)
    """Weight of `peak_amplitude`."""

    classification: float = Field(default=1.0, ge=0)
    """Weight of `classification`."""

    threshold: float = Field(default=1.0, ge=0)
    """Weight of `threshold`."""

    def by_component(self) -> dict[str, float]:
        """Return the weights under the names of the components, in their order."""
        return {
            "signal": self.diffusion,
            "classification": self.classification,
            "peak_exist": self.peak_exist,
            "peak_latency": self.peak_latency,
            "peak_amplitude": self.peak_amplitude,
            "threshold": self.threshold,
        }


WEIGHT_KEYS = {
    "signal": "diffusion",
    "classification": "classification",
    "peak_exist": "peak_exist",
    "peak_latency": "peak_latency",
    "peak_amplitude": "peak_amplitude",
    "threshold": "threshold",
}
"""Key in ``loss.weights`` of every component, in their order."""

BalancingName = Literal[
    "fixed", "uncertainty", "gradnorm", "upgrad", "dualproj", "mgda", "pcgrad", "aligned_mtl"
]


class GaussianNll(Section):
    """Negative log likelihood of a normal distribution; trains the predicted scale."""

    type: Literal["gaussian_nll"] = "gaussian_nll"
    """Form of the loss."""


class BetaNll(Section):
    """Gaussian likelihood weighted by scale^(2 beta), so that easy samples do not take over."""

    type: Literal["beta_nll"] = "beta_nll"
    """Form of the loss."""

    beta: float = Field(default=0.5, ge=0, le=1)
    """0 is the plain likelihood; 1 weighs the errors of the mean alike."""


class Huber(Section):
    """Squared error that becomes linear beyond `delta`; leaves the scale untrained."""

    type: Literal["huber"] = "huber"
    """Form of the loss."""

    delta: float = Field(default=1.0, gt=0)
    """Where the loss becomes linear, in standard deviations of the training labels."""


class SmoothL1(Section):
    """Absolute error that is squared below `beta`; leaves the scale untrained."""

    type: Literal["smooth_l1"] = "smooth_l1"
    """Form of the loss."""

    beta: float = Field(default=1.0, gt=0)
    """Where the loss becomes linear, in standard deviations of the training labels."""


class Mse(Section):
    """Squared error; leaves the scale untrained."""

    type: Literal["mse"] = "mse"
    """Form of the loss."""


class Mae(Section):
    """Absolute error; leaves the scale untrained."""

    type: Literal["mae"] = "mae"
    """Form of the loss."""


RegressionLoss = Annotated[GaussianNll | BetaNll | Huber | SmoothL1 | Mse | Mae, Field(discriminator="type")]


class FocalConfig(Section):
    """Focal loss for the hearing class (Lin et al. 2017, arXiv 1708.02002)."""

    use_focal: bool = False
    """Whether well classified recordings count less."""

    gamma: float | None = Field(default=None, ge=0)
    """Exponent of the down-weighting, e.g. 2; only together with `use_focal`."""

    @model_validator(mode="after")
    def _together(self) -> FocalConfig:
        if self.use_focal and self.gamma is None:
            raise ValueError("use_focal needs gamma, e.g. gamma: 2.0")
        if not self.use_focal and self.gamma is not None:
            raise ValueError("gamma is only read when use_focal is true")
        return self


class LossConfig(Section):
    """All components of the loss."""

    weights: LossWeights = LossWeights()

    balancing: BalancingName = "fixed"
    """`fixed`: the weights hold throughout. Otherwise they are where training starts: `uncertainty` learns a
    variance of each component, `gradnorm` makes gradients on the shared parameters equally large, the
    others are aggregators of torchjd (extra `torchjd`); all but `uncertainty` cost a backward pass per
    component in every step."""

    peak_latency: RegressionLoss = GaussianNll()
    """Form of the latency's loss."""

    peak_amplitude: RegressionLoss = GaussianNll()
    """Form of the amplitude's loss."""

    threshold: RegressionLoss = GaussianNll()
    """Form of the threshold's loss; thresholds beyond the last level count as lower bounds."""

    class_weights: Literal["balanced", "none"] = "balanced"
    """`balanced` weighs each hearing class by the inverse of its share of the training labels."""

    focal_loss: FocalConfig = FocalConfig()
