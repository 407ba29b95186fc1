"""Reading the console output of earlier EEGMamba code as training histories."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from neuroprism.core.errors import DataError
from neuroprism.runs.history import TrainingHistory
from neuroprism.runs.training_log import history_of

_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)"
_DATASET = re.compile(r"The downstream dataset is (\S+)")
_EPOCH = re.compile(
    rf"Epoch (\d{{1,9}}) : Training Loss: ({_NUMBER}), (.+), LR: ({_NUMBER}), Time elapsed ({_NUMBER}) mins"
)
_METRIC = re.compile(rf"(acc|kappa|f1|pr_auc|roc_auc|corrcoef|r2|rmse): ({_NUMBER})")
_IMPROVED = re.compile(r"(?:kappa|roc_auc|r2) increasing\.*saving weights")
_TEST = "Test Evaluation:"
_MATRIX_ROW = re.compile(r"^\s*\[{1,2}\s*(\d{1,18}(?:[\s,]+\d{1,18})*)\s*\]{1,2},?\s*$")


class _Run:
    """One run as far as its lines were seen."""

    def __init__(self, dataset: str | None) -> None:
        self.dataset = dataset
        self.lists: dict[str, list[float]] = {}
        self.test: dict[str, Any] = {}
        self.rows: list[list[int]] = []
        self.first_epoch = self.epoch = 0
        self.best_epoch: int | None = None

    def take_epoch(self, match: re.Match[str]) -> None:
        self.epoch = int(match[1])
        self.first_epoch = self.first_epoch or self.epoch
        values = {"train_loss": match[2], "learning_rate": match[4], "epoch_time": match[5]}
        values |= {f"val_{name}": value for name, value in _METRIC.findall(match[3])}
        for key, value in values.items():
            self.lists.setdefault(key, []).append(float(value))

    def take_other(self, line: str) -> None:
        if _IMPROVED.search(line):
            self.best_epoch = self.epoch or None
        elif _TEST in line:
            self.test = {name: float(value) for name, value in _METRIC.findall(line)}
        elif self.test and (row := _MATRIX_ROW.match(line)):
            self.rows.append([int(n) for n in re.split(r"[\s,]+", row[1].strip())])

    def history(self, source: str, path: Path | None) -> TrainingHistory:
        results: dict[str, Any] = dict(self.test)
        if self.rows and all(len(row) == len(self.rows) for row in self.rows):
            results["confusion_matrix"] = self.rows
        if self.best_epoch is not None:
            results["best_epoch"] = self.best_epoch
        content = {**self.lists, "test_results": results}
        return history_of(content, source=source, path=path, dataset=self.dataset)


def parse_console_lines(text: str, *, source: str = "console output") -> list[TrainingHistory]:
    """Return the runs in the console output of earlier code, in order.

    Lines that are not of a run, such as progress bars, are passed over. The
    numbers are those printed, with five decimals; the learning rate reads as
    zero below 5e-6. An epoch that does not follow the one before begins
    another run.

    Parameters
    ----------
    text
        The output, complete or not.
    source
        Where it comes from, for messages.
    """
    return [run.history(source, None) for run in _runs(text)]


def read_console_log(path: str | Path) -> list[TrainingHistory]:
    """Return the runs in a file of console output of earlier code.

    Raises
    ------
    DataError
        If the file cannot be read or tells of no epoch.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    runs = _runs(text)
    if not runs:
        raise DataError(
            f"{path} is neither JSON nor console output with lines 'Epoch 1 : Training Loss: ...'"
        )
    return [run.history(str(path), path) for run in runs]


def _runs(text: str) -> list[_Run]:
    runs: list[_Run] = []
    run = _Run(None)
    for line in re.split(r"[\r\n]+", text):
        if found := _DATASET.search(line):
            run = _Run(found[1])
        elif match := _EPOCH.search(line):
            if run.epoch and int(match[1]) != run.epoch + 1:
                run = _Run(run.dataset)
            if not run.epoch:
                runs.append(run)
            run.take_epoch(match)
        else:
            run.take_other(line)
    return runs
