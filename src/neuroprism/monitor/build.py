"""Putting sinks and rules together: from the configuration, or as they are by default.

Modules are imported when they are asked for, so that `import neuroprism.monitor`
stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroprism.monitor.rules import Rule, rules
from neuroprism.monitor.sinks import EventsFile, RunFile, Sink, StepsFile, TrainingLog

if TYPE_CHECKING:
    from neuroprism.monitor.config import OnAlertConfig
    from neuroprism.monitor.format import Level
    from neuroprism.monitor.logging_config import LoggingConfig

_LEVELS: dict[str, Level] = {
    "DEBUG": "debug",
    "INFO": "info",
    "WARNING": "warning",
    "CRITICAL": "critical",
}


def default_rules() -> list[Rule]:
    """Return every registered rule with its default settings."""
    return list(rules.values())


def file_sinks() -> list[Sink]:
    """Return the sinks that write the record of a run; every run has them."""
    return [RunFile(), StepsFile(), EventsFile(), TrainingLog()]


def default_sinks(log_frequency: int = 100, *, steps_per_epoch: int | None = None) -> list[Sink]:
    """Return all files, the text log, the progress bar and the console."""
    from neuroprism.monitor.sinks.console import Console
    from neuroprism.monitor.sinks.progress_bar import ProgressBar
    from neuroprism.monitor.sinks.text_log import TextLog

    return [*file_sinks(), TextLog(log_frequency), ProgressBar(steps_per_epoch), Console(log_frequency)]


def build_sinks(
    logging: LoggingConfig,
    *,
    log_frequency: int,
    steps_per_epoch: int | None = None,
    quiet: bool = False,
    on_alert: OnAlertConfig | None = None,
) -> list[Sink]:
    """Return the sinks that a configuration asks for.

    Parameters
    ----------
    logging
        The section `logging`.
    log_frequency
        Steps between two step lines.
    steps_per_epoch
        Optimizer steps of an epoch, for the progress bar.
    quiet
        No progress bar, and only warnings and alerts on the console.
    on_alert
        The section `monitoring.on_alert`; None to tell nobody outside the run.
    """
    from neuroprism.monitor.sinks.console import Console
    from neuroprism.monitor.sinks.progress_bar import ProgressBar
    from neuroprism.monitor.sinks.text_log import TextLog

    # Closed last: what it waits for then keeps no other sink open.
    sinks: list[Sink] = [] if on_alert is None else _tellers(on_alert)
    sinks += [*file_sinks(), TextLog(log_frequency)]
    if logging.progress_bar and not quiet:
        sinks.append(ProgressBar(steps_per_epoch))
    sinks.append(Console(log_frequency, level="warning" if quiet else _LEVELS[logging.level]))
    if logging.use_tensorboard:
        from neuroprism.monitor.sinks.tensorboard import TensorBoard

        sinks.append(TensorBoard(log_frequency))
    if logging.use_wandb:
        from neuroprism.monitor.sinks.tracker import Tracker

        sinks.append(
            Tracker(
                logging.tracker,
                project=logging.wandb.project,
                entity=logging.wandb.entity,
                tags=logging.wandb.tags,
                mode=logging.wandb.mode,
                log_frequency=log_frequency,
            )
        )
    return sinks


def _tellers(config: OnAlertConfig) -> list[Sink]:
    """Return the sink that tells of alerts outside the run, none where nobody is to be told."""
    if not config.command and config.webhook is None:
        return []
    from neuroprism.monitor.sinks.on_alert import OnAlert

    return [
        OnAlert(
            config.command,
            config.webhook,
            severity=config.severity,
            timeout_seconds=config.timeout_seconds,
        )
    ]
