"""Configuration of what is shown and where it is recorded."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from neuroprism.core.section import Section


class TrackerConfig(Section):
    """Where an experiment tracker files the run."""

    project: str = Field(default="neuroprism", min_length=1)
    """Project of the tracker."""

    entity: str | None = None
    """Account or team at Weights & Biases; None is the default one."""

    tags: tuple[str, ...] = ()
    """Words by which runs are found again."""

    mode: Literal["offline", "online", "disabled"] = "offline"
    """`offline` needs no account and no network; `online` sends to the service; `disabled` does nothing."""


class LoggingConfig(Section):
    """What is shown while training, and where it is recorded besides JSON."""

    level: Literal["DEBUG", "INFO", "WARNING", "CRITICAL"] = "INFO"
    """Least level printed on the console; `training.log` has INFO always."""

    log_dir: str = Field(default="logs", min_length=1)
    """Folder of all runs; a run lies in `log_dir/EXPERIMENT`."""

    use_tensorboard: bool = True
    """Write TensorBoard event files into the run folder."""

    use_wandb: bool = False
    """Record with the experiment tracker named by `tracker`."""

    tracker: Literal["wandb", "trackio"] = "wandb"
    """Which experiment tracker `use_wandb` turns on; both obey the section `wandb`."""

    wandb: TrackerConfig = Field(default_factory=TrackerConfig)
    """Project, entity, tags and mode of the tracker."""

    histogram_every_n_epochs: int = Field(default=0, ge=0)
    """Histograms of weights and gradients for TensorBoard every so many epochs; 0: none."""

    progress_bar: bool = True
    """Show the progress bar; without a terminal: a plain line every 10 s."""

    figure: bool = True
    """Redraw `figures/training_progress.png` while training."""

    @model_validator(mode="after")
    def _trackio_is_local(self) -> LoggingConfig:
        if self.use_wandb and self.tracker == "trackio":
            if self.wandb.mode == "online":
                raise ValueError(
                    "wandb.mode: trackio records on this machine only; use 'offline' or 'disabled'"
                )
            if self.wandb.entity is not None:
                raise ValueError("wandb.entity: trackio has no accounts; leave it out")
        return self
