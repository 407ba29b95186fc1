"""All cases of a half of the health benchmark."""

from __future__ import annotations

from collections import Counter
from importlib import import_module

from case import Case, Half

TUNING = (
    "tuning_healthy",
    "tuning_healthy_multi",
    "tuning_faulty",
    "tuning_faulty_dynamics",
    "tuning_faulty_tasks",
    "tuning_faulty_balance",
    "tuning_faulty_course",
    "tuning_faulty_pace",
    "further_healthy",
    "further_healthy_multi",
    "further_faulty",
    "further_faulty_balance",
    "further_faulty_still",
    "further_faulty_dead",
    "further_faulty_course",
)


def cases_of(half: Half) -> list[Case]:
    """Return the cases of a half.

    Raises
    ------
    ValueError
        If two cases carry the same name.
    """
    modules = ("frozen_cases",) if half == "frozen" else TUNING
    cases: list[Case] = [case for name in modules for case in import_module(name).CASES]
    twice = [name for name, count in Counter(case.name for case in cases).items() if count > 1]
    if twice:
        raise ValueError(f"{half} half: the same name for several cases: {', '.join(twice)}")
    return cases
