"""Histograms of weights and gradients for the monitor."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from neuroprism.monitor.histograms import Histogram

N_BINS = 64


def histogram(values: Tensor) -> Histogram:
    """Return the distribution of the finite elements of `values` in equal bins."""
    numbers = values.detach().flatten().double().cpu().numpy()
    finite = numbers[np.isfinite(numbers)]
    counts, edges = np.histogram(finite, bins=N_BINS)
    return Histogram(
        edges=edges,
        counts=counts.astype(np.int64),
        minimum=float(finite.min()) if len(finite) else 0.0,
        maximum=float(finite.max()) if len(finite) else 0.0,
        total=float(finite.sum()),
        total_squares=float((finite**2).sum()),
        n_non_finite=len(numbers) - len(finite),
    )


def weight_histograms(model: nn.Module) -> dict[str, Histogram]:
    """Return a histogram of every trainable parameter by name."""
    return {name: histogram(p) for name, p in model.named_parameters() if p.requires_grad}


def gradient_histograms(model: nn.Module) -> dict[str, Histogram]:
    """Return a histogram of the last gradient, after clipping, of every parameter that has one."""
    return {name: histogram(p.grad) for name, p in model.named_parameters() if p.grad is not None}
