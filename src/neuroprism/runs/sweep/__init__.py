"""Sweeps: every combination of some settings, with every seed, in processes side by side."""

from __future__ import annotations

from neuroprism.runs.sweep.config import SweepConfig
from neuroprism.runs.sweep.plan import PlannedRun, plan
from neuroprism.runs.sweep.processes import Children, Ended, Job
from neuroprism.runs.sweep.standing import Standing, check_same_settings, standing
from neuroprism.runs.sweep.table import sweep_table

__all__ = [
    "Children",
    "Ended",
    "Job",
    "PlannedRun",
    "Standing",
    "SweepConfig",
    "check_same_settings",
    "plan",
    "standing",
    "sweep_table",
]
