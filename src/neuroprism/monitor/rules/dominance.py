"""Alert on one component that drowns the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from neuroprism.core.records import Alert, Severity
from neuroprism.monitor.history import History
from neuroprism.monitor.history.curve import FloatArray
from neuroprism.monitor.rules.progress import has_had_time, share_of_run
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.remedies import weight
from neuroprism.monitor.rules.subjects import name_of

_N_GRADIENTS = 5
_K_GRADIENTS = 3
_LEAST_BINS = 6
_LATE_SHARE = 0.35
_LONG = 256
_RISEN = 0.3


@rule(
    "dominance",
    at=("course", "gradients"),
    needs=("several_components",),
    confirm=2,
    yields_to=("non_finite", "explosion", "stall", "dead_component"),
)
def dominance(
    history: History,
    *,
    severity: Severity = "warning",
    loss_share: Annotated[float, Gt(0)] = 0.88,
    gradient_share: Annotated[float, Gt(0)] = 0.9,
    learnt: Annotated[float, Gt(0)] = 0.75,
    least_steps: Annotated[int, Ge(8)] = 64,
) -> Iterator[Alert]:
    """Find a component that is nearly all of the weighted total, or of the gradient on shared parameters.

    One beside which the others are learnt all the same is no fault, nor is one
    beside penalties that rise. Where gradients were taken apart they decide;
    otherwise the shares of the total do, from the beginning on.

    Parameters
    ----------
    severity
        Of the alert.
    loss_share
        Share of the total, in the first steps and in all of the run.
    gradient_share
        Share of the gradient norms, in three of the last five looks.
    learnt
        Gain in units of the start's size from which on another component counts as learnt.
    least_steps
        Steps at full learning rate before anything is said.
    """
    weights = np.array([abs(component.weight) for component in history.components])
    if len(weights) < 2 or not weights.sum() > 0:
        return
    if not has_had_time(history, least_steps=least_steps, least_share=0.1):
        return
    shares = _loss_shares(history, weights)
    gradients = _gradient_shares(history, weights)
    for k in range(len(history.components)):
        in_loss = (
            shares is not None
            and len(shares) >= _LEAST_BINS
            and has_had_time(
                history,
                least_steps=least_steps if share_of_run(history) is not None else _LONG,
                least_share=_LATE_SHARE,
            )
            and _is_high(shares[:, k], loss_share)
        )
        in_gradient = None
        if len(gradients) >= _K_GRADIENTS:
            in_gradient = int((gradients[-_N_GRADIENTS:, k] >= gradient_share).sum()) >= _K_GRADIENTS
        if not (in_loss if in_gradient is None else in_gradient) or _others_learn(history, k, learnt):
            continue
        yield _alert(
            history,
            severity,
            k,
            loss=None if shares is None else float(np.median(shares[-3:, k])),
            gradient=None if in_gradient is None else float(np.median(gradients[-_N_GRADIENTS:, k])),
            limits={"loss_share": loss_share, "gradient_share": gradient_share},
        )
        return


def _others_learn(history: History, k: int, learnt: float) -> bool:
    """Tell whether every other component that began above zero has been learnt."""
    course = history.stream.course
    if course is None:
        return False
    gains = [
        float(course.relative_gain[column])
        for column, component in enumerate(history.components)
        if column != k and component.weight != 0 and course.start[column] != 0
    ]
    # What rises from the start is traded against the others, as a penalty is, and not starved.
    return all(np.isnan(gain) or gain >= learnt or gain < -_RISEN for gain in gains)


def _loss_shares(history: History, weights: FloatArray) -> FloatArray | None:
    """Return the (bins + 1, K) weighted shares of the total, those of the first steps in front."""
    course, n = history.stream.course, len(history.components)
    if course is None:
        return None
    levels = np.concatenate([course.start[None, :n], course.means[:, :n]])
    parts = np.nan_to_num(np.abs(levels) * weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: FloatArray = parts / parts.sum(axis=1, keepdims=True)
    return shares


def _gradient_shares(history: History, weights: FloatArray) -> FloatArray:
    """Return the (looks, K) weighted shares of the gradient norms."""
    names = [component.name for component in history.components]
    norms = np.array([[record.norms.get(name, 0.0) for name in names] for record in history.gradients])
    if not norms.size:
        return np.empty((0, len(names)))
    parts = norms * weights
    sums = parts.sum(axis=1)
    shares: FloatArray = parts[sums > 0] / sums[sums > 0, None]
    return shares


def _is_high(shares: FloatArray, limit: float) -> bool:
    """Tell whether a share is high in the first steps and, but for one bin in ten, in the whole run."""
    return bool(shares[0] >= limit and np.mean(shares >= limit) >= 0.9)


def _alert(
    history: History,
    severity: Severity,
    k: int,
    *,
    loss: float | None,
    gradient: float | None,
    limits: dict[str, float],
) -> Alert:
    component, stream = history.components[k], history.stream
    parts = [
        f"{share:.0%} of {what}"
        for share, what in ((loss, "the total"), (gradient, "the gradient on the shared parameters"))
        if share is not None
    ]
    largest = max(share for share in (loss, gradient) if share is not None)
    # The factor that would leave it an even share beside the others.
    others = len(history.components) - 1
    even = (1 - min(largest, 0.999)) / (others * min(largest, 0.999))
    return Alert(
        rule="dominance",
        kind="dominance",
        severity=severity,
        component=component.name,
        step=stream.step,
        epoch=stream.epoch,
        message=f"{name_of(component.name)} makes up {' and '.join(parts)}: the others hardly count",
        evidence={"loss_share": loss, "gradient_share": gradient, "thresholds": limits},
        advice=(
            f"{weight(history, component.name, by=even)}, or standardise its targets; `neuroprism "
            "suggest-weights` proposes weights from the recorded gradients"
        ),
    )
