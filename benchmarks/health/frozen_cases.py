"""The frozen half of the health benchmark: cases on which no threshold is chosen."""

from __future__ import annotations

import frozen_faulty_balance
import frozen_faulty_course
import frozen_faulty_dead
import frozen_faulty_outright
import frozen_faulty_pace
import frozen_faulty_still
import frozen_healthy_models
import frozen_healthy_signals
from case import Case

CASES: tuple[Case, ...] = (
    frozen_healthy_signals.CASES
    + frozen_healthy_models.CASES
    + frozen_faulty_outright.CASES
    + frozen_faulty_still.CASES
    + frozen_faulty_balance.CASES
    + frozen_faulty_dead.CASES
    + frozen_faulty_course.CASES
    + frozen_faulty_pace.CASES
)
