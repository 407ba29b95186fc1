"""Alert on two components that pull the shared parameters in opposite directions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from neuroprism.core.records import Alert, Gradients, Severity
from neuroprism.monitor.history import History
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.subjects import spell


@rule("gradient_conflict", at="gradients", needs=("gradients", "several_components"))
def gradient_conflict(
    history: History,
    *,
    severity: Severity = "info",
    threshold: Annotated[float, Ge(-1), Le(0)] = -0.3,
    looks: Annotated[int, Ge(1)] = 5,
    conflicts: Annotated[int, Ge(1)] = 3,
) -> Iterator[Alert]:
    """Report two components whose gradients on the shared parameters persistently oppose each other.

    The component is the one of the pair whose weighted gradient is the smaller: it
    loses. Blind between two looks and to conflicts within one component.

    Parameters
    ----------
    severity
        Of the alert.
    threshold
        Cosine between two gradients below which they conflict.
    looks
        Last looks at the gradients that are judged.
    conflicts
        Looks among them in which a pair must conflict.
    """
    latest = history.gradients[-looks:]
    weights = {c.name: abs(c.weight) for c in history.components}
    worst: dict[str, tuple[float, str, list[float]]] = {}
    for pair in combinations(weights, 2):
        name = "|".join(pair)
        values = [record.cosines[name] for record in latest if name in record.cosines]
        if sum(value < threshold for value in values) < conflicts or not all(weights[n] for n in pair):
            continue
        weaker = min(pair, key=lambda one: weights[one] * _norm(latest, one))
        stronger = pair[1] if weaker == pair[0] else pair[0]
        median = float(np.median(values))
        if weaker not in worst or median < worst[weaker][0]:
            worst[weaker] = (median, stronger, values)
    for weaker, (median, stronger, values) in worst.items():
        n = sum(value < threshold for value in values)
        yield Alert(
            rule="gradient_conflict",
            kind="gradient_conflict",
            severity=severity,
            component=weaker,
            step=latest[-1].step,
            epoch=latest[-1].epoch,
            message=(
                f"the gradients of '{weaker}' and '{stronger}' oppose each other: cosine {spell(median)} "
                f"(median), below {threshold:g} in {n} of the last {len(values)} looks"
            ),
            evidence={
                "pair": [weaker, stronger],
                "cosines": values,
                "norms": {name: _norm(latest, name) for name in (weaker, stronger)},
                "threshold": threshold,
            },
            advice=(
                f"'{weaker}' has the smaller weighted gradient of the pair '{weaker}' and '{stronger}' and "
                "loses where they disagree: raise its key in loss.weights, or set loss.balancing to upgrad, "
                "which lets no component lose"
            ),
        )


def _norm(records: tuple[Gradients, ...], name: str) -> float:
    """Return the median gradient norm of a component, 0 where it has none."""
    norms = [record.norms[name] for record in records if name in record.norms]
    return float(np.median(norms)) if norms else 0.0
