"""Places where the record of a run goes."""

from __future__ import annotations

from neuroprism.monitor.sinks.events_file import EventsFile
from neuroprism.monitor.sinks.protocol import Record, Sink
from neuroprism.monitor.sinks.run_file import RunFile
from neuroprism.monitor.sinks.steps_file import StepsFile
from neuroprism.monitor.sinks.training_log import TrainingLog

__all__ = ["EventsFile", "Record", "RunFile", "Sink", "StepsFile", "TrainingLog"]
