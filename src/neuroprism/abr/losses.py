"""The six components of the ABR loss.

Every component is a mean over its valid elements and is 1 for the best constant predictor:
losses that cannot be negative are divided by that predictor's value on the training labels,
likelihoods become ``1 + (NLL - NLL of the constant)``, which is ``0.5 ((z - f) / s)^2 + ln s + 0.5``
for standardised labels. Locations, scales and labels are standardised.

A threshold beyond the last level that was tried is right-censored: its likelihood is
``P(threshold > bound)``; point losses count only predictions below the bound.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from neuroprism.abr.heads import TaskPrediction
from neuroprism.abr.loss_config import BetaNll, Huber, LossConfig, SmoothL1
from neuroprism.abr.loss_reference import LossReference
from neuroprism.core.registry import Registry
from neuroprism.core.section import Section

COMPONENTS = {
    "signal": "Signal",
    "classification": "Class",
    "peak_exist": "Peak",
    "peak_latency": "PeakLat",
    "peak_amplitude": "PeakAmp",
    "threshold": "Thresh",
}
"""Names of the components and their labels, in the order of display."""


class AbrLabels(Protocol):
    """What the losses read of a batch; masks are boolean, regression targets standardised, all (B,)."""

    @property
    def v_present(self) -> Tensor:
        """1 where wave V is present."""

    @property
    def v_mask(self) -> Tensor:
        """Whether presence was judged."""

    @property
    def latency(self) -> Tensor:
        """Latency of wave V."""

    @property
    def latency_mask(self) -> Tensor:
        """Whether the latency is known."""

    @property
    def amplitude(self) -> Tensor:
        """Amplitude of wave V."""

    @property
    def amplitude_mask(self) -> Tensor:
        """Whether the amplitude is known."""

    @property
    def hearing_class(self) -> Tensor:
        """Index of the class; negative: not known."""

    @property
    def threshold(self) -> Tensor:
        """Threshold, or its lower bound where censored."""

    @property
    def threshold_censored(self) -> Tensor:
        """Whether the threshold is a lower bound."""

    @property
    def threshold_mask(self) -> Tensor:
        """Whether the threshold is known."""


class LossTerms(NamedTuple):
    """Values of the components and the number of valid elements behind each, 0-dimensional."""

    values: dict[str, Tensor]
    counts: dict[str, Tensor]


class RegressionLossFunction(Protocol):
    """Element-wise loss of a predicted location and scale."""

    def __call__(self, mean: Tensor, scale: Tensor, target: Tensor, censored: Tensor, options: Any) -> Tensor:
        """Return one value per element."""


losses: Registry[RegressionLossFunction] = Registry("loss")
_TAIL = -20.0
LIKELIHOODS = ("gaussian_nll", "beta_nll")
"""Losses that read the scale and may be negative."""


@losses.register("gaussian_nll")
def gaussian_nll(mean: Tensor, scale: Tensor, target: Tensor, censored: Tensor, options: Section) -> Tensor:
    """Negative log likelihood without the constant 0.5 ln 2 pi; -ln P(label > target) where censored."""
    standard = (target - mean) / scale
    density = 0.5 * standard.square() + scale.log()
    return torch.where(censored, -_log_normal_cdf(-standard), density)


def _log_normal_cdf(x: Tensor) -> Tensor:
    """Return ln P(standard normal < x) with a finite gradient everywhere.

    torch's own gradient is NaN far in the lower tail; there the asymptotic series takes over
    (Abramowitz and Stegun 26.2.12), whose first omitted term is 15 / x^6.
    """
    tail = x.clamp(max=_TAIL)
    inverse = tail.square().reciprocal()
    series = torch.log1p(inverse * (3 * inverse - 1))
    asymptotic = -0.5 * tail.square() - (-tail).log() - 0.5 * math.log(2 * math.pi) + series
    return torch.where(x < _TAIL, asymptotic, torch.special.log_ndtr(x.clamp(min=_TAIL)))


@losses.register("beta_nll")
def beta_nll(mean: Tensor, scale: Tensor, target: Tensor, censored: Tensor, options: BetaNll) -> Tensor:
    """Likelihood weighted by the detached scale^(2 beta) (Seitzer et al. 2022, arXiv 2203.09168)."""
    weight = scale.detach() ** (2 * options.beta)
    return weight * gaussian_nll(mean, scale, target, censored, options)


@losses.register("huber")
def huber(mean: Tensor, scale: Tensor, target: Tensor, censored: Tensor, options: Huber) -> Tensor:
    """Huber loss with `options.delta`."""
    reached = _reached(mean, target, censored)
    return nn.functional.huber_loss(mean, reached, reduction="none", delta=options.delta)


@losses.register("smooth_l1")
def smooth_l1(mean: Tensor, scale: Tensor, target: Tensor, censored: Tensor, options: SmoothL1) -> Tensor:
    """Smooth absolute error with `options.beta`."""
    reached = _reached(mean, target, censored)
    return nn.functional.smooth_l1_loss(mean, reached, reduction="none", beta=options.beta)


@losses.register("mse")
def mse(mean: Tensor, scale: Tensor, target: Tensor, censored: Tensor, options: Section) -> Tensor:
    """Squared error."""
    return (mean - _reached(mean, target, censored)).square()


@losses.register("mae")
def mae(mean: Tensor, scale: Tensor, target: Tensor, censored: Tensor, options: Section) -> Tensor:
    """Absolute error."""
    return (mean - _reached(mean, target, censored)).abs()


def _reached(mean: Tensor, target: Tensor, censored: Tensor) -> Tensor:
    """Return the target, or the prediction itself where it lies beyond a lower bound."""
    return torch.where(censored & (mean > target), mean, target)


def cross_entropy(logits: Tensor, target: Tensor, class_weights: Tensor, gamma: float | None) -> Tensor:
    """Return weighted cross-entropy per element, focal where `gamma` is given.

    Parameters
    ----------
    logits, target
        Scores (B, K) and class indices (B,).
    class_weights
        Weight of each class, shape (K,).
    gamma
        Exponent of the focal factor ``(1 - p)^gamma``.
    """
    log_p = torch.log_softmax(logits, dim=-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
    value = -log_p * class_weights.to(log_p.dtype)[target]
    if gamma is None:
        return value
    return value * (-torch.expm1(log_p)).clamp(min=1e-12) ** gamma


class AbrLosses(nn.Module):
    """Computes the six components of a batch, each 1 for the best constant predictor.

    Parameters
    ----------
    config
        Forms of the components.
    reference
        Class weights and constants from the training labels, see `fit_reference`.
    """

    class_weights: Tensor

    def __init__(self, config: LossConfig, reference: LossReference) -> None:
        super().__init__()
        self.config = config
        self.reference = reference
        self.register_buffer("class_weights", torch.tensor(reference.class_weights), persistent=False)

    def forward(
        self,
        signal: Tensor,
        signal_target: Tensor,
        signal_weight: Tensor,
        tasks: TaskPrediction,
        labels: AbrLabels,
    ) -> LossTerms:
        """Return all components.

        Parameters
        ----------
        signal, signal_target
            Diffusion prediction and its target, shape (B, 1, T).
        signal_weight
            Weight of each sample's noise level, shape (B,), mean 1 over the levels.
        tasks, labels
            Predictions and labels of the tasks.
        """
        terms = self.tasks(tasks, labels)
        errors = (_full(signal) - _full(signal_target)).square().mean(dim=(1, 2))
        value = (signal_weight * errors).mean()
        count = torch.full((), float(signal.shape[0]), device=value.device)
        return LossTerms({"signal": value} | terms.values, {"signal": count} | terms.counts)

    def tasks(self, prediction: TaskPrediction, labels: AbrLabels) -> LossTerms:
        """Return the components of the tasks, all but `signal`."""
        raw = {
            "classification": self._classification(prediction, labels),
            "peak_exist": self._existence(prediction, labels),
            "peak_latency": self._regression(
                "peak_latency",
                prediction.latency_mean,
                prediction.latency_scale,
                labels.latency,
                labels.latency_mask,
            ),
            "peak_amplitude": self._regression(
                "peak_amplitude",
                prediction.amplitude_mean,
                prediction.amplitude_scale,
                labels.amplitude,
                labels.amplitude_mask,
            ),
            "threshold": self._regression(
                "threshold",
                prediction.threshold_mean,
                prediction.threshold_scale,
                labels.threshold,
                labels.threshold_mask,
                labels.threshold_censored.bool(),
            ),
        }
        values, counts = {}, {}
        for name, (elements, mask) in raw.items():
            count = mask.sum()
            mean = torch.where(mask, elements, 0.0).sum() / count.clamp(min=1)
            values[name] = self._normalised(name, mean) * (count > 0)
            counts[name] = count
        return LossTerms(values, counts)

    def _normalised(self, name: str, mean: Tensor) -> Tensor:
        constant = self.reference.constants.get(name)
        if self.is_likelihood(name):
            return mean + (1 - (constant or 0.0))
        # A constant predictor without error (all labels equal) leaves nothing to divide by.
        return mean / constant if constant is not None and constant > 1e-3 else mean

    def is_likelihood(self, name: str) -> bool:
        """Return whether a component may be negative."""
        form = getattr(self.config, name, None)
        return isinstance(form, Section) and getattr(form, "type", "") in LIKELIHOODS

    def _classification(self, prediction: TaskPrediction, labels: AbrLabels) -> tuple[Tensor, Tensor]:
        mask = labels.hearing_class >= 0
        target = labels.hearing_class.clamp(min=0)
        focal = self.config.focal_loss
        gamma = focal.gamma if focal.use_focal else None
        return cross_entropy(_full(prediction.class_logits), target, self.class_weights, gamma), mask

    def _existence(self, prediction: TaskPrediction, labels: AbrLabels) -> tuple[Tensor, Tensor]:
        logit, mask = _full(prediction.peak_logit), labels.v_mask.bool()
        target = torch.where(mask, labels.v_present.to(logit.dtype), 0.0)
        return nn.functional.binary_cross_entropy_with_logits(logit, target, reduction="none"), mask

    def _regression(
        self,
        name: str,
        mean: Tensor,
        scale: Tensor,
        target: Tensor,
        mask: Tensor,
        censored: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        options = getattr(self.config, name)
        mask = mask.bool()
        mean = _full(mean)
        # A masked label may be anything, even NaN: the prediction itself stands in, at no cost.
        target = torch.where(mask, target.to(mean.dtype), mean.detach())
        censored = torch.zeros_like(mask) if censored is None else censored
        return losses[options.type](mean, _full(scale), target, censored, options), mask


def _full(x: Tensor) -> Tensor:
    """Return at least float32: losses are not computed in half precision."""
    return x if x.dtype == torch.float64 else x.float()
