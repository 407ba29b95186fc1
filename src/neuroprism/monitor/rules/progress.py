"""Whether a series has improved, and by how much: what several rules ask before they speak.

A structural symptom alone is no alarm: it is reported where the affected series
does not improve. Improvement is judged against the series' own noise and against
its own size, never in absolute units.
"""

from __future__ import annotations

import numpy as np

from neuroprism.monitor.history import Course, History
from neuroprism.monitor.history.curve import FloatArray

_NOISES, _HIDDEN = 3.0, 2.0
_SE_OF_THREE, _SE_OF_EIGHT = 0.67, 0.44
_LEAST_ROWS, _LEAST_SPARSE_ROWS = 24, 8
_SPARSE = 5.0
_TRIFLE, _WORTH_LOSING = 0.01, 0.15


def share_of_run(history: History) -> float | None:
    """Return how much of the planned run is over, None where its length is not known."""
    if history.ended:
        return 1.0
    n_epochs, per_epoch = history.facts.n_epochs, steps_per_epoch(history)
    if not n_epochs:
        return None
    if not per_epoch:
        # Before the first epoch is closed the run is in it.
        return 1 / n_epochs if n_epochs > 1 else None
    return history.stream.step / (n_epochs * per_epoch)


def steps_per_epoch(history: History) -> float:
    """Return the optimizer steps of an epoch, 0 before they are known."""
    if history.facts.steps_per_epoch:
        return float(history.facts.steps_per_epoch)
    closed = history.all_epochs
    return closed[-1].step / closed[-1].epoch if closed and closed[-1].epoch else 0.0


def has_had_time(history: History, *, least_steps: int, least_share: float = 0.2) -> bool:
    """Tell whether a run has been long enough to expect something of it.

    Enough steps at full learning rate, and a share of the planned run; a run
    that has ended gets no more time, if it had half of these steps. Rows that
    stand for many steps, as means of epochs do, may be few.
    """
    course = history.stream.course
    rows = course.rows_at_full_rate if course is not None else 0
    spacing = steps_per_row(history)
    steps = rows * spacing
    if rows < (_LEAST_SPARSE_ROWS if spacing >= _SPARSE else _LEAST_ROWS):
        return False
    if history.ended:
        return steps >= least_steps / 2
    share = share_of_run(history)
    return steps >= least_steps and (share is None or share >= least_share)


def steps_per_row(history: History) -> float:
    """Return the optimizer steps that a row stands for: more than one in a log that was kept now and then."""
    stream = history.stream
    logged = stream.step / stream.n_rows if stream.n_rows else 1.0
    return max(1.0, logged, history.facts.steps_per_row)


def has_lost(course: Course, column: int, *, part: float) -> bool:
    """Tell whether a series has given back a part of what it had gained at its best."""
    best, gained = float(course.best[column]), float(course.start[column] - course.best[column])
    if not gained > _WORTH_LOSING * abs(float(course.start[column])):
        return False
    return float(course.now[column]) - best > max(part * gained, 4.0 * noise_of_level(course, column))


def noise_of_level(course: Course, column: int) -> float:
    """Return the standard error of the level now: of the mean of the later bins."""
    n_late = max(3, len(course.means) // 8)
    return float(course.noise[column] / np.sqrt(n_late))


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
    if not gain > least_gain * abs(start):
        return False
    # The start is the median of three rows, or of eight, with their noise.
    level, rows = noise_of_level(course, column), float(course.row_noise[column])
    is_certain = gain > _NOISES * float(np.hypot(level, _SE_OF_THREE * rows)) or float(
        course.early[column] - course.now[column]
    ) > _NOISES * float(np.hypot(level, _SE_OF_EIGHT * rows))
    return is_certain or bool(course.has_fallen[column])


def largest_gain(course: Course, column: int) -> float:
    """Return the gain since the first eight rows, with what noise may hide of it added."""
    noise = float(np.hypot(noise_of_level(course, column), _SE_OF_EIGHT * course.row_noise[column]))
    return float(course.early[column] - course.now[column]) + _HIDDEN * noise


def still_falls(course: Course, column: int) -> bool:
    """Tell whether a series certainly falls in the later half of the run, by more than a trifle."""
    if not course.is_falling[column]:
        return False
    middle = float(course.means[len(course.means) // 2, column])
    size = min(abs(float(course.start[column])), abs(float(course.now[column])))
    return middle - float(course.now[column]) > _TRIFLE * size


def is_flat(course: Course, column: int, *, least_gain: float) -> bool:
    """Tell whether a series has certainly gained less than this since the first quarter of the run."""
    n = max(3, len(course.means) // 4)
    first = float(course.means[:n, column].mean())
    noise = float(np.hypot(noise_of_level(course, column), course.noise[column] / np.sqrt(n)))
    size = max(abs(float(course.start[column])), abs(float(course.now[column])))
    return first - float(course.now[column]) + _HIDDEN * noise < least_gain * size


def is_without_noise(course: Course, column: int) -> bool:
    """Tell whether a series moves smoothly, as a function of the weights alone does, e.g. a penalty."""
    level = max(abs(float(course.now[column])), abs(float(course.start[column])))
    return float(course.row_noise[column]) < 1e-3 * level


def noise_of(values: FloatArray) -> float:
    """Return the standard deviation of a few values about a smooth course through them."""
    if len(values) < 3:
        return 0.0
    bends = values[1:-1] - (values[:-2] + values[2:]) / 2
    return float(1.4826 * np.median(np.abs(bends)) / np.sqrt(1.5))


def latest_validation(history: History, name: str, n: int = 1) -> list[float]:
    """Return the last `n` validation losses of a component or the total, fewer where there are fewer."""
    values = [epoch.val[name] for epoch in history.all_epochs if name in epoch.val]
    return values[-n:]
