"""Watches a training loop: shows, records and judges every component of the loss.

Imports neither torch nor matplotlib; tensors are recognised where they exist.

Examples
--------
>>> from neuroprism.monitor import Monitor
>>> def train(folder, batches):
...     with Monitor(folder, {"signal": 1.0, "peak": 0.5}) as monitor:
...         for batch in batches:
...             monitor.step({"signal": batch + 1.0, "peak": batch})
...         return monitor.epoch().train["total"]
"""

from __future__ import annotations

from neuroprism.core.records import Alert, Component, EpochRecord, Gradients, RunRecord, TestRecord
from neuroprism.monitor.facts import RunFacts
from neuroprism.monitor.history import History
from neuroprism.monitor.monitor import Monitor
from neuroprism.monitor.reading import read_events, read_run, read_steps, run_status
from neuroprism.monitor.resume import ResumePoint
from neuroprism.monitor.rules import Rule, rule, rules
from neuroprism.monitor.silent import SilentMonitor
from neuroprism.monitor.sinks import Record, Sink
from neuroprism.monitor.window import StepWindow

__all__ = [
    "Alert",
    "Component",
    "EpochRecord",
    "Gradients",
    "History",
    "Monitor",
    "Record",
    "ResumePoint",
    "Rule",
    "RunFacts",
    "RunRecord",
    "SilentMonitor",
    "Sink",
    "StepWindow",
    "TestRecord",
    "read_events",
    "read_run",
    "read_steps",
    "rule",
    "rules",
    "run_status",
]
