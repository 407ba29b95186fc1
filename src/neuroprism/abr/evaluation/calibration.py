"""Whether probabilities and intervals of a network mean what they say.

Intervals are those of normal distributions; a distribution is judged by its continuous ranked probability
score, the mean absolute error of a forecast with uncertainty (Gneiting and Raftery 2007, JASA 102:359).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from neuroprism.abr.answers import Floats
from neuroprism.abr.estimate import Estimate
from neuroprism.abr.evaluation.samples import labelled, truth
from neuroprism.abr.evaluation.score import Score, score
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.metrics import resampling
from neuroprism.metrics.intervals import Draws, Statistic

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
    expected_calibration_error, constant_calibration_error
        Mean over recordings of the distance of the two, and that of the share of wave V in training.
    brier, constant_brier
        Mean squared error of the probability, and of the share of wave V in the training recordings; lower
        is better.
    """

    predicted: list[float]
    observed: list[Score]
    expected_calibration_error: Score
    constant_calibration_error: Score
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
    quantity: str, unit: str, given: Estimate, label: Floats, known: Floats, patients: NDArray[np.str_]
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
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, N_BINS)
    share = np.full_like(there, float(training.v_present[training.v_mask].mean()))
    in_bin = np.empty(len(rows), dtype=np.int64)
    for number, members in enumerate(bins):
        in_bin[members] = number
    everywhere = np.zeros_like(in_bin)

    def known(statistic: Statistic, whose: NDArray[np.str_] = patients) -> Score:
        found = score(statistic, whose)
        assert found is not None
        return found

    return ReliabilityResult(
        predicted=[float(probability[members].mean()) for members in bins],
        observed=[known(resampling.mean(there[m], patients[m]), patients[m]) for m in bins],
        expected_calibration_error=known(_calibration_error(probability, there, in_bin, patients)),
        constant_calibration_error=known(_calibration_error(share, there, everywhere, patients)),
        brier=known(resampling.mean((probability - there) ** 2, patients)),
        constant_brier=known(resampling.mean((share - there) ** 2, patients)),
    )


def _calibration_error(
    probability: Floats, there: Floats, in_bin: NDArray[np.int64], patients: NDArray[np.str_]
) -> Statistic:
    """Return the distance of probability and share of wave V in each bin, averaged over recordings.

    Bins stay as they are in every resample.
    """
    _, of_row = np.unique(patients, return_inverse=True)
    n_patients, n_bins = int(of_row.max()) + 1, int(in_bin.max()) + 1
    cells = of_row * n_bins + in_bin
    gaps, counts = (
        np.bincount(cells, weights=w, minlength=n_patients * n_bins).reshape(n_patients, n_bins)
        for w in (probability - there, np.ones_like(there))
    )

    def statistic(draws: Draws) -> Floats:
        result: Floats = np.abs(draws @ gaps).sum(axis=1) / (draws @ counts).sum(axis=1)
        return result

    return statistic
