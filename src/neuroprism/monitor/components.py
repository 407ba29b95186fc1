"""The components of a loss: declaring them, adding them up."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from neuroprism.core.records import TOTAL, Component, check_names, weighted_total
from neuroprism.monitor.scalars import floats

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def as_components(components: Sequence[Component] | Mapping[str, float]) -> tuple[Component, ...]:
    """Return checked components; a mapping gives their weights by name.

    Raises
    ------
    ValueError
        If there is none, a name stands twice or is reserved, or a weight is not finite.
    """
    if isinstance(components, Mapping):
        components = [Component(name=n, label=n, weight=float(w)) for n, w in components.items()]
    checked = tuple(components)
    if not checked:
        raise ValueError("a monitor needs at least one loss component")
    names = [component.name for component in checked]
    for component in checked:
        if not component.name or component.name == TOTAL:
            raise ValueError(f"'{component.name}' cannot name a loss component")
        if _LONE_SURROGATE.search(component.name + component.label):
            raise ValueError(f"{component.name!r} cannot name a loss component: no file can hold it")
        if names.count(component.name) > 1:
            raise ValueError(f"loss component '{component.name}' stands twice")
        if not math.isfinite(component.weight):
            raise ValueError(f"weight of loss component '{component.name}' is {component.weight}")
    return checked


def combine(components: Sequence[Component], losses: Mapping[str, Any]) -> Any:
    """Return ``sum(weight x loss)`` over all components, differentiable where the losses are.

    Raises
    ------
    UnknownNameError
        If a name is no component.
    ValueError
        If a component is missing.
    """
    check_names(components, losses)
    missing = [c.name for c in components if c.name not in losses]
    if missing:
        raise ValueError(f"losses lack {', '.join(missing)}; pass an exact zero for a masked component")
    total = components[0].weight * losses[components[0].name]
    for component in components[1:]:
        total = total + component.weight * losses[component.name]
    return total


def with_total(components: Sequence[Component], losses: Mapping[str, Any] | None) -> dict[str, float]:
    """Return losses as floats, with their total in front; empty without losses.

    Raises
    ------
    UnknownNameError
        If a name is no component.
    ValueError
        If the total is among them, or a value is not one number.
    """
    if not losses:
        return {}
    if TOTAL in losses:
        raise ValueError(f"the total follows from the components; leave '{TOTAL}' out")
    check_names(components, losses)
    values = floats(losses, "loss component")
    return {TOTAL: weighted_total(components, values), **values}
