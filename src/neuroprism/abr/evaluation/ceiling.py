"""How far a network is from the best that the noise allows, on simulated recordings.

The ideal observer knows everything that the simulator draws from, and how noisy each recording is. It is
slow, so it answers for some of the recordings; everything is measured on the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import numpy as np

from neuroprism.abr.answers import Answers, Floats
from neuroprism.abr.evaluation.comparison import MetricRow, compare, select
from neuroprism.abr.evaluation.material import without_labels
from neuroprism.abr.evaluation.metrics import METRICS
from neuroprism.abr.evaluation.score import Score
from neuroprism.abr.ideal_observer import IdealObserver
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError

CEILING = "ideal observer"
TASKS = ("presence", "latency", "amplitude", "class", "threshold")
"""Of single recordings."""


class CeilingResult(msgspec.Struct, kw_only=True, frozen=True):
    """The ceiling of each task of single recordings.

    Attributes
    ----------
    n, n_patients
        Recordings that were taken by chance, and patients that they are of.
    metrics
        All methods and the ideal observer on these recordings.
    """

    n: int
    n_patients: int
    metrics: list[MetricRow]


def ceiling_result(
    answers: Mapping[str, Answers],
    recordings: AbrRecordings,
    training: AbrRecordings,
    *,
    n_recordings: int,
    balanced: bool,
    seed: int,
    progress: bool = False,
) -> CeilingResult | str:
    """Return the ceiling, or one line on why there is none.

    Parameters
    ----------
    answers
        Of the other methods for all recordings.
    recordings, training
        Simulated, labelled.
    n_recordings
        How many recordings the ideal observer answers for.
    balanced
        Whether the methods weigh classes equally: then its class probabilities are divided by the
        shares of the classes, which is the best decision for balanced accuracy.
    seed
        Of the choice of recordings and of the observer.
    progress
        Whether to show a bar.
    """
    if not n_recordings:
        return "not asked for"
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(recordings))[:n_recordings])
    part = recordings.select(rows)
    try:
        observer = IdealObserver.of(part, seed=seed)
    except DataError as error:
        return str(error)
    found = observer.answer(without_labels(part), progress=progress)
    if balanced and found.class_probability is not None:
        found = replace(found, class_probability=_balanced(found.class_probability, training))
    given = {name: select(each, rows) for name, each in answers.items()}
    chosen = [metric for metric in METRICS if metric.task in TASKS]
    return CeilingResult(
        n=len(part),
        n_patients=part.n_patients,
        metrics=compare({**given, CEILING: found}, part, chosen),
    )


def on_all(row: MetricRow, whole: Score) -> Score | None:
    """Return what the ideal observer would reach on all recordings, as far as the network tells.

    The network's value on all recordings minus the difference of the two on those that both answered for:
    which recordings were taken by chance matters less for the difference than for the observer's own value.

    Parameters
    ----------
    row
        Metric on the recordings that both answered for.
    whole
        The network on all recordings.
    """
    apart = row.network_minus.get(CEILING)
    if apart is None:
        return None
    # No error is below 0, no share or area above 1.
    least, most = (0.0, np.inf) if row.better == "lower" else (-np.inf, 1.0)

    def reached(difference: float | None) -> float | None:
        return None if difference is None else float(np.clip(whole.value - difference, least, most))

    value = float(np.clip(whole.value - apart.value, least, most))
    return Score(
        value=value,
        low=reached(apart.high),
        high=reached(apart.low),
        n=apart.n,
        n_patients=apart.n_patients,
    )


def _balanced(probability: Floats, training: AbrRecordings) -> Floats:
    """Return the probabilities (N, K) that hold where all classes are equally frequent."""
    counts = np.array(list(training.class_counts().values()), dtype=np.float64)
    weighted = probability / np.maximum(counts, 1.0)
    result: Floats = weighted / weighted.sum(axis=1, keepdims=True)
    return result
