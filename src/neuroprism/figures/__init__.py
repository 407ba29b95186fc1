"""Figures of runs and of data; matplotlib is loaded when one is drawn."""

from __future__ import annotations

from neuroprism.figures.progress_sink import ProgressFigure
from neuroprism.figures.saving import save_figure
from neuroprism.figures.training_grid import plot_training_grid
from neuroprism.figures.training_grid_show import plot_training_progress
from neuroprism.figures.training_progress import plot_losses
from neuroprism.figures.waveforms import LevelSeries, plot_level_series

__all__ = [
    "LevelSeries",
    "ProgressFigure",
    "plot_level_series",
    "plot_losses",
    "plot_training_grid",
    "plot_training_progress",
    "save_figure",
]
