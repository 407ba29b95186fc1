"""Means over the epoch that runs, weighted by samples.

The sums are taken step by step in order, so that they do not depend on when
windows were flushed, nor on whether the epoch was interrupted and resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.records import TOTAL, Component, weighted_total
from neuroprism.monitor.window import RATE_PREFIX, FloatArray, StepWindow

BoolArray = npt.NDArray[np.bool_]


class EpochMeans:
    """Running sums of one epoch over the steps that were not skipped.

    Attributes
    ----------
    n_samples
        Samples of all steps, the skipped ones included.
    last_lr
        Learning rate of the last step that gave one.
    """

    def __init__(self, components: tuple[Component, ...]) -> None:
        self._components = components
        self.reset()

    def reset(self) -> None:
        """Begin a new epoch."""
        self._sums = np.zeros(len(self._components))
        self._counts = np.zeros(len(self._components))
        self._grad_norm = np.zeros(2)
        self._metrics: dict[str, FloatArray] = {}
        self._weights: FloatArray | None = None
        self.n_samples = 0.0
        self.last_lr: float | None = None

    def add(self, window: StepWindow) -> None:
        """Take in the steps of a window."""
        applied = ~window.skipped
        valid = (window.counts > 0) & applied[:, None]
        with np.errstate(invalid="ignore", over="ignore"):
            weighted = np.where(valid, window.losses * window.counts, 0.0)
            self._add_weights(window, valid)
            self._sums = _accumulate(self._sums, weighted)
            self._counts = _accumulate(self._counts, np.where(valid, window.counts, 0.0))
            given = window.grad_norm_given & applied
            pairs = np.stack([np.where(given, window.grad_norm, 0.0), given], axis=1)
            self._grad_norm = _accumulate(self._grad_norm, pairs)
            for name, values in window.metrics.items():
                if name.startswith(RATE_PREFIX):
                    self._keep_last(name, values[window.metrics_given[name]])
                    continue
                weights = np.where(window.metrics_given[name] & applied, window.n_samples, 0.0)
                pairs = np.stack([np.where(weights > 0, values * weights, 0.0), weights], axis=1)
                self._metrics[name] = _accumulate(self._metrics.get(name, np.zeros(2)), pairs)
        self.n_samples += float(window.n_samples.sum())
        rates = window.lr[~np.isnan(window.lr)]
        if len(rates):
            self.last_lr = float(rates[-1])

    def losses(self) -> dict[str, float]:
        """Return the mean of every component that was computed, and their total."""
        means = {
            component.name: float(self._sums[k] / self._counts[k])
            for k, component in enumerate(self._components)
            if self._counts[k] > 0
        }
        return {TOTAL: weighted_total(self._components, means, self.weights()), **means} if means else {}

    def weights(self) -> dict[str, float]:
        """Return the mean weight of every component that was computed, empty where weights do not change."""
        if self._weights is None:
            return {}
        return {
            component.name: float(self._weights[k] / self._counts[k])
            for k, component in enumerate(self._components)
            if self._counts[k] > 0
        }

    def metrics(self) -> dict[str, float]:
        """Return the mean of every number that was passed as a metric of a step; of a rate, the last one."""
        return {name: float(pair[0] / pair[1]) for name, pair in self._metrics.items() if pair[1] > 0}

    def grad_norm(self) -> float | None:
        """Return the mean gradient norm over steps, None where it was never given."""
        total, n = self._grad_norm
        return float(total / n) if n else None

    def state_dict(self) -> dict[str, Any]:
        """Return the sums as plain numbers and lists."""
        return {
            "sums": self._by_name(self._sums),
            "counts": self._by_name(self._counts),
            "grad_norm": self._grad_norm.tolist(),
            "metrics": {name: pair.tolist() for name, pair in self._metrics.items()},
            "n_samples": self.n_samples,
            "last_lr": self.last_lr,
            **({} if self._weights is None else {"weights": self._by_name(self._weights)}),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; a component that is new starts at nothing."""
        names = [c.name for c in self._components]
        self._sums = np.array([state["sums"].get(name, 0.0) for name in names])
        self._counts = np.array([state["counts"].get(name, 0.0) for name in names])
        self._grad_norm = np.array(state["grad_norm"])
        self._metrics = {name: np.array(pair) for name, pair in state["metrics"].items()}
        self.n_samples = state["n_samples"]
        self.last_lr = state["last_lr"]
        if "weights" in state:
            self._weights = np.array([state["weights"].get(name, 0.0) for name in names])

    def _add_weights(self, window: StepWindow, valid: BoolArray) -> None:
        """Add the weights of a window's steps, by count as the losses; must come before the counts."""
        if window.weights is None and self._weights is None:
            return
        own = np.array([component.weight for component in self._components])
        if self._weights is None:
            self._weights = own * self._counts
        weights = own if window.weights is None else window.weights
        self._weights = _accumulate(self._weights, np.where(valid, weights * window.counts, 0.0))

    def _keep_last(self, name: str, values: FloatArray) -> None:
        """Let the last rate stand for the epoch, as `last_lr` does."""
        if len(values):
            self._metrics[name] = np.array([values[-1], 1.0])

    def _by_name(self, values: FloatArray) -> dict[str, float]:
        return {c.name: float(value) for c, value in zip(self._components, values, strict=True)}


def _accumulate(start: FloatArray, rows: FloatArray) -> FloatArray:
    """Add rows to `start` one after the other; numpy's sum would group them by their number."""
    total: FloatArray = np.add.accumulate(np.concatenate([start[None], rows]))[-1]
    return total
