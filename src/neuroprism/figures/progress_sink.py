"""A sink that redraws the picture of a run while it trains."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from neuroprism.core import strict_json
from neuroprism.core.files import whole_lines
from neuroprism.core.records import EpochRecord, RunRecord, TestRecord
from neuroprism.figures.saving import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PNG = Path("figures/training_progress.png")
PDF = Path("figures/training_progress.pdf")


class ProgressFigure:
    """Redraws `figures/training_progress.png` after epochs, and once more with a PDF at the end.

    The file is replaced at once: a viewer sees the old picture or the new one.

    Parameters
    ----------
    min_seconds
        Least time between two drawings; the last one comes in any case. Where
        a drawing takes more than a hundredth of that, the time grows with it,
        so that drawing never costs more than 1% of the training.
    """

    name = "progress_figure"

    def __init__(self, min_seconds: float = 30.0) -> None:
        self.min_seconds = min_seconds
        self._epochs: list[EpochRecord] = []
        self._test: TestRecord | None = None
        self._due = 0.0

    def open(self, run: RunRecord, folder: Path) -> None:
        """Start from the epochs that the folder holds: those kept by a resume, or none."""
        self._run, self._folder = run, folder
        self._epochs = _recorded_epochs(folder / "events.jsonl")

    def write(self, record: Any) -> None:
        """Take an epoch and redraw when it is time; keep the test results for the last drawing."""
        if isinstance(record, TestRecord):
            self._test = record
        if isinstance(record, EpochRecord):
            self._epochs.append(record)
            start = time.monotonic()
            if start >= self._due:
                save_figure(self._draw(), self._folder / PNG)
                end = time.monotonic()
                self._due = end + max(self.min_seconds, 100 * (end - start))

    def close(self) -> None:
        """Draw the last state as PNG and PDF."""
        if self._epochs:
            figure = self._draw()
            save_figure(figure, self._folder / PNG)
            save_figure(figure, self._folder / PDF)

    def _draw(self) -> Figure:
        if len(self._run.components) == 1:
            return self._draw_grid()
        from neuroprism.figures.training_progress import plot_losses

        return plot_losses(self._run.components, self._epochs, title=self._run.name)

    def _draw_grid(self) -> Figure:
        """Draw a loss of one component: its metrics say more than its parts."""
        from neuroprism.figures.training_grid import plot_training_grid
        from neuroprism.runs.from_records import history_of_records

        return plot_training_grid(history_of_records(self._run, self._epochs, self._test, self._folder))


def _recorded_epochs(path: Path) -> list[EpochRecord]:
    events = (strict_json.decode(line) for line in whole_lines(path))
    return [msgspec.convert(event, EpochRecord) for event in events if event.get("event") == "epoch"]
