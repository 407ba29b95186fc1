"""The training loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from neuroprism.core.errors import DataError, TrainingError, TrainingStopped
from neuroprism.train.checkpoint import Checkpoint, load_checkpoint
from neuroprism.train.checkpoint_keeper import CheckpointKeeper
from neuroprism.train.config import HardwareConfig, ReproducibilityConfig, TrainingConfig
from neuroprism.train.data_order import batch_size_of, batches_of
from neuroprism.train.early_end import EarlyEnd
from neuroprism.train.gradient_watch import GradientWatch
from neuroprism.train.hardware import build_fabric
from neuroprism.train.histograms import gradient_histograms, weight_histograms
from neuroprism.train.interrupt import InterruptFlag
from neuroprism.train.out_of_memory import is_out_of_memory, memory_alert
from neuroprism.train.plan import batches_per_epoch, check_same_length
from neuroprism.train.processes import Processes
from neuroprism.train.seed import seed_everything
from neuroprism.train.selection import criterion_note, nothing_selected, validation_series
from neuroprism.train.shared_recorder import SharedStepRecorder
from neuroprism.train.state import TrainingState
from neuroprism.train.step_recorder import StepRecorder
from neuroprism.train.task import Evaluation, Task
from neuroprism.train.update import Update
from neuroprism.train.validation import check_criterion, validate

if TYPE_CHECKING:
    from neuroprism.monitor import Monitor


@dataclass(frozen=True, kw_only=True, slots=True)
class FitResult:
    """How training ended.

    Attributes
    ----------
    n_epochs, n_steps
        Epochs and optimizer steps in all, those before a resume included.
    best_epoch, best_value
        Epoch selected by `training.early_stopping.monitor` and its value; None without one.
    stopped_early
        Whether early stopping ended training.
    last_path, best_path
        Checkpoints; None where there is none.
    """

    n_epochs: int
    n_steps: int
    best_epoch: int | None
    best_value: float | None
    stopped_early: bool
    last_path: Path | None
    best_path: Path | None

    def selected(self) -> Checkpoint:
        """Read the checkpoint of the selected epoch.

        Raises
        ------
        DataError
            If there is none, or the file is of another epoch: an attempt before could not write it.
        """
        if self.best_path is None:
            raise DataError("no epoch was selected")
        checkpoint = load_checkpoint(self.best_path)
        if checkpoint.epoch != self.best_epoch:
            raise DataError(
                f"{self.best_path} holds epoch {checkpoint.epoch}, "
                f"not epoch {self.best_epoch}, which was selected"
            )
        return checkpoint


class Trainer:
    """Trains a `Task` and tells a monitor everything about it.

    Under torchrun every process makes one of these with the same arguments; all
    call `fit`, train together and end together. Each trains on its share of
    every batch, gradients are averaged over them, and the first one validates
    on the whole split, keeps the record and writes checkpoints.

    Parameters
    ----------
    config
        Of training.
    hardware
        Device and precision.
    reproducibility
        Seeds; `fit` begins with them, so that training does not depend on what ran before.
    monitor
        Where every number goes. The trainer closes it when training fails or
        is interrupted; after success it stays open for test results. Under
        torchrun every process but the first gets a `SilentMonitor`.
    folder
        Run folder; checkpoints go to ``checkpoints`` in it.
    histogram_every_n_epochs
        Epochs between histograms of weights and gradients; None for none.
    gradients_every_n_steps
        Optimizer steps between two looks at the gradients of single components
        and at the size of updates; 0 for none.
    run_config
        Resolved configuration of the whole run, stored in checkpoints.
    """

    def __init__(
        self,
        config: TrainingConfig,
        *,
        hardware: HardwareConfig,
        reproducibility: ReproducibilityConfig,
        monitor: Monitor,
        folder: str | Path,
        histogram_every_n_epochs: int | None = None,
        gradients_every_n_steps: int = 0,
        run_config: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = config
        self.hardware = hardware
        self.reproducibility = reproducibility
        self.monitor = monitor
        self.histogram_every_n_epochs = histogram_every_n_epochs
        self.gradients_every_n_steps = gradients_every_n_steps
        self.fabric = build_fabric(hardware)
        self.processes = Processes(rank=self.fabric.global_rank, n=self.fabric.world_size)
        self._keeper = CheckpointKeeper(
            Path(folder),
            config.checkpointing,
            monitor=monitor,
            run_config=run_config,
            processes=self.processes,
        )
        self._flag = InterruptFlag()

    def fit(
        self,
        task: Task[Any],
        train_loader: Iterable[Any],
        val_loader: Iterable[Any],
        *,
        resume: Checkpoint | None = None,
    ) -> FitResult:
        """Train `task` until the last epoch or early stopping.

        Parameters
        ----------
        task
            Model, losses and evaluation.
        train_loader
            Training batches, with a length; one from `make_loader` makes the
            order of the data a function of seed and epoch.
        val_loader
            Validation batches.
        resume
            Checkpoint to continue from; open the monitor at the same point with
            ``resume=ResumePoint.from_state(checkpoint.monitor)``.

        Raises
        ------
        TrainingInterrupted
            After Ctrl-C or SIGTERM; `checkpoints/last.pt` then holds the last complete step.
        TrainingError
            If a loss or gradient is not finite, or if the last or the selected weights could not be saved.
        TrainingStopped
            If an alert asks to stop or memory is not enough; `checkpoints/last.pt`
            then holds the last complete step.
        UserError
            If configuration, data and checkpoint do not fit together.

        Notes
        -----
        Where several processes train, all of these end all of them.
        """
        state = self._begin(task, train_loader, resume)
        end = EarlyEnd(self.monitor, self._keeper, self.processes)
        with self._flag:
            try:
                with self.processes.in_contact():
                    self._run(state, train_loader, val_loader)
            except KeyboardInterrupt as error:
                end.interrupted(state, self._recorder, error)
            except TrainingError as error:
                end.failed(state, error)
        return self._result(state)

    def _update_metrics(
        self, metrics: SimpleNamespace, loss_components: Mapping[str, Tensor], batch: Any
    ) -> None:
        """Add metrics of your own; override this.

        Called for every training batch, without gradients. An attribute that
        is set on `metrics` becomes a metric of the step and a mean of the
        epoch, and reaches every sink. Tensors may stay on the device.

        Parameters
        ----------
        metrics
            Empty; set numbers or scalar tensors on it.
        loss_components
            Raw components of the batch, detached.
        batch
            The batch, on the device.
        """

    def _compile(self, model: nn.Module) -> nn.Module:
        """Return the model compiled as `hardware.compile_model` asks; override to choose a backend."""
        return cast(nn.Module, torch.compile(model))

    def _begin(
        self, task: Task[Any], train_loader: Iterable[Any], resume: Checkpoint | None
    ) -> TrainingState:
        with self.processes.agreeing():
            check_criterion(task, self.config)
            n_batches = batches_per_epoch(train_loader, self.config)
        check_same_length(n_batches, self.processes)
        if resume is None:
            seed_everything(self.reproducibility, rank=self.processes.rank)
        state = TrainingState(
            task,
            self.config,
            self.fabric,
            n_batches=n_batches,
            batch_size=batch_size_of(train_loader),
            processes=self.processes,
            compile_model=self._compile if self.hardware.compile_model else None,
        )
        watch = self._watch(state)
        if resume is not None:
            with self.processes.agreeing():
                state.restore(resume)
        self._update = Update(
            state,
            combine=self.monitor.combine,
            add_metrics=self._update_metrics,
            gradient_clip=self.config.gradient_clip,
            watch=watch,
        )
        self._recorder = self._new_recorder()
        return state

    def _watch(self, state: TrainingState) -> GradientWatch:
        """Return what looks at gradients, in the first process; it and the balancing go into checkpoints."""
        every, several = self.gradients_every_n_steps, len(state.task.components) > 1
        watch = GradientWatch(
            state.model,
            every_n_steps=every if self.processes.first else 0,
            gradient_clip=self.config.gradient_clip,
            takes_apart=several and not state.is_compiled,
        )
        if every and several and state.is_compiled:
            self.monitor.note("Gradients are not taken apart by component: the network runs compiled")
        state.companions["gradients"] = watch
        if state.task.balancing is not None:
            state.companions["balancing"] = state.task.balancing
        return watch

    def _new_recorder(self) -> StepRecorder:
        policy, log_frequency = self.config.on_non_finite, self.config.log_frequency
        if self.processes.alone:
            return StepRecorder(self.monitor, policy=policy, log_frequency=log_frequency)
        return SharedStepRecorder(
            self.monitor,
            policy=policy,
            log_frequency=log_frequency,
            processes=self.processes,
            flag=self._flag,
        )

    def _run(self, state: TrainingState, train_loader: Iterable[Any], val_loader: Iterable[Any]) -> None:
        """Make the epochs that are left."""
        try:
            self._make_epochs(state, train_loader, val_loader)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            alert = memory_alert(
                error,
                step=state.step + state.in_step,
                epoch=state.epoch + 1,
                in_step=state.in_step,
                batch_size=batch_size_of(train_loader),
                accumulation_steps=self.config.accumulation_steps,
                mixed_precision=self.hardware.mixed_precision,
                device=str(self.fabric.device),
            )
        else:
            return
        # Here the error is gone, and with it the memory that its frames held.
        state.abandon_step()
        try:
            if self.processes.alone:
                self._recorder.settle()
        finally:
            self.monitor.alert(alert)
        raise TrainingStopped(f"{alert.message}; {alert.advice}")

    def _make_epochs(
        self, state: TrainingState, train_loader: Iterable[Any], val_loader: Iterable[Any]
    ) -> None:
        while state.epoch < self.config.epochs and not state.stopping.stop:
            self._obey()
            self._train_epoch(state, train_loader)
            evaluation = self._validate(state, val_loader)
            self._close_epoch(state, evaluation)
        if state.best.epoch is None:
            self.monitor.note(nothing_selected(state.best.criterion), severity="warning")
        self._obey()
        with self.processes.agreeing():
            self._keeper.expect_saved(state.best.epoch)

    def _obey(self) -> None:
        """Raise KeyboardInterrupt in all processes if Ctrl-C was pressed for one."""
        with self.processes.agreeing():
            self._flag.obey()

    def _train_epoch(self, state: TrainingState, loader: Iterable[Any]) -> None:
        """Make the optimizer steps of an epoch, from where `state` is in it."""
        state.network.train()
        batches = batches_of(loader, epoch=state.epoch + 1, first_batch=state.batch)
        while state.batch < state.n_batches:
            n = min(self.config.accumulation_steps, state.n_batches - state.batch)
            record = self._update.take(islice(batches, n), n)
            state.batch += n
            state.mark()
            self._recorder.add(record)
            if self.processes.alone:
                self._flag.obey()
        self._recorder.settle()

    def _validate(self, state: TrainingState, loader: Iterable[Any]) -> Evaluation | None:
        """Evaluate the averaged weights where it is due: in the first process, on the whole split."""
        epoch = state.epoch + 1
        if epoch % self.config.validation.frequency and epoch != self.config.epochs:
            return None
        self.monitor.flush()
        return self.processes.from_first(
            lambda: validate(
                state,
                loader,
                compute_metrics=self.config.validation.compute_metrics,
                between_batches=self._flag.obey,
            )
        )

    def _close_epoch(self, state: TrainingState, evaluation: Evaluation | None) -> None:
        """Select, record and save."""
        with self.processes.agreeing():
            is_best = None if evaluation is None else self._judge(state, evaluation)
        state.close_epoch()
        every = self.histogram_every_n_epochs
        if every and state.epoch % every == 0 and self.processes.first:
            self.monitor.histograms(
                weights=weight_histograms(state.model), gradients=gradient_histograms(state.model)
            )
        self.monitor.epoch(
            val=evaluation.losses if evaluation else None,
            metrics=evaluation.metrics if evaluation else None,
            best=is_best,
        )
        if evaluation is not None and (note := criterion_note(state.best.criterion, state.evaluation)):
            self.monitor.note(f"{note} in epoch {state.epoch}", severity="warning")
        self._keeper.after_epoch(state, is_best=bool(is_best))
        self._recorder.stop_if_asked()

    def _judge(self, state: TrainingState, evaluation: Evaluation) -> bool:
        """Let everything that waits for the criterion see it; return whether the epoch is the best."""
        components = state.task.components
        names = state.task.metric_names
        value = state.best.criterion.value(evaluation, components, names)
        state.evaluation = validation_series(evaluation, components)
        state.schedule.observe(value, step=state.step)
        state.stopping.observe(value)
        return state.best.observe(value, state.epoch + 1)

    def _result(self, state: TrainingState) -> FitResult:
        found = state.best.epoch is not None
        return FitResult(
            n_epochs=state.epoch,
            n_steps=state.step,
            best_epoch=state.best.epoch,
            best_value=state.best.value if found else None,
            stopped_early=state.stopping.stop and state.epoch < self.config.epochs,
            last_path=self._keeper.last if self._keeper.last.exists() else None,
            best_path=self._keeper.best if self._keeper.best.exists() else None,
        )
