"""Fitting the best constant predictor of each component, and what it costs on other labels.

All values come from the loss functions that training uses, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from neuroprism.abr.heads import TaskPrediction
from neuroprism.abr.loss_config import LossConfig
from neuroprism.abr.loss_reference import LossReference
from neuroprism.abr.losses import (
    COMPONENTS,
    LIKELIHOODS,
    AbrLabels,
    AbrLosses,
    cross_entropy,
    gaussian_nll,
    losses,
)
from neuroprism.core.section import Section

MIN_SCALE = 0.05
"""Smallest scale of a constant predictor: labels without spread have no likelihood."""

NO_CLASS = -30.0
"""Logit of a class that training labels do not have."""


def balanced_class_weights(hearing_class: Tensor, n_classes: int) -> tuple[float, ...]:
    """Return n / (K n_c) for each class, K counting the classes that occur; 0 for the others."""
    counts = torch.bincount(hearing_class[hearing_class >= 0], minlength=n_classes)
    n, n_present = int(counts.sum()), int((counts > 0).sum())
    return tuple(n / (n_present * c) if c else 0.0 for c in counts.tolist())


def fit_reference(config: LossConfig, labels: AbrLabels, *, n_classes: int) -> LossReference:
    """Fit the constants of the loss on training labels.

    Parameters
    ----------
    config
        Forms of the components.
    labels
        Labels of the whole training split.
    n_classes
        Number of hearing classes K.
    """
    weights = (1.0,) * n_classes
    if config.class_weights == "balanced":
        weights = balanced_class_weights(labels.hearing_class, n_classes)
    predictors = {
        "classification": _best_classes(config, labels.hearing_class, weights),
        "peak_exist": _best_existence(labels),
        "peak_latency": _best_location(config.peak_latency, labels.latency[labels.latency_mask.bool()]),
        "peak_amplitude": _best_location(
            config.peak_amplitude, labels.amplitude[labels.amplitude_mask.bool()]
        ),
        "threshold": _best_location(
            config.threshold,
            labels.threshold[labels.threshold_mask.bool()],
            labels.threshold_censored[labels.threshold_mask.bool()],
        ),
    }
    known = {name: value for name, value in predictors.items() if value is not None}
    reference = LossReference(weights, {}, known)
    unscaled = AbrLosses(config, reference)
    terms = unscaled.tasks(_constant(reference, len(labels.hearing_class)), labels)
    # Without a constant a likelihood is reported as 1 + NLL, everything else as it is.
    constants = {
        name: float(terms.values[name]) - (1.0 if unscaled.is_likelihood(name) else 0.0) for name in known
    }
    return replace(reference, constants=constants)


def baselines(
    train_labels: AbrLabels,
    eval_labels: AbrLabels,
    config: LossConfig,
    *,
    n_classes: int,
    signal: float = 1.0,
) -> dict[str, float]:
    """Return what the constant predictors of the training labels cost on `eval_labels`.

    A component without labels on either side is absent.

    Parameters
    ----------
    train_labels, eval_labels
        Labels of whole splits.
    config
        Forms of the components.
    n_classes
        Number of hearing classes K.
    signal
        Cost of predicting zero for the signal: 1 on unit-variance signals, see
        `NoiseSchedule.zero_predictor_loss` for others.
    """
    reference = fit_reference(config, train_labels, n_classes=n_classes)
    prediction = _constant(reference, len(eval_labels.hearing_class))
    terms = AbrLosses(config, reference).tasks(prediction, eval_labels)
    found = {"signal": signal}
    for name in COMPONENTS:
        if name in reference.predictors and int(terms.counts[name]) > 0:
            found[name] = float(terms.values[name])
    return found


def _constant(reference: LossReference, n: int) -> TaskPrediction:
    """Return the constant predictors as the prediction of `n` recordings; zeros where there is none."""

    def column(name: str, default: tuple[float, ...]) -> Tensor:
        row = torch.tensor(reference.predictors.get(name, default), dtype=torch.float64)
        return row.expand(n, -1)

    latency, amplitude, threshold = (
        column(name, (0.0, 1.0)) for name in ("peak_latency", "peak_amplitude", "threshold")
    )
    return TaskPrediction(
        peak_logit=column("peak_exist", (0.0,))[:, 0],
        latency_mean=latency[:, 0],
        latency_scale=latency[:, 1],
        amplitude_mean=amplitude[:, 0],
        amplitude_scale=amplitude[:, 1],
        class_logits=column("classification", (0.0,) * len(reference.class_weights)),
        threshold_mean=threshold[:, 0],
        threshold_scale=threshold[:, 1],
    )


def _best_existence(labels: AbrLabels) -> tuple[float, ...] | None:
    judged = labels.v_present[labels.v_mask.bool()].double()
    if not len(judged):
        return None
    share = min(max(float(judged.mean()), 1e-6), 1 - 1e-6)
    return (math.log(share / (1 - share)),)


def _best_classes(
    config: LossConfig, hearing_class: Tensor, weights: tuple[float, ...]
) -> tuple[float, ...] | None:
    counts = torch.bincount(hearing_class[hearing_class >= 0], minlength=len(weights)).double()
    if counts.sum() == 0:
        return None
    class_weights = torch.tensor(weights, dtype=torch.float64)
    present = counts > 0
    # Exact for cross-entropy; the prior is not the best constant of a focal loss.
    logits = torch.where(present, (counts * class_weights).clamp(min=1e-300).log(), NO_CLASS)
    if config.focal_loss.use_focal:
        gamma, every = config.focal_loss.gamma, torch.arange(len(weights))[present]

        def cost(free: Tensor) -> Tensor:
            row = torch.full_like(logits, NO_CLASS).index_put((every,), free)
            value = cross_entropy(row.expand(len(every), -1), every, class_weights, gamma)
            return (counts[every] * value).sum() / counts.sum()

        best = _minimise(cost, torch.log_softmax(logits[present], dim=-1))
        logits = logits.index_put((every,), best)
    return tuple(logits.tolist())


def _best_location(
    options: Section, target: Tensor, censored: Tensor | None = None
) -> tuple[float, ...] | None:
    """Return mean and scale of the best constant; the scale is 1 for losses that do not read it."""
    if not len(target):
        return None
    target = target.double()
    censored = torch.zeros(len(target), dtype=torch.bool) if censored is None else censored.bool()
    form = str(getattr(options, "type", ""))
    if form in LIKELIHOODS:
        return _best_normal(target, censored)

    def cost(mean: float) -> float:
        constant = torch.full_like(target, mean)
        elements = losses[form](constant, torch.ones_like(target), target, censored, options)
        return float(elements.mean())

    return (_golden_section(cost, float(target.min()), float(target.max())), 1.0)


def _best_normal(target: Tensor, censored: Tensor) -> tuple[float, float]:
    """Return mean and SD of the most likely normal distribution of partly censored values."""
    observed = target[~censored]
    start = observed if len(observed) else target
    mean, sd = float(start.mean()), max(float(start.std(correction=0)), MIN_SCALE)
    if not censored.any() or not len(observed):
        return mean, sd

    def cost(parameters: Tensor) -> Tensor:
        scale = parameters[1].exp().clamp(min=MIN_SCALE)
        return gaussian_nll(parameters[0], scale, target, censored, Section()).mean()

    best = _minimise(cost, torch.tensor([mean, math.log(sd)], dtype=torch.float64))
    return float(best[0]), max(math.exp(float(best[1])), MIN_SCALE)


def _minimise(cost: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    parameters = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [parameters],
        max_iter=200,
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = cost(parameters)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return parameters.detach()


def _golden_section(cost: Callable[[float], float], low: float, high: float) -> float:
    """Return the minimum of a convex function on an interval."""
    shrink = (math.sqrt(5) - 1) / 2
    left, right = high - shrink * (high - low), low + shrink * (high - low)
    cost_left, cost_right = cost(left), cost(right)
    while high - low > 1e-7 * max(1.0, abs(high), abs(low)):
        if cost_left < cost_right:
            high, right, cost_right = right, left, cost_left
            left = high - shrink * (high - low)
            cost_left = cost(left)
        else:
            low, left, cost_left = left, right, cost_right
            right = low + shrink * (high - low)
            cost_right = cost(right)
    return (low + high) / 2
