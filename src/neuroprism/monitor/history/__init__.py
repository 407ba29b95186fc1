"""The bounded history of a run that alert rules look at."""

from __future__ import annotations

from neuroprism.monitor.history.course import Course, slope_interval
from neuroprism.monitor.history.curve import Curve
from neuroprism.monitor.history.history import History
from neuroprism.monitor.history.recent import Excursion, Recent
from neuroprism.monitor.history.stream import GRAD_NORM, LR, STEP_SECONDS, Stream

__all__ = [
    "GRAD_NORM",
    "LR",
    "STEP_SECONDS",
    "Course",
    "Curve",
    "Excursion",
    "History",
    "Recent",
    "Stream",
    "slope_interval",
]
