"""The monitor: what a training loop tells, passed on to sinks and rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from neuroprism.core.records import (
    Alert,
    CheckpointReason,
    CheckpointSaved,
    Component,
    EpochRecord,
    Finished,
    Gradients,
    Note,
    Severity,
    Status,
    TestRecord,
)
from neuroprism.monitor.buffer import PendingSteps
from neuroprism.monitor.build import default_rules, default_sinks
from neuroprism.monitor.clock import Clock
from neuroprism.monitor.components import as_components, combine, with_total
from neuroprism.monitor.ending import Closable, close_at_exit
from neuroprism.monitor.facts import facts_of
from neuroprism.monitor.histograms import Histogram, Histograms
from neuroprism.monitor.layout import name_in_run
from neuroprism.monitor.opening import open_run
from neuroprism.monitor.recorder import Recorder
from neuroprism.monitor.results import results_on_test_set
from neuroprism.monitor.resume import ResumePoint
from neuroprism.monitor.rules import Rule
from neuroprism.monitor.rules.rule import Judge
from neuroprism.monitor.running_epoch import RunningEpoch
from neuroprism.monitor.scalars import floats, to_float
from neuroprism.monitor.sinks.protocol import Record, Sink

T = TypeVar("T")


class Monitor(Closable):
    """Records a training run: every loss component, every step, every epoch.

    A context manager: an exception closes the run as `failed`, Ctrl-C as
    `interrupted`. Misuse of its methods raises; trouble with a sink, a rule or
    a disk does not: it is reported once and the training goes on.

    Parameters
    ----------
    folder
        Folder of the run; made if needed.
    components
        The terms of the loss, or their weights by name.
    name
        Of the run; the name of the folder by default.
    task
        Of the run, e.g. ``"abr"``.
    n_epochs, steps_per_epoch
        Planned, for the progress bar.
    log_frequency
        Steps are flushed, and step lines shown, at multiples of this number.
    flush_seconds
        Steps are flushed when the last flush is longer ago; a kill of the
        process loses the steps since the last flush at most.
    sinks
        Where the record goes; None: bar, console and all files.
    rules
        What judges the record; None: every registered rule.
    stop_on
        Severities of alerts that ask the loop to stop.
    on_alert
        Called with every alert that is raised or becomes more severe, not when
        it is closed. If it raises, it is not called again; training goes on.
    config
        Resolved configuration, kept beside the run.
    seed
        Random seed of the run.
    resume
        Continue the run of this folder after this point.
    overwrite
        Replace the run of this folder.

    Attributes
    ----------
    components : tuple of Component
    folder : Path
    n_steps : int
        Optimizer steps so far.
    epoch_number : int
        Epoch that runs, from 1.
    alerts : list of Alert
        In the order in which they were raised; each is kept up to date.

    Raises
    ------
    RunError
        If the folder cannot be used; nothing was written then.

    Examples
    --------
    >>> def train(batches):
    ...     with Monitor("logs/first", {"signal": 1.0, "peak": 0.5}, overwrite=True) as monitor:
    ...         for losses in batches:
    ...             monitor.combine(losses).backward()
    ...             monitor.step(losses)
    ...         monitor.epoch(val={"signal": 0.3, "peak": 0.2})
    """

    def __init__(
        self,
        folder: str | Path,
        components: Sequence[Component] | Mapping[str, float],
        *,
        name: str | None = None,
        task: str = "",
        n_epochs: int | None = None,
        steps_per_epoch: int | None = None,
        log_frequency: int = 100,
        flush_seconds: float = 1.0,
        sinks: Sequence[Sink] | None = None,
        rules: Sequence[Rule | Judge] | None = None,
        stop_on: Collection[Severity] = (),
        on_alert: Callable[[Alert], None] | None = None,
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        resume: ResumePoint | None = None,
        overwrite: bool = False,
    ) -> None:
        if log_frequency < 1 or flush_seconds < 0:
            raise ValueError("log_frequency must be at least 1 and flush_seconds at least 0")
        self.components = as_components(components)
        self.folder = Path(folder)
        self.n_steps, self.epoch_number = 0, 1
        self._log_frequency, self._flush_seconds = log_frequency, flush_seconds
        self._pending = PendingSteps(self.components)
        if sinks is None:
            sinks = default_sinks(log_frequency, steps_per_epoch=steps_per_epoch)
        self._recorder = Recorder(
            sinks,
            facts_of(self.components, config, n_epochs=n_epochs, steps_per_epoch=steps_per_epoch),
            default_rules() if rules is None else rules,
            stop_on=stop_on,
            on_alert=on_alert,
        )
        self.alerts = self._recorder.alerts
        opening = open_run(
            self.folder,
            self.components,
            name=name or self.folder.resolve().name,
            task=task,
            n_epochs=n_epochs,
            steps_per_epoch=steps_per_epoch,
            config=config,
            seed=seed,
            resume=resume,
            overwrite=overwrite,
        )
        self._clock = Clock()
        self._running = RunningEpoch(self.components, self._clock)
        self._last_flush = self._clock.last_step
        if resume is not None:
            self._continue(resume)
        self._recorder.remember(opening.epochs)
        # A loop that ends without `close` still gets its last steps written.
        self._forget_exit = close_at_exit(self)
        self._recorder.open(opening, self.folder)

    def _continue(self, resume: ResumePoint) -> None:
        self.n_steps, self.epoch_number = resume.step, resume.epoch + 1
        if resume.state:
            self._running.load_state_dict(resume.state)
            if "rules" in resume.state:
                self._recorder.load_state_dict(resume.state["rules"])

    @property
    def stop_requested(self) -> Alert | None:
        """The first alert that asks the loop to stop."""
        return self._recorder.stop_requested

    def combine(self, losses: Mapping[str, T]) -> T:
        """Return ``sum(weight x loss)``, differentiable where the losses are.

        Raises
        ------
        UnknownNameError
            If a name is no component.
        ValueError
            If a component is missing.
        """
        total: T = combine(self.components, losses)
        return total

    def step(
        self,
        losses: Mapping[str, Any],
        *,
        lr: Any = None,
        grad_norm: Any = None,
        n_samples: Any = 1,
        counts: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        samples: Any = None,
        skipped: bool = False,
        weights: Mapping[str, Any] | None = None,
    ) -> None:
        """Record one optimizer step; no device is waited for, unless the window is flushed.

        Numbers are floats, numpy scalars or tensors with one element.

        Parameters
        ----------
        losses
            Raw value by component. A component left out was not computed.
        lr
            Learning rate of the step.
        grad_norm
            Norm of the gradient before clipping.
        n_samples
            Samples behind the step; weights the means over the epoch.
        counts
            Valid elements behind each component where they differ from
            `n_samples`; 0: the component was not computed.
        metrics
            Further numbers of the step by name.
        samples
            Whatever names the samples; alerts about the step show it.
        skipped
            The optimizer did not apply the step.
        weights
            Weight of every component in this step, where that is not its own.

        Raises
        ------
        UnknownNameError
            If a name is no component.
        ValueError, TypeError
            If a value is not one number.
        """
        self._recorder.check_open()
        self._pending.add(
            losses,
            lr=lr,
            grad_norm=grad_norm,
            n_samples=n_samples,
            counts=counts,
            metrics=metrics,
            samples=samples,
            skipped=skipped,
            weights=weights,
        )
        self.n_steps += 1
        self._clock.last_step = now = time.monotonic()
        for tick in self._recorder.ticks:
            tick()
        if self.n_steps % self._log_frequency == 0 or now - self._last_flush > self._flush_seconds:
            self.flush()

    def flush(self) -> None:
        """Write the steps taken since the last flush and let the rules see them."""
        self._last_flush = time.monotonic()
        n = len(self._pending)
        if n == 0:
            return
        window = self._pending.take(first_step=self.n_steps - n + 1, epoch=self.epoch_number)
        self._running.add(window)
        self._recorder.write(window)

    def epoch(
        self,
        *,
        val: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        train_metrics: Mapping[str, Any] | None = None,
        lr: Any = None,
        best: bool | None = None,
    ) -> EpochRecord:
        """Close the epoch that runs.

        Parameters
        ----------
        val
            Mean raw value by component on validation data; the total follows.
        metrics
            Metrics on validation data.
        train_metrics
            Metrics on training data; numbers that the steps gave as metrics
            are averaged over the epoch and need not be repeated.
        lr
            Learning rate; the one of the last step by default.
        best
            Whether the selection criterion improved.

        Returns
        -------
        EpochRecord
            What was recorded, with the means of the steps.
        """
        val_losses = with_total(self.components, val)
        val_metrics, given = floats(metrics, "metric"), floats(train_metrics, "metric")
        rate = None if lr is None else to_float(lr, "lr")
        self.flush()
        record = self._running.close(
            epoch=self.epoch_number,
            step=self.n_steps,
            val=val_losses,
            val_metrics=val_metrics,
            train_metrics=given,
            lr=rate,
            best=best,
        )
        self.epoch_number += 1
        self._recorder.write(record)
        return record

    def test(self, **results: Any) -> TestRecord:
        """Record the results on the test set; for the arguments see `results_on_test_set`."""
        record = results_on_test_set(self.components, **results)
        self._emit(record)
        return record

    def checkpoint(self, path: str | Path, *, reason: CheckpointReason) -> None:
        """Record that a checkpoint was written to `path`."""
        self.flush()
        shown = name_in_run(self.folder, Path(path))
        # Between two epochs a checkpoint belongs to the epoch just closed.
        epoch = self.epoch_number if self._running.has_steps else max(1, self.epoch_number - 1)
        self._emit(CheckpointSaved(path=shown, step=self.n_steps, epoch=epoch, reason=reason))

    def histograms(self, *, weights: Mapping[str, Histogram], gradients: Mapping[str, Histogram]) -> None:
        """Record histograms of weights and gradients taken after the last step."""
        epoch = self.epoch_number
        self._emit(Histograms(step=self.n_steps, epoch=epoch, weights=weights, gradients=gradients))

    def gradients(
        self,
        *,
        norms: Mapping[str, Any],
        cosines: Mapping[str, Any] | None = None,
        clip_rate: float | None = None,
        update_ratios: Mapping[str, Any] | None = None,
    ) -> None:
        """Record gradients taken apart after the last step; for the arguments see `Gradients`."""
        record = Gradients(
            step=self.n_steps,
            epoch=self.epoch_number,
            norms=floats(norms, "gradient norm"),
            cosines=floats(cosines, "cosine"),
            clip_rate=clip_rate,
            update_ratios=floats(update_ratios, "update ratio"),
        )
        self._emit(record)

    def alert(self, alert: Alert) -> None:
        """Record an alert that no rule raised.

        Step and epoch are those of the moment unless it says otherwise. It asks
        the loop to stop where its severity is in `stop_on`.
        """
        self.flush()
        self._recorder.alert(alert, step=self.n_steps, epoch=self.epoch_number)

    def note(self, message: str, *, severity: Severity = "info") -> None:
        """Record a line for people."""
        self._emit(Note(message=message, severity=severity))

    def state_dict(self) -> dict[str, Any]:
        """Return what `ResumePoint.from_state` needs, as plain numbers, lists and dicts.

        ``step`` is the number of steps so far, ``epoch`` the number of closed epochs.
        """
        self.flush()
        return {
            "step": self.n_steps,
            "epoch": self.epoch_number - 1,
            "rules": self._recorder.state_dict(),
            **self._running.state_dict(),
        }

    def close(self, status: Status = "finished", message: str | None = None) -> None:
        """Flush, record how the run ended and release every file; a second call does nothing."""
        if self._recorder.closed:
            return
        try:
            self.flush()
            if status != "interrupted":
                # An interrupted run is expected to go on: nothing is said of its last steps yet.
                self._recorder.finish()
        finally:
            # A broken device may fail the flush; the record ends properly all the same.
            self._forget_exit()
            self._recorder.close(Finished(status=status, message=message))

    def _emit(self, record: Record) -> None:
        """Write a record after those of the steps before it."""
        self.flush()
        self._recorder.write(record)
