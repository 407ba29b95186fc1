"""What rules speak about: components with their columns, and how numbers are spelled."""

from __future__ import annotations

import math
from collections.abc import Iterator

from neuroprism.core.records import TOTAL
from neuroprism.monitor.history import History


def loss_columns(history: History) -> Iterator[tuple[str, int]]:
    """Yield every component with its column in the stream."""
    for k, component in enumerate(history.components):
        yield component.name, k


def total_column(history: History) -> int:
    """Return the column of the total."""
    return len(history.components)


def only_component(history: History) -> str | None:
    """Return the one component of the loss, None where there are several: the whole run is meant then."""
    return history.components[0].name if len(history.components) == 1 else None


def name_of(component: str | None) -> str:
    """Return how a message names a component or the total."""
    return "the total loss" if component in (None, TOTAL) else f"loss component '{component}'"


def spell(value: float) -> str:
    """Return a number in four digits, or the word for a non-finite one."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    return f"{value:.4g}"
