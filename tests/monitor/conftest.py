"""Records to feed sinks with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from neuroprism.core.records import Component, RunRecord
from neuroprism.monitor.window import StepWindow

MakeWindow = Callable[..., StepWindow]


@pytest.fixture
def six_components() -> tuple[Component, ...]:
    """Components whose example values add up to 138.0073 with weight 1 and a light threshold."""
    return (
        Component(name="signal", label="Signal", baseline=1.0),
        Component(name="classification", label="Class", baseline=1.3863),
        Component(name="peak_exist", label="Peak", baseline=0.69),
        Component(name="peak_latency", label="PeakLat", detail=True, weight=0.5),
        Component(name="peak_amplitude", label="PeakAmp", detail=True, weight=0.25),
        Component(name="threshold", label="Thresh", baseline=1.0),
    )


@pytest.fixture
def six_run(six_components: tuple[Component, ...]) -> RunRecord:
    return RunRecord(id="abc123", name="demo", task="abr", components=six_components, n_epochs=200)


@pytest.fixture
def make_window(six_components: tuple[Component, ...]) -> MakeWindow:
    """Return a function that builds a window from (n, 6) losses."""

    def make(
        losses: Sequence[Sequence[float]],
        *,
        first_step: int = 1,
        epoch: int = 1,
        counts: Sequence[Sequence[float]] | None = None,
        total: Sequence[float] | None = None,
        lr: float = 1e-4,
        grad_norm: float | None = 0.5,
        metrics: dict[str, Sequence[float]] | None = None,
        skipped: Sequence[int] = (),
    ) -> StepWindow:
        values = np.asarray(losses, dtype=np.float64)
        valid = np.ones_like(values) if counts is None else np.asarray(counts, dtype=np.float64)
        weights = np.array([c.weight for c in six_components])
        n = len(values)
        step = np.arange(first_step, first_step + n)
        sums = np.where(valid > 0, values * weights, 0.0).sum(axis=1)
        return StepWindow(
            components=six_components,
            step=step,
            epoch=np.full(n, epoch),
            losses=values,
            counts=valid,
            total=sums if total is None else np.asarray(total, dtype=np.float64),
            lr=np.full(n, lr),
            grad_norm=np.full(n, np.nan if grad_norm is None else grad_norm),
            grad_norm_given=np.full(n, grad_norm is not None),
            n_samples=np.full(n, 8.0),
            skipped=np.isin(step, skipped),
            metrics={name: np.asarray(column, dtype=np.float64) for name, column in (metrics or {}).items()},
        )

    return make
