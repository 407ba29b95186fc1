"""The named numbers of a step and of an epoch, as curves in a dashboard."""

from __future__ import annotations

import math

from neuroprism.core.breakdown import shares, weighted_parts
from neuroprism.core.records import EpochRecord, Gradients, RunRecord, weight_series
from neuroprism.monitor.window import StepWindow


def step_scalars(window: StepWindow, index: int) -> dict[str, float]:
    """Return the numbers of one row of a window under their ``step/`` tags; only what was given."""
    numbers = {f"step/{name}": value for name, value in window.row(index).items()}
    lr = float(window.lr[index])
    if not math.isnan(lr):
        numbers["step/lr"] = lr
    if window.grad_norm_given[index]:
        numbers["step/grad_norm"] = float(window.grad_norm[index])
    if window.weights is not None:
        for k, component in enumerate(window.components):
            if window.counts[index, k] > 0:
                numbers[f"step/{weight_series(component.name)}"] = float(window.weights[index, k])
    for name, values in window.metrics.items():
        value = float(values[index])
        if not math.isnan(value):
            numbers[f"step/metric/{name}"] = value
    return numbers


def epoch_scalars(run: RunRecord, record: EpochRecord) -> dict[str, float]:
    """Return all numbers of an epoch under their tags, the breakdown of the training loss included."""
    parts = weighted_parts(run.components, record.train, record.weights)
    optional = {
        "train/lr": record.lr,
        "train/grad_norm": record.grad_norm,
        "train/samples_per_second": record.samples_per_second,
        "train/epoch_seconds": record.seconds,
    }
    return {
        **record.series(),
        **{tag: number for tag, number in optional.items() if number is not None},
        **{f"loss_breakdown/{name}": part for name, part in parts.items()},
        **{f"loss_share/{name}": share for name, share in shares(parts).items()},
    }


GRADIENT_GROUPS = ("gradient/", "gradient_share/", "gradient_cosine/", "update_ratio/", "clip_rate")
"""Beginnings of the tags of `gradient_scalars`; their axis is the optimizer step."""


def gradient_scalars(run: RunRecord, record: Gradients) -> dict[str, float]:
    """Return the numbers of gradients taken apart under their tags; shares are those of weighted norms."""
    parts = weighted_parts(run.components, record.norms)
    rate = {} if record.clip_rate is None else {"clip_rate": record.clip_rate}
    return {
        **{f"gradient/{name}": norm for name, norm in record.norms.items()},
        **{f"gradient_share/{name}": share for name, share in shares(parts).items()},
        **{f"gradient_cosine/{pair}": cosine for pair, cosine in record.cosines.items()},
        **{f"update_ratio/{module}": ratio for module, ratio in record.update_ratios.items()},
        **rate,
    }
