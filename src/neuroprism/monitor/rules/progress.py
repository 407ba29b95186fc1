"""Whether a series has improved, and by how much: what several rules ask before they speak.

A structural symptom alone is no alarm: it is reported where the affected series
does not improve. Improvement is judged against the series' own noise and against
its own size, never in absolute units.
"""

from __future__ import annotations

import numpy as np

from neuroprism.monitor.history import LR, Course, History, slope_interval

_NOISES = 3.0
_FULL_RATE = 0.5


def rows_at_full_rate(history: History) -> int:
    """Return the rows since the learning rate first reached half of its highest value so far.

    A run that is warming up cannot be expected to improve yet. Without recorded
    rates all rows count.
    """
    stream = history.stream
    rates = stream.curve.means()[:, stream.index(LR)]
    known = rates[~np.isnan(rates)]
    if not len(known) or known.max() <= 0:
        return stream.n_rows
    first = int(np.flatnonzero(~np.isnan(rates) & (rates >= _FULL_RATE * known.max()))[0])
    return stream.n_rows - first * stream.curve.bin_rows


def share_of_run(history: History) -> float | None:
    """Return how much of the planned run is over, None where its length is not known."""
    if history.ended:
        return 1.0
    facts, closed = history.facts, history.all_epochs
    if not facts.n_epochs:
        return None
    per_epoch = facts.steps_per_epoch or (closed[-1].step / closed[-1].epoch if closed and closed[-1].epoch else 0)
    return history.stream.n_rows / (facts.n_epochs * per_epoch) if per_epoch else None


def has_had_time(history: History, *, least_steps: int, least_share: float = 0.2) -> bool:
    """Tell whether a run has been long enough to expect something of it.

    Enough steps at full learning rate, and a share of the planned run; a run
    that has ended gets no more time, if it had half of these steps.
    """
    rows = rows_at_full_rate(history)
    if history.ended:
        return rows >= least_steps // 2
    share = share_of_run(history)
    return rows >= least_steps and (share is None or share >= least_share)


def has_lost(course: Course, column: int, *, part: float) -> bool:
    """Tell whether a series has given back a part of what it had gained at its best."""
    best, gained = float(course.best[column]), float(course.start[column] - course.best[column])
    return float(course.now[column]) - best > max(part * gained, 4.0 * noise_of_level(course, column))


def noise_of_level(course: Course, column: int) -> float:
    """Return the standard error of the level now: of the mean of the later bins."""
    n_late = max(3, len(course.means) // 8)
    return float(course.noise[column]) / np.sqrt(n_late)


def has_improved(course: Course, column: int, *, least_gain: float) -> bool:
    """Tell whether a series is clearly lower than at its start.

    Parameters
    ----------
    course
        Of the run.
    column
        Of the series.
    least_gain
        Gain in units of the start's size below which it counts as none.
    """
    gain, start = float(course.gain[column]), float(course.start[column])
    return gain > max(_NOISES * noise_of_level(course, column), least_gain * abs(start))


def is_falling(course: Course, column: int, *, z: float = 3.0) -> bool:
    """Tell whether the later half of a series has a slope that is certainly negative."""
    half = course.means[len(course.means) // 2 :, column]
    return slope_interval(half, z)[2] < 0


def is_rising(course: Course, column: int, *, z: float = 3.0) -> bool:
    """Tell whether the later half of a series has a slope that is certainly positive."""
    half = course.means[len(course.means) // 2 :, column]
    return slope_interval(half, z)[1] > 0


def is_without_noise(course: Course, column: int) -> bool:
    """Tell whether a series moves smoothly, as a function of the weights alone does, e.g. a penalty."""
    level = max(abs(float(course.now[column])), abs(float(course.start[column])))
    return float(course.row_noise[column]) < 1e-3 * level


def latest_validation(history: History, name: str, n: int = 1) -> list[float]:
    """Return the last `n` validation losses of a component or the total, fewer where there are fewer."""
    values = [epoch.val[name] for epoch in history.all_epochs if name in epoch.val]
    return values[-n:]
