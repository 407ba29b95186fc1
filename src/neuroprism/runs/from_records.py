"""The history of a run from its records, while it is being written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuroprism.core.errors import ConfigError
from neuroprism.core.records import EpochRecord, RunRecord, TestRecord
from neuroprism.monitor.sinks.training_log import training_log
from neuroprism.runs.context import RunContext, read_config, selected_epoch
from neuroprism.runs.history import TrainingHistory
from neuroprism.runs.training_log import history_of


def history_of_records(
    card: RunRecord, epochs: Sequence[EpochRecord], test: TestRecord | None, folder: Path
) -> TrainingHistory:
    """Return what `training_log.json` says of these epochs, without reading it.

    Parameters
    ----------
    card
        Identity card of the run.
    epochs
        In order.
    test
        None before the test.
    folder
        Of the run; its configuration names the data set.
    """
    try:
        config = read_config(folder)
    except ConfigError:
        config = {}
    context = RunContext(
        card=card, status=card.status, config=config, selected_epoch=selected_epoch(list(epochs))
    )
    return history_of(training_log(list(epochs), test), source=card.name, context=context)
