"""Early stopping."""

from __future__ import annotations

from typing import Any

from neuroprism.train.config import EarlyStoppingConfig
from neuroprism.train.selection import Criterion


class EarlyStopping:
    """Asks to stop after `patience` validations without an improvement above `min_delta`.

    Attributes
    ----------
    n_without_improvement
        Validations since the last improvement that counted.
    """

    def __init__(self, config: EarlyStoppingConfig) -> None:
        self._config = config
        self._criterion = Criterion(config.monitor, config.mode)
        self._reference = self._criterion.worst
        self.n_without_improvement = 0

    @property
    def stop(self) -> bool:
        """Whether training should end."""
        return self._config.enabled and self.n_without_improvement >= self._config.patience

    def observe(self, value: float | None) -> None:
        """Take in the criterion after a validation; a missing value or NaN is no improvement."""
        if value is not None and self._criterion.better(value, self._reference, by=self._config.min_delta):
            self._reference = value
            self.n_without_improvement = 0
        else:
            self.n_without_improvement += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the reference value and the counter, with the criterion they belong to."""
        return {
            "series": self._criterion.series,
            "mode": self._criterion.mode,
            "reference": self._reference,
            "n_without_improvement": self.n_without_improvement,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`; the state of another criterion is dropped."""
        if (state["series"], state["mode"]) == (self._criterion.series, self._criterion.mode):
            self._reference = state["reference"]
            self.n_without_improvement = state["n_without_improvement"]
