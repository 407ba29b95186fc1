"""The flushed window: the rows of the last optimizer steps as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.records import Component

RATE_PREFIX = "lr_"
"""Begins the name of a metric that is the learning rate of a named group of parameters."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


_BY_ROW = (
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


@dataclass(frozen=True, kw_only=True, slots=True)
class StepWindow:
    """Rows of n consecutive optimizer steps; what rules and sinks see of a step.

    Attributes
    ----------
    components
        The K components, in the order of the columns of `losses`.
    step, epoch
        (n,) optimizer step from 1, epoch from 1.
    losses
        (n, K) raw values, float64. Where `counts` is 0 the component was not
        computed in that step: it is absent from every output.
    counts
        (n, K) number of valid elements behind each value.
    total
        (n,) ``sum(weight x component)`` over the computed components.
    weights
        (n, K) weights of every step where they change while the run goes on;
        None where the components' own weights hold throughout.
    lr, grad_norm
        (n,) NaN where not given; `grad_norm_given` tells a missing norm from a NaN.
    n_samples
        (n,) samples of the step.
    skipped
        (n,) the optimizer step was not applied (non-finite values).
    metrics
        Further per-step numbers by name, (n,) each, NaN where not given;
        `metrics_given` tells a missing number from a NaN.
    samples
        Per step whatever the loop passed to name its samples, or None.
    """

    components: tuple[Component, ...]
    step: IntArray
    epoch: IntArray
    losses: FloatArray
    counts: FloatArray
    total: FloatArray
    lr: FloatArray
    grad_norm: FloatArray
    grad_norm_given: npt.NDArray[np.bool_]
    n_samples: FloatArray
    skipped: npt.NDArray[np.bool_]
    weights: FloatArray | None = None
    metrics: Mapping[str, FloatArray] = field(default_factory=dict)
    metrics_given: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    samples: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.step)

    def part(self, start: int, stop: int) -> StepWindow:
        """Return the rows from `start` to before `stop`, as views."""
        if start <= 0 and stop >= len(self):
            return self
        rows = slice(start, stop)
        return replace(
            self,
            weights=None if self.weights is None else self.weights[rows],
            metrics={name: values[rows] for name, values in self.metrics.items()},
            metrics_given={name: given[rows] for name, given in self.metrics_given.items()},
            samples=self.samples[rows],
            **{name: getattr(self, name)[rows] for name in _BY_ROW},
        )

    def row(self, index: int) -> dict[str, float]:
        """Return the computed components of one step by name, with ``total``."""
        values = {
            component.name: float(self.losses[index, k])
            for k, component in enumerate(self.components)
            if self.counts[index, k] > 0
        }
        return {"total": float(self.total[index]), **values}

    def rows(self) -> Iterator[dict[str, float]]:
        """Yield `row` for every step."""
        return (self.row(index) for index in range(len(self)))
