"""The parts that a total loss consists of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from neuroprism.core.records import Component


def weighted_parts(
    components: Iterable[Component], values: Mapping[str, float], weights: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return ``weight x value`` of every computed component; their sum is the total.

    A component absent from `weights` has its own weight.
    """
    given = weights or {}
    return {c.name: given.get(c.name, c.weight) * values[c.name] for c in components if c.name in values}


def shares(parts: Mapping[str, float]) -> dict[str, float]:
    """Return each part's share of the total by magnitude, ``|part| / sum |parts|``.

    Magnitudes keep the shares between 0 and 1 where a component is negative.
    Empty where the parts are not finite or all zero: there is no share then.
    """
    whole = sum(abs(part) for part in parts.values())
    if not math.isfinite(whole) or whole == 0:
        return {}
    return {name: abs(part) / whole for name, part in parts.items()}
