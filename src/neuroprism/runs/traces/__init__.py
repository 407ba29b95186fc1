"""Logs of training runs, of this project and others, in the form in which alert rules look at them."""

from __future__ import annotations

from neuroprism.runs.traces.open_trace import read_trace
from neuroprism.runs.traces.trace import Trace

__all__ = ["Trace", "read_trace"]
