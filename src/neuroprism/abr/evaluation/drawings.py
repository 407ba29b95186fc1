"""The figures of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroprism.abr.answers import Answers, Floats
from neuroprism.abr.columns import WAVE_V
from neuroprism.abr.evaluation.ceiling import CEILING, on_all
from neuroprism.abr.evaluation.comparison import NETWORK, MetricRow
from neuroprism.abr.evaluation.evaluation import Evaluated, Evaluation
from neuroprism.abr.evaluation.metrics import HEADLINES
from neuroprism.abr.evaluation.samples import labelled, truth
from neuroprism.abr.evaluation.score import Score
from neuroprism.abr.level_series import example_ears
from neuroprism.abr.pictures import latency_intensity
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError
from neuroprism.figures.calibration import Coverage, Reliability, plot_calibration
from neuroprism.figures.confusion import plot_confusion
from neuroprism.figures.forest import MetricPanel, MetricValue, plot_forest
from neuroprism.figures.predicted_against_true import PredictedAgainstTrue, plot_predicted_against_true
from neuroprism.figures.predicted_waves import PredictedSeries, plot_predicted_waves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTITIES = {
    "latency_ms": ("latency of wave V", "ms"),
    "amplitude_uv": ("amplitude of wave V", "uV"),
    "threshold_db_nhl": ("threshold", "dB nHL"),
}


@dataclass(frozen=True)
class Drawing:
    """A figure, the name of its file without ending, and the text that stands for it."""

    name: str
    text: str
    figure: Figure


def drawings(evaluated: Evaluated, test: AbrRecordings) -> Iterator[Drawing]:
    """Draw every figure that the labels of the recordings allow, one after the other.

    Parameters
    ----------
    evaluated
        Numbers and predictions.
    test
        The recordings that they are of.
    """
    result, predictions = evaluated.result, evaluated.predictions
    yield Drawing("methods", "Network, simple methods and their intervals, by task", _methods(result))
    if test.signal_unit == "uV":
        text = "Recorded traces with predicted and true wave V, one ear of each class"
        yield Drawing("predicted_waves", text, plot_predicted_waves(_series(predictions, test)))
    panels = [_against(evaluated.answers, test, quantity) for quantity in QUANTITIES]
    known = [panel for panel in panels if panel is not None]
    if known:
        yield Drawing("predicted_against_true", "Predicted over true", plot_predicted_against_true(known))
    if result.intervals or result.reliability:
        yield Drawing(
            "calibration", "Probabilities and intervals against what happened", _calibration(evaluated)
        )
    if result.confusion is not None:
        counts, names = np.array(result.confusion.recordings), result.confusion.class_names
        yield Drawing("confusion", "Confusion of classes, recordings", plot_confusion(counts, names))
    yield from _latency_intensity(predictions, test)


def _latency_intensity(predictions: AbrPredictions, test: AbrRecordings) -> Iterator[Drawing]:
    latency = np.full_like(test.wave_latency_ms, np.nan)
    latency[:, WAVE_V] = np.where(predictions.v_present, predictions.latency_ms.value, np.nan)
    n = len(test)
    predicted = replace(
        test,
        wave_latency_ms=latency,
        v_present=predictions.v_present,
        v_marked=np.ones(n, dtype=np.bool_),
        hearing_class=predictions.class_probability.argmax(axis=1),
    )
    for name, text, recordings in (
        (
            "latency_intensity_predicted",
            "Predicted latency by level and predicted class over norms",
            predicted,
        ),
        ("latency_intensity_true", "True latency by class over norms", test),
    ):
        try:
            figure = latency_intensity(recordings)
        except DataError:
            # Too few latencies to draw is no fault of an evaluation.
            continue
        yield Drawing(name, text, figure)


def _methods(result: Evaluation) -> Figure:
    rows = {row.name: row for row in result.metrics}
    ceiling = {row.name: row for row in result.ceiling.metrics} if result.ceiling else {}
    panels = [_panel(rows[name], ceiling.get(name)) for name in HEADLINES.values() if name in rows]
    kinds: dict[str, Any] = {method.name: method.kind for method in result.methods}
    return plot_forest(panels, {**kinds, **({CEILING: "ceiling"} if ceiling else {})})


def _panel(row: MetricRow, ceiling: MetricRow | None) -> MetricPanel:
    scores: Mapping[str, Score] = row.scores
    limit = None if ceiling is None else on_all(ceiling, row.scores[NETWORK])
    if limit is not None:
        scores = {**scores, CEILING: limit}
    return MetricPanel(
        metric=f"{row.task}: {row.label}",
        unit=row.unit,
        better="higher" if row.better == "higher" else "lower",
        values={name: MetricValue(score.value, *_bounds(score)) for name, score in scores.items()},
    )


def _bounds(score: Score) -> tuple[float, float]:
    return (
        np.nan if score.low is None else score.low,
        np.nan if score.high is None else score.high,
    )


def _series(predictions: AbrPredictions, test: AbrRecordings) -> list[PredictedSeries]:
    thresholds = {row: ear for ear in predictions.ears for row in ear.rows}
    found = []
    for title, rows in example_ears(test).items():
        part, ear, single = test.select(rows), thresholds.get(int(rows[0])), predictions.threshold_db_nhl
        of_ear = (
            (single.value[rows[0]], single.low[rows[0]], single.high[rows[0]])
            if ear is None
            else (ear.threshold_db_nhl, ear.low_db_nhl, ear.high_db_nhl)
        )
        known = bool(np.isfinite(part.threshold_db_nhl[0]))
        found.append(
            PredictedSeries(
                title=title,
                time_ms=part.time_ms,
                signal_uv=part.signal_uv,
                level_db=part.level_db,
                v_probability=predictions.v_probability[rows],
                latency_ms=predictions.latency_ms.value[rows],
                latency_low_ms=predictions.latency_ms.low[rows],
                latency_high_ms=predictions.latency_ms.high[rows],
                threshold_db=float(of_ear[0]),
                threshold_low_db=float(of_ear[1]),
                threshold_high_db=float(of_ear[2]),
                true_latency_ms=part.v_latency_ms,
                true_threshold_db=float(part.threshold_db_nhl[0]) if known else None,
                true_threshold_censored=bool(part.threshold_censored[0]),
                level_unit=part.level_unit,
            )
        )
    return found


def _against(answers: Answers, test: AbrRecordings, quantity: str) -> PredictedAgainstTrue | None:
    rows = labelled(test, quantity)
    if not len(rows):
        return None
    name, unit = QUANTITIES[quantity]
    predicted = getattr(answers, quantity)[rows]
    return PredictedAgainstTrue(
        quantity=name, unit=unit, true=truth(test, quantity)[rows], predicted=predicted
    )


def _calibration(evaluated: Evaluated) -> Figure:
    result = evaluated.result
    coverage = [
        Coverage(quantity=QUANTITIES[one.quantity][0], nominal=np.array(one.nominal), **_arrays(one.observed))
        for one in result.intervals
    ]
    reliability = None
    if result.reliability is not None:
        reliability = Reliability(
            event="wave V present",
            predicted=np.array(result.reliability.predicted),
            probability=evaluated.predictions.v_probability,
            **_arrays(result.reliability.observed),
        )
    return plot_calibration(reliability, coverage)


def _arrays(scores: list[Score]) -> dict[str, Floats]:
    low, high = np.array([_bounds(score) for score in scores]).T
    return {"observed": np.array([score.value for score in scores]), "low": low, "high": high}
