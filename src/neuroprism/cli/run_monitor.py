"""The monitor of a training run, as its configuration asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from neuroprism.cli.run_mode import RunMode
from neuroprism.core.config import to_dict
from neuroprism.core.launch import is_first_process
from neuroprism.core.section import Section
from neuroprism.figures import ProgressFigure
from neuroprism.monitor import Monitor, ResumePoint, SilentMonitor
from neuroprism.monitor.build import build_sinks
from neuroprism.monitor.config import MonitoringConfig, build_rules
from neuroprism.monitor.logging_config import LoggingConfig
from neuroprism.train.checkpoint import Checkpoint
from neuroprism.train.config import ReproducibilityConfig, TrainingConfig
from neuroprism.train.task import Task


class RunConfig(Protocol):
    """The sections that every training run has."""

    @property
    def training(self) -> TrainingConfig:
        """The loop."""

    @property
    def logging(self) -> LoggingConfig:
        """What is shown and recorded."""

    @property
    def monitoring(self) -> MonitoringConfig:
        """What watches."""

    @property
    def reproducibility(self) -> ReproducibilityConfig:
        """Seeds."""


def open_monitor(
    config: RunConfig,
    folder: Path,
    task: Task[Any],
    *,
    steps_per_epoch: int,
    mode: RunMode,
    checkpoint: Checkpoint | None,
) -> Monitor:
    """Open the record of a run; of several processes only the first one keeps it.

    Parameters
    ----------
    config
        Configuration of the whole run; all of it is recorded.
    folder
        Run folder.
    task
        Names the run and its components.
    steps_per_epoch
        Optimizer steps of an epoch.
    mode
        Whether the run is quiet and whether it replaces another.
    checkpoint
        Where to continue, None for a new run.
    """
    assert isinstance(config, Section)
    point = None if checkpoint is None else ResumePoint.from_state(checkpoint.monitor)
    if not is_first_process():
        return SilentMonitor(folder, task.components, resume=point)
    sinks = build_sinks(
        config.logging,
        log_frequency=config.training.log_frequency,
        steps_per_epoch=steps_per_epoch,
        quiet=mode.quiet,
        on_alert=config.monitoring.on_alert,
    )
    if config.logging.figure:
        sinks.append(ProgressFigure())
    return Monitor(
        folder,
        task.components,
        task=task.name,
        n_epochs=config.training.epochs,
        steps_per_epoch=steps_per_epoch,
        log_frequency=config.training.log_frequency,
        sinks=sinks,
        rules=build_rules(config.monitoring),
        stop_on=config.monitoring.stop_on,
        config=recorded(config),
        seed=config.reproducibility.seed,
        resume=point,
        overwrite=mode.overwrite,
    )


def recorded(config: Section) -> dict[str, Any]:
    """Return the resolved configuration as run folder, tracker and checkpoints keep it.

    The address of a webhook is often a secret, and files are passed on: it is left out.
    """
    plain = to_dict(config)
    plain["monitoring"]["on_alert"]["webhook"] = None
    return plain
