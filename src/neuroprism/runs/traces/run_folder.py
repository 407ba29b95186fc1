"""Reading a run folder of this project."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.core.records import Alert, EpochRecord, Gradients
from neuroprism.monitor import layout
from neuroprism.monitor.facts import facts_of
from neuroprism.monitor.reading import read_events, read_run, run_status
from neuroprism.monitor.window import StepWindow
from neuroprism.runs.context import read_config
from neuroprism.runs.traces.json_lines import read_json_lines
from neuroprism.runs.traces.step_rows import in_order, step_window, whole_numbers
from neuroprism.runs.traces.table import Table
from neuroprism.runs.traces.trace import Trace


def read_run_folder(folder: Path) -> Trace:
    """Read what a run recorded, also while it runs and after a kill.

    Raises
    ------
    RunError, DataError, ConfigError
        If a file of it is damaged.
    """
    notes: list[str] = []
    card = read_run(folder)
    config = read_config(folder)
    events = read_events(folder)
    looked = tuple(event for event in events if isinstance(event, EpochRecord | Gradients))
    path = folder / layout.STEPS
    has_steps = path.is_file() and path.stat().st_size > 0
    table = read_json_lines(path, notes) if has_steps else Table(n_rows=0, columns={})
    table, step = in_order(table, notes)
    epoch = whole_numbers(table, "epoch")
    steps: StepWindow = step_window(
        table, step, np.ones(len(step), dtype=np.int64) if epoch is None else epoch, card.components
    )
    return Trace(
        name=card.name,
        facts=facts_of(
            card.components,
            config,
            n_epochs=card.n_epochs,
            steps_per_epoch=card.steps_per_epoch,
        ),
        steps=steps,
        events=looked,
        notes=tuple(notes),
        status=run_status(folder),
        config=config,
        alerts=tuple(event for event in events if isinstance(event, Alert)),
    )
