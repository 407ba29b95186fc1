"""Windows of two components from arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Component
from neuroprism.monitor.history import STEP_SECONDS
from neuroprism.monitor.window import StepWindow

PAIR = (Component(name="a", label="A"), Component(name="b", label="B", weight=0.5))


@pytest.fixture(scope="session")
def pair() -> tuple[Component, ...]:
    """Two components, the second of weight 0.5."""
    return PAIR


@pytest.fixture(scope="session")
def two_losses() -> Callable[..., StepWindow]:
    """Return a builder of windows from (n, 2) losses, NaN with count 0 where `absent`."""

    def build(
        losses: Any,
        *,
        first_step: int = 1,
        absent: Any = None,
        lr: Any = 1e-3,
        grad_norm: Any = None,
        seconds: Any = None,
        epoch: int = 1,
    ) -> StepWindow:
        values = np.asarray(losses, dtype=np.float64).reshape(-1, 2)
        n = len(values)
        counts = np.ones_like(values) if absent is None else 1.0 - np.asarray(absent, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            total = np.where(counts > 0, values * (1.0, 0.5), 0.0).sum(axis=1)
        return StepWindow(
            components=PAIR,
            step=np.arange(first_step, first_step + n),
            epoch=np.full(n, epoch),
            losses=values,
            counts=counts,
            total=total,
            lr=np.ones(n) * lr,
            grad_norm=np.ones(n) * (np.nan if grad_norm is None else grad_norm),
            grad_norm_given=np.full(n, grad_norm is not None),
            n_samples=np.ones(n),
            skipped=np.zeros(n, dtype=np.bool_),
            metrics={} if seconds is None else {STEP_SECONDS: np.ones(n) * seconds},
        )

    return build


@pytest.fixture(scope="session")
def cut() -> Callable[..., list[StepWindow]]:
    """Return a function that cuts a window at row numbers, unordered and with repeats if need be."""

    def pieces(window: StepWindow, places: Sequence[int]) -> list[StepWindow]:
        borders = sorted({0, len(window), *(place for place in places if 0 < place < len(window))})
        return [_rows(window, slice(a, b)) for a, b in pairwise(borders)]

    return pieces


def _rows(window: StepWindow, rows: slice) -> StepWindow:
    names = (
        "step",
        "epoch",
        "losses",
        "counts",
        "total",
        "lr",
        "grad_norm",
        "grad_norm_given",
        "n_samples",
        "skipped",
    )
    return StepWindow(
        components=window.components,
        **{name: getattr(window, name)[rows] for name in names},
        metrics={name: values[rows] for name, values in window.metrics.items()},
    )
