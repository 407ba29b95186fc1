"""The epoch that runs, until it is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neuroprism.core.records import Component, EpochRecord
from neuroprism.monitor.clock import Clock
from neuroprism.monitor.epoch_means import EpochMeans
from neuroprism.monitor.window import StepWindow


class RunningEpoch:
    """Sums over the steps of an epoch, and how long it takes.

    Parameters
    ----------
    components
        The terms of the loss.
    clock
        Knows when the epoch and its last step were.
    """

    def __init__(self, components: tuple[Component, ...], clock: Clock) -> None:
        self._means = EpochMeans(components)
        self._clock = clock

    @property
    def has_steps(self) -> bool:
        """Whether a step of it was taken in."""
        return self._means.n_samples > 0

    def add(self, window: StepWindow) -> None:
        """Take in steps."""
        self._means.add(window)

    def close(
        self,
        *,
        epoch: int,
        step: int,
        val: dict[str, float],
        val_metrics: dict[str, float],
        train_metrics: dict[str, float],
        lr: float | None,
        best: bool | None,
    ) -> EpochRecord:
        """Return the record of the epoch and begin the next one; for the arguments see `EpochRecord`.

        `train_metrics` come on top of the means of what the steps gave, and
        `lr` in place of the last one of a step.
        """
        means, seconds = self._means, self._clock.train_seconds()
        record = EpochRecord(
            epoch=epoch,
            step=step,
            train=means.losses(),
            val=val,
            train_metrics=means.metrics() | train_metrics,
            val_metrics=val_metrics,
            lr=means.last_lr if lr is None else lr,
            grad_norm=means.grad_norm(),
            seconds=self._clock.epoch_seconds(),
            samples_per_second=means.n_samples / seconds if seconds > 0 else None,
            best=best,
            weights=means.weights(),
        )
        means.reset()
        self._clock.next_epoch()
        return record

    def state_dict(self) -> dict[str, Any]:
        """Return the sums and the time, as plain values."""
        return {"means": self._means.state_dict(), **self._clock.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self._means.load_state_dict(state["means"])
        self._clock.load_state_dict(state)
