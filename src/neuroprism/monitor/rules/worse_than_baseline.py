"""Alert on components that a constant predictor beats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from neuroprism.core.records import Alert, Severity
from neuroprism.monitor.history import History
from neuroprism.monitor.rules.progress import latest_validation
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.remedies import weight
from neuroprism.monitor.rules.subjects import name_of, spell


@rule(
    "worse_than_baseline",
    at="epoch",
    needs=("validation", "baselines"),
    yields_to=("non_finite", "explosion", "stall", "task_stall", "vanishing_gradient", "overfitting"),
)
def worse_than_baseline(
    history: History,
    *,
    severity: Severity = "warning",
    margin: Annotated[float, Gt(0)] = 0.05,
    evaluations: Annotated[int, Ge(2)] = 3,
    least_share: Annotated[float, Ge(0)] = 0.3,
) -> Iterator[Alert]:
    """Find a component whose validation loss stays above what its best constant predictor reaches.

    Parameters
    ----------
    severity
        Of the alert.
    margin
        Distance to the baseline, in units of its size, that counts as above.
    evaluations
        Last evaluations that must all be above, without getting nearer.
    least_share
        Share of the planned epochs before anything is said.
    """
    epochs = history.all_epochs
    planned = history.facts.n_epochs
    if not epochs or (planned and epochs[-1].epoch < least_share * planned):
        return
    for component in history.components:
        if component.baseline is None or component.weight == 0:
            continue
        values = latest_validation(history, component.name, n=evaluations)
        limit = component.baseline + margin * abs(component.baseline)
        if len(values) < evaluations or not np.isfinite(values).all() or min(values) <= limit:
            continue
        if values[-1] - component.baseline < 0.9 * (values[0] - component.baseline):
            continue
        yield Alert(
            rule="worse_than_baseline",
            kind="worse_than_baseline",
            severity=severity,
            component=component.name,
            step=epochs[-1].step,
            epoch=epochs[-1].epoch,
            message=(
                f"the validation loss of {name_of(component.name)} is {spell(values[-1])}; a constant "
                f"predictor reaches {spell(component.baseline)}"
            ),
            evidence={"val": values, "baseline": component.baseline, "threshold": limit},
            advice=(
                "check units and scaling of its targets and that validation data are prepared as training "
                f"data are; {weight(history, component.name, by=2)}; raise training.optimizer.weight_decay "
                "or dropout"
            ),
        )
