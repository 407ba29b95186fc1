"""A recorded run as tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from neuroprism.core.records import (
    TOTAL,
    Alert,
    AnyEvent,
    Component,
    EpochRecord,
    RunRecord,
    Status,
    TestRecord,
    epoch_series,
)
from neuroprism.monitor.reading import read_steps
from neuroprism.runs.alerts import last_records
from neuroprism.runs.history import METRIC_LISTS, TrainingHistory

if TYPE_CHECKING:
    import pandas as pd

LOG_NAMES = {
    "train_loss": epoch_series("train", TOTAL),
    **METRIC_LISTS,
    "learning_rate": "lr",
}
"""Series that stands in a list of `training_log.json`, e.g. ``val/balanced_accuracy`` in ``val_acc``."""

_PLACES = ("step", "lr", "grad_norm", "seconds", "samples_per_second", "best")
_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Run:
    """What a run recorded; tables are made when they are first asked for.

    Attributes
    ----------
    path
        Run folder, or the log file of a run of which nothing else is left.
    name
        Of the run.
    run
        Identity card; None for a log alone.
    status
        As of now: a run whose process is gone is ``lost``. None for a log alone.
    config
        Resolved configuration, empty where none was recorded.
    history
        `training_log.json`; None where the run has none.
    """

    path: Path
    name: str
    run: RunRecord | None = None
    status: Status | None = None
    config: dict[str, Any] = field(default_factory=dict)
    history: TrainingHistory | None = None
    events: tuple[AnyEvent, ...] = ()

    def __repr__(self) -> str:
        status = self.status or "log only"
        return f"<Run {self.name}: {status}, {len(self._epoch_rows)} epochs, {self.path}>"

    @property
    def components(self) -> tuple[Component, ...]:
        """Components of the loss; none for a log alone."""
        return self.run.components if self.run else ()

    @property
    def seed(self) -> int | None:
        """Seed of the run, where it was recorded."""
        return self.run.seed if self.run else None

    @property
    def best_epoch(self) -> int | None:
        """The epoch that validation selected; None where none was."""
        tested = [event.best_epoch for event in self.events if isinstance(event, TestRecord)]
        if tested and tested[-1] is not None:
            return tested[-1]
        if not self.events:
            return self.history.best_epoch if self.history else None
        return next((e.epoch for e in reversed(self.epoch_records) if e.best), None)

    @cached_property
    def epoch_records(self) -> tuple[EpochRecord, ...]:
        """The epochs as they were recorded; none for a log alone."""
        return tuple(event for event in self.events if isinstance(event, EpochRecord))

    @cached_property
    def steps(self) -> pd.DataFrame:
        """One row per optimizer step: ``step, epoch, lr, grad_norm, loss/total, loss/<component>, ...``."""
        import pandas as pd

        folder = self.path if self.path.is_dir() else self.path.parent
        columns = read_steps(folder) if self.run else {"step": (), "epoch": ()}
        return pd.DataFrame(columns, copy=False)

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """One row per epoch: ``epoch``, ``step, lr, ...``, then all series ``train/...``, ``val/...``."""
        import pandas as pd

        return pd.DataFrame(self._epoch_rows)

    @cached_property
    def alert_records(self) -> tuple[Alert, ...]:
        """The alerts, each once: as its last record tells it."""
        return tuple(last_records(event for event in self.events if isinstance(event, Alert)))

    @cached_property
    def alerts(self) -> pd.DataFrame:
        """One row per alert, the columns as in `neuroprism.core.records.Alert`."""
        import pandas as pd

        names = [f.name for f in msgspec.structs.fields(Alert)]
        rows = [msgspec.structs.asdict(alert) for alert in self.alert_records]
        return pd.DataFrame(rows, columns=names)

    @cached_property
    def test(self) -> pd.DataFrame:
        """One row per test: ``best_epoch``, then ``test/<component>`` and ``test/<metric>``."""
        import pandas as pd

        return pd.DataFrame(self._test_rows)

    @cached_property
    def confusion_matrix(self) -> list[list[int]] | None:
        """Counts of the test data, true classes in rows; None where there are none."""
        records = [event for event in self.events if isinstance(event, TestRecord)]
        if records:
            return records[-1].confusion_matrix
        table = None if self.history is None else self.history.confusion_matrix
        return None if table is None else table.tolist()

    @cached_property
    def test_intervals(self) -> dict[str, tuple[float, float]]:
        """95% interval (low, high) of test metrics over subjects, by series; where recorded."""
        records = [event for event in self.events if isinstance(event, TestRecord)]
        return {epoch_series("test", k): v for k, v in records[-1].intervals.items()} if records else {}

    @cached_property
    def _epoch_rows(self) -> list[dict[str, Any]]:
        if not self.epoch_records:
            return _rows_of_log(self.history) if self.history else []
        given = [p for p in _PLACES if any(getattr(e, p) is not None for e in self.epoch_records)]
        return [
            {"epoch": e.epoch, **{place: getattr(e, place) for place in given}, **e.series()}
            for e in self.epoch_records
        ]

    @cached_property
    def _test_rows(self) -> list[dict[str, Any]]:
        records = [event for event in self.events if isinstance(event, TestRecord)]
        if records:
            return [
                {
                    "best_epoch": record.best_epoch,
                    **{epoch_series("test", k): v for k, v in (record.losses | record.metrics).items()},
                }
                for record in records
            ]
        results = self.history.test_results if self.history else {}
        row: dict[str, Any] = {}
        for key, value in results.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                row[_test_series(key)] = value
        return [row] if row else []


def _test_series(key: str) -> str:
    if key == "best_epoch" or "/" in key:
        return key
    return epoch_series("test", METRIC_LISTS.get(f"val_{key}", key).removeprefix("val/"))


def _rows_of_log(history: TrainingHistory) -> list[dict[str, Any]]:
    """Return the epochs of a log under the names of the series."""
    columns: dict[str, Any] = {"epoch": history.epochs.tolist()}
    for key, name in LOG_NAMES.items():
        if history[key]:
            columns[name] = history.column(key).tolist()
    if history["epoch_time"]:
        columns["seconds"] = (history.column("epoch_time") * _SECONDS).tolist()
    for key in history:
        if "/" in key and key not in columns:
            columns[key] = history.column(key).tolist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
