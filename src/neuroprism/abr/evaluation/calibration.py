"""Whether probabilities and intervals of a network mean what they say.

Intervals are those of normal distributions; a distribution is judged by its continuous ranked probability
score, the mean absolute error of a forecast with uncertainty (Gneiting and Raftery 2007, JASA 102:359).
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy.special import ndtr, ndtri

from neuroprism.abr.answers import Floats
from neuroprism.abr.estimate import Estimate
from neuroprism.abr.evaluation.samples import labelled, truth
from neuroprism.abr.evaluation.score import Score, score
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.metrics import resampling

NOMINAL = (0.5, 0.8, 0.9, 0.95)
QUANTITIES = {"latency_ms": "ms", "amplitude_uv": "uV", "threshold_db_nhl": "dB"}
N_BINS = 10


class IntervalResult(msgspec.Struct, kw_only=True, frozen=True):
    """Intervals of one quantity.

    Attributes
    ----------
    quantity, unit
        What they are of.
    nominal, observed
        Share of labels that intervals claim to hold, and the share that they hold.
    mean_width
        Of the 95 % interval, in the unit.
    constant_width
        Width of the 95 % interval of the training labels, which looks at nothing.
    crps, constant_crps
        Continuous ranked probability score, in the unit, of the network and of the normal distribution of
        the training labels; lower is better.
    """

    quantity: str
    unit: str
    nominal: tuple[float, ...]
    observed: list[Score]
    mean_width: Score
    constant_width: float
    crps: Score
    constant_crps: Score


class ReliabilityResult(msgspec.Struct, kw_only=True, frozen=True):
    """Probability of wave V.

    Attributes
    ----------
    predicted
        Mean probability in each of the bins, which hold equally many recordings.
    observed
        Share of them with a wave V.
    expected_calibration_error
        Mean over recordings of the distance of the two.
    brier, constant_brier
        Mean squared error of the probability, and of the share of wave V in the training recordings; lower
        is better.
    """

    predicted: list[float]
    observed: list[Score]
    expected_calibration_error: float
    brier: Score
    constant_brier: Score


def interval_results(
    predictions: AbrPredictions, recordings: AbrRecordings, training: AbrRecordings
) -> list[IntervalResult]:
    """Return how often the intervals hold the truth, for each quantity that has intervals and labels."""
    results = []
    for quantity, unit in QUANTITIES.items():
        estimate, rows = getattr(predictions, quantity), labelled(recordings, quantity)
        known = truth(training, quantity)[labelled(training, quantity)]
        if len(rows) and len(known) > 1 and np.isfinite(estimate.sd[rows]).all():
            part = Estimate(**{name: getattr(estimate, name)[rows] for name in ("value", "low", "high")})
            label = truth(recordings, quantity)[rows]
            results.append(_intervals(quantity, unit, part, label, known, recordings.patient_id[rows]))
    return results


def _intervals(
    quantity: str, unit: str, given: Estimate, label: Floats, known: Floats, patients: np.ndarray
) -> IntervalResult:
    z = np.abs(label - given.value) / given.sd
    limits = {nominal: float(ndtri(0.5 + nominal / 2)) for nominal in NOMINAL}
    constant_sd = np.full_like(label, known.std())

    def mean(values: Floats) -> Score:
        found = score(resampling.mean(values, patients), patients)
        assert found is not None
        return found

    return IntervalResult(
        quantity=quantity,
        unit=unit,
        nominal=NOMINAL,
        observed=[mean((z <= limit).astype(np.float64)) for limit in limits.values()],
        mean_width=mean(2 * limits[0.95] * given.sd),
        constant_width=2 * limits[0.95] * float(known.std()),
        crps=mean(crps(label, given.value, given.sd)),
        constant_crps=mean(crps(label, np.full_like(label, known.mean()), constant_sd)),
    )


def crps(label: Floats, mean: Floats, sd: Floats) -> Floats:
    """Return the continuous ranked probability score of normal distributions, (N,), in the labels' unit.

    Closed form of Gneiting, Raftery, Westveld and Goldman 2005 (Monthly Weather Review 133:1098).
    """
    z = (label - mean) / sd
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    result: Floats = sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    return result


def reliability(
    predictions: AbrPredictions, recordings: AbrRecordings, training: AbrRecordings
) -> ReliabilityResult | None:
    """Return how often wave V is there, by its predicted probability; None where it was not judged."""
    rows = np.flatnonzero(recordings.v_mask)
    if len(rows) < N_BINS or not training.v_mask.any():
        return None
    probability, there = predictions.v_probability[rows], recordings.v_present[rows].astype(np.float64)
    patients = recordings.patient_id[rows]
    bins = np.array_split(np.argsort(probability, kind="stable"), N_BINS)
    predicted = [float(probability[members].mean()) for members in bins]
    observed = [score(resampling.mean(there[m], patients[m]), patients[m]) for m in bins]
    share = float(training.v_present[training.v_mask].mean())
    briers = [
        score(resampling.mean((p - there) ** 2, patients), patients)
        for p in (probability, np.full_like(there, share))
    ]
    known = [found for found in (*observed, *briers) if found is not None]
    gaps = [abs(p - found.value) * found.n for p, found in zip(predicted, known, strict=False)]
    return ReliabilityResult(
        predicted=predicted,
        observed=known[:N_BINS],
        expected_calibration_error=sum(gaps) / len(rows),
        brier=known[N_BINS],
        constant_brier=known[N_BINS + 1],
    )
