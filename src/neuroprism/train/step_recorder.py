"""From optimizer steps to the monitor, with non-finite steps found on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuroprism.core.errors import TrainingError, TrainingStopped
from neuroprism.train.gradient_watch import GradientLook
from neuroprism.train.non_finite_guard import Policy

if TYPE_CHECKING:
    from neuroprism.monitor import Monitor


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRecord:
    """What one optimizer step has to tell.

    Attributes
    ----------
    losses
        Raw value per component, detached: the mean over the step's batches. Where several
        processes share the step, the mean over their values is that of the whole step.
    counts
        Valid elements behind each, summed over the step's batches.
    grad_norm
        Norm of the gradient before clipping.
    lr
        Learning rate of the step.
    n_samples
        Samples of the step.
    metrics
        Numbers that `Trainer._update_metrics` added.
    samples
        What names the samples, or None.
    refused
        Whether the step was not applied: a bool, or a flag on the device.
    overflow
        The float16 loss scale was too high; normal while it is sought.
    weights
        Weight of every component in this step; None where they have their own.
    gradients
        Gradients taken apart, where the step was looked at.
    culprits
        Where several processes share the step: those with a component that is not finite.
    """

    losses: Mapping[str, Tensor | float]
    counts: Mapping[str, Tensor | float]
    grad_norm: Tensor | float
    lr: float
    n_samples: int
    metrics: Mapping[str, Any]
    samples: Any | None
    refused: bool | Tensor
    overflow: bool = False
    weights: Mapping[str, Tensor | float] | None = None
    gradients: GradientLook | None = None
    culprits: tuple[int, ...] = ()


class StepRecorder:
    """Hands steps to the monitor; ends training at a non-finite one where that is the policy.

    Steps whose verdict still lies on a device are held back until `log_frequency`
    steps or `max_delay_seconds` have gone by, and read with one transfer.

    Parameters
    ----------
    monitor
        Receives the steps.
    policy
        What a non-finite step means.
    log_frequency
        Steps after which verdicts are read.
    max_delay_seconds
        Time after which they are read.
    """

    def __init__(
        self, monitor: Monitor, *, policy: Policy, log_frequency: int, max_delay_seconds: float = 1.0
    ) -> None:
        self._monitor = monitor
        self._policy = policy
        self._log_frequency = log_frequency
        self._max_delay_seconds = max_delay_seconds
        self._held: list[StepRecord] = []
        self._settled = time.monotonic()

    def add(self, record: StepRecord) -> None:
        """Record one step; see `settle` for what it raises."""
        if isinstance(record.refused, bool):
            self._pass_on(record, refused=record.refused)
            self.stop_if_asked()
            return
        self._held.append(record)
        late = time.monotonic() - self._settled > self._max_delay_seconds
        if late or len(self._held) >= self._log_frequency:
            self.settle()

    def settle(self) -> None:
        """Read the verdicts that are held back and record their steps.

        Raises
        ------
        TrainingError
            If a step was non-finite and the policy is ``stop``.
        TrainingStopped
            If an alert asks to stop.
        """
        held, self._held = self._held, []
        self._settled = time.monotonic()
        if not held:
            return
        verdicts = torch.stack([torch.as_tensor(record.refused) for record in held]).tolist()
        for record, refused in zip(held, verdicts, strict=True):
            self._pass_on(record, refused=bool(refused))
        # After all of them, so that the monitor knows every step that the weights know.
        self.stop_if_asked()

    def _pass_on(self, record: StepRecord, *, refused: bool) -> None:
        ends = refused and self._policy == "stop" and not record.overflow
        self._monitor.step(
            record.losses,
            lr=record.lr,
            grad_norm=record.grad_norm,
            n_samples=record.n_samples,
            counts=record.counts or None,
            metrics=record.metrics or None,
            samples=record.samples,
            # "Skipped" means that training went on without the step, which alone is harmless.
            skipped=refused and not ends,
            **({} if record.weights is None else {"weights": record.weights}),
        )
        if record.gradients is not None:
            self._monitor.gradients(**asdict(record.gradients))
        if ends:
            self._monitor.flush()
            raise TrainingError(
                f"{describe_culprit(record)} at step {self._monitor.n_steps}; the step was not applied, and "
                "checkpoints written before are intact (training.on_non_finite=skip goes on instead)"
            )

    def stop_if_asked(self) -> None:
        """Raise TrainingStopped if an alert asks to stop."""
        if self._monitor.stop_requested is not None:
            raise TrainingStopped(f"training stopped by an alert: {self._monitor.stop_requested.message}")


def describe_culprit(record: StepRecord) -> str:
    """Name the components that are not finite and the processes that had them, or else the gradient."""
    values = {name: float(value) for name, value in record.losses.items()}
    bad = [f"{name} is {_spell(value)}" for name, value in values.items() if not math.isfinite(value)]
    if bad:
        processes = f" in process {', '.join(map(str, record.culprits))}" if record.culprits else ""
        return "loss component " + ", ".join(bad) + processes
    return f"the gradient norm is {_spell(float(record.grad_norm))} while every loss component is finite"


def _spell(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:+.6g}"
