"""Recorded runs: read, summarised, compared and exported."""

from __future__ import annotations

from neuroprism.runs.console_lines import parse_console_lines, read_console_log
from neuroprism.runs.diagnosis import Diagnosis, diagnose
from neuroprism.runs.find import find_log, newest_training_log, read_history
from neuroprism.runs.history import TrainingHistory
from neuroprism.runs.load import load_run
from neuroprism.runs.run import Run
from neuroprism.runs.training_log import read_training_log

__all__ = [
    "Diagnosis",
    "Run",
    "TrainingHistory",
    "diagnose",
    "find_log",
    "load_run",
    "newest_training_log",
    "parse_console_lines",
    "read_console_log",
    "read_history",
    "read_training_log",
]
