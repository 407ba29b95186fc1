"""Statistics of the answers of a method, ready to be resampled by patient.

A measure takes the answers and the labelled recordings; the functions below make one from a formula.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Answers, Floats
from neuroprism.abr.evaluation.samples import class_answers, labelled, truth
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.metrics import ranking, resampling
from neuroprism.metrics.intervals import Draws, Statistic

Labels = NDArray[np.int64]
Patients = NDArray[np.str_]

_ROUNDING = 1e-6
"""Labels are float32: errors that are meant to be at a limit may exceed it by as much."""


@dataclass(frozen=True)
class Measured:
    """A statistic and the patients of its samples, (N,)."""

    statistic: Statistic
    patients: Patients


Measure = Callable[[Answers, AbrRecordings], Measured | None]
"""None where the method does not answer, or no recording has the label."""

OfCounts = Callable[[Floats], Floats]
"""Formula of `neuroprism.metrics.confusion`: counts (R, K, K) to values (R,)."""

OfErrors = Callable[[Floats, Floats, Patients], Statistic]
"""Answers (n,), labels (n,) and patients (n,) to a statistic."""


def detection(formula: OfCounts) -> Measure:
    """Measure the decision whether wave V is there; counts are (R, 2, 2)."""

    def measure(answers: Answers, recordings: AbrRecordings) -> Measured | None:
        rows = np.flatnonzero(recordings.v_mask)
        if answers.v_present is None or not len(rows):
            return None
        found, there = (column[rows].astype(np.int64) for column in (answers.v_present, recordings.v_present))
        patients = recordings.patient_id[rows]
        return Measured(resampling.of_counts(formula, found, there, patients, 2), patients)

    return measure


def detection_area(answers: Answers, recordings: AbrRecordings) -> Measured | None:
    """Measure the order of the recordings by the score of wave V: the area under the ROC curve."""
    rows = np.flatnonzero(recordings.v_mask)
    if answers.v_score is None or not len(rows):
        return None
    patients, there = recordings.patient_id[rows], recordings.v_present[rows].astype(np.int64)
    return Measured(resampling.of_ranking(ranking.roc_area, answers.v_score[rows], there, patients), patients)


def errors(quantity: str, formula: OfErrors) -> Measure:
    """Measure the errors of a quantity, named as in `Answers`."""

    def measure(answers: Answers, recordings: AbrRecordings) -> Measured | None:
        given, rows = getattr(answers, quantity), labelled(recordings, quantity)
        if given is None or not len(rows):
            return None
        patients = recordings.patient_id[rows]
        return Measured(formula(given[rows], truth(recordings, quantity)[rows], patients), patients)

    return measure


def mean_absolute(given: Floats, true: Floats, patients: Patients) -> Statistic:
    """Return the mean absolute error."""
    return resampling.mean(np.abs(given - true), patients)


def mean_signed(given: Floats, true: Floats, patients: Patients) -> Statistic:
    """Return the mean of answer minus label."""
    return resampling.mean(given - true, patients)


def share_within(limit: float) -> OfErrors:
    """Return the share of answers that are at most `limit` off."""

    def formula(given: Floats, true: Floats, patients: Patients) -> Statistic:
        return resampling.mean(_near(given, true, limit).astype(np.float64), patients)

    return formula


def found_within(limit_ms: float) -> Measure:
    """Measure how often wave V is detected and placed: one that was missed counts as wrong."""

    def measure(answers: Answers, recordings: AbrRecordings) -> Measured | None:
        rows = labelled(recordings, "latency_ms")
        if answers.latency_ms is None or answers.v_present is None or not len(rows):
            return None
        near = _near(answers.latency_ms[rows], truth(recordings, "latency_ms")[rows], limit_ms)
        patients = recordings.patient_id[rows]
        right = (near & answers.v_present[rows]).astype(np.float64)
        return Measured(resampling.mean(right, patients), patients)

    return measure


def _near(given: Floats, true: Floats, limit: float) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.abs(given - true) <= limit + _ROUNDING
    return near


def decided_class(formula: OfCounts, *, of_ear: bool) -> Measure:
    """Measure the most probable class of recordings, or of ears; counts are (R, K, K)."""

    def build(probability: Floats, target: Labels, patients: Patients) -> Statistic:
        chosen = probability.argmax(axis=1)
        return resampling.of_counts(formula, chosen, target, patients, probability.shape[1])

    return _classes(build, of_ear=of_ear)


def class_area(*, of_ear: bool) -> Measure:
    """Measure the mean, over the classes that occur, of the ROC area of a class against all others."""

    def build(probability: Floats, target: Labels, patients: Patients) -> Statistic:
        areas = [
            resampling.of_ranking(
                ranking.roc_area, probability[:, label], (target == label).astype(np.int64), patients
            )
            for label in np.unique(target)
        ]
        return lambda draws: _mean_of_defined(np.stack([area(draws) for area in areas]))

    return _classes(build, of_ear=of_ear)


def _classes(build: Callable[[Floats, Labels, Patients], Statistic], *, of_ear: bool) -> Measure:
    def measure(answers: Answers, recordings: AbrRecordings) -> Measured | None:
        if answers.class_probability is None:
            return None
        rows, probability = class_answers(answers.class_probability, recordings, of_ear=of_ear)
        if not len(rows):
            return None
        patients = recordings.patient_id[rows]
        return Measured(build(probability, recordings.hearing_class[rows], patients), patients)

    return measure


def _mean_of_defined(values: Floats) -> Draws:
    defined = np.isfinite(values)
    total, n = np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0)
    mean: Any = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    result: Draws = mean
    return result
