"""Alert on losses that swing instead of settling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Gt

from neuroprism.core.records import TOTAL, Alert, Severity
from neuroprism.monitor.history import Course, History, slope_interval
from neuroprism.monitor.history.curve import FloatArray
from neuroprism.monitor.rules.progress import has_had_time
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.remedies import larger_batches, lower_rate
from neuroprism.monitor.rules.subjects import loss_columns, only_component, spell, total_column

_LEAST_STEPS = 128
_SHARE, _SHARE_WITH_SCHEDULE = 0.3, 0.6
_LARGEST_SHARE = 0.7
_N_COARSE = 12
_NEARLY_ALL = 0.9
_LEAST_RISES = 0.2
_BEYOND_NOISE = 3.0
# Of the correlation of successive changes of white noise, times the square root of their number.
_SD_OF_CORRELATION = 0.87


@rule("oscillation", at="course", confirm=2, yields_to=("non_finite", "explosion"))
def oscillation(
    history: History,
    *,
    severity: Severity = "warning",
    swing: Annotated[float, Gt(0)] = 0.1,
    swing_of_start: Annotated[float, Gt(0)] = 0.04,
    slow_swing: Annotated[float, Gt(0)] = 0.1,
    correlation: float = -0.2,
) -> Iterator[Alert]:
    """Find a total that swings instead of settling: steps are too long, or the order of the data drives it.

    The noise of batches is independent from step to step, so that changes which
    follow each other correlate by -0.5; swings do not look like that. A schedule
    that is still to lower the learning rate is waited for. Blind to swings that
    are small beside the loss of the beginning.

    Parameters
    ----------
    severity
        Of the alert.
    swing
        Standard deviation of single steps about the course, in units of the level.
    swing_of_start
        The same in units of the loss at the start.
    slow_swing
        Swing of the averages over many steps, in units of both, that counts whatever the correlation is.
    correlation
        Correlation of successive changes above which steps are not independent, if there
        are enough to tell; as far below -0.5 they alternate.
    """
    course, stream = history.stream.course, history.stream
    schedule = history.facts.schedule
    share = _SHARE if schedule is None or schedule.type == "constant" else _SHARE_WITH_SCHEDULE
    if course is None or not has_had_time(history, least_steps=_LEAST_STEPS, least_share=share):
        return
    total = total_column(history)
    if not _is_of_one_kind(history, total):
        return
    half = len(course.means) // 2
    spread, amplitude = _swings(course, total)
    level, start = abs(float(course.now[total])), abs(float(course.start[total]))
    if amplitude < swing * level or amplitude < swing_of_start * start:
        return
    serial = float(stream.curve.serial_correlation(half)[total])
    is_falling = _share_of_rises(course.means[half:, total]) < _LEAST_RISES
    n_rows = (len(course.means) - half) * stream.curve.bin_rows
    beyond = max(abs(correlation + 0.5), _BEYOND_NOISE * _SD_OF_CORRELATION / np.sqrt(n_rows))
    is_dependent = abs(serial + 0.5) > beyond
    of_noise = float(course.row_noise[total]) / np.sqrt(stream.curve.bin_rows)
    is_slow = spread > max(_BEYOND_NOISE * of_noise, slow_swing * start, slow_swing * level)
    if is_falling or not (is_dependent or is_slow):
        return
    yield Alert(
        rule="oscillation",
        kind="oscillation",
        severity=severity,
        component=_component_at_fault(history, course),
        step=stream.step,
        epoch=stream.epoch,
        message=(
            f"the total loss swings by {spell(amplitude)} about {spell(float(course.now[total]))}; it began "
            f"at {spell(float(course.start[total]))}, and its changes correlate by {serial:.2f} (noise: -0.5)"
        ),
        evidence={
            "total": float(course.now[total]),
            "start": float(course.start[total]),
            "swing": amplitude,
            "serial_correlation": serial,
            "thresholds": {"swing": swing * level, "swing_of_start": swing_of_start * start},
        },
        advice="; ".join([lower_rate(history, by=3), "shuffle the training data", larger_batches(history)]),
    )


def _is_of_one_kind(history: History, total: int) -> bool:
    """Tell whether all components are computed in every step, so that totals can be compared."""
    counts = history.stream.curve.counts().sum(axis=0)
    return bool(counts[:total].min() > _NEARLY_ALL * counts[total])


def _share_of_rises(means: FloatArray) -> float:
    """Return how much of the way of a coarse course goes up: 0 for one that only falls, 0.5 for swings."""
    factor = -(-len(means) // _N_COARSE)
    coarse = means[len(means) % factor :].reshape(-1, factor).mean(axis=1)
    changes = np.diff(coarse)
    way = float(np.abs(changes).sum())
    return float(np.maximum(changes, 0.0).sum()) / way if way > 0 else 0.5


def _swings(course: Course, column: int) -> tuple[float, float]:
    """Return the standard deviations of bins and of rows about a straight course, in the later half."""
    means = course.means[len(course.means) // 2 :, column]
    residuals = means - slope_interval(means)[0] * np.arange(len(means))
    spread = 1.4826 * float(np.median(np.abs(residuals - np.median(residuals))))
    return spread, float(np.hypot(spread, course.row_noise[column]))


def _component_at_fault(history: History, course: Course) -> str:
    """Return the component that makes up most of the swings, or the total."""
    alone = only_component(history)
    if alone is not None:
        return alone
    weights = [abs(component.weight) for component in history.components]
    swings = {name: weights[k] * _swings(course, k)[1] for name, k in loss_columns(history)}
    known = {name: value for name, value in swings.items() if np.isfinite(value)}
    name = max(known, key=lambda name: known[name], default=TOTAL)
    return name if known and known[name] >= _LARGEST_SHARE * sum(known.values()) else TOTAL
