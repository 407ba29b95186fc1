from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from neuroprism.abr.estimate import Estimate
from neuroprism.abr.evaluation.calibration import crps, interval_results, reliability
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.predictor import AbrPredictor
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.trained import load_trained


@pytest.mark.parametrize(("label", "mean", "sd"), [(0.3, 0.0, 1.0), (-4.0, 1.0, 0.5), (7.1, 7.0, 0.05)])
def test_crps_is_the_integral_of_its_definition(label: float, mean: float, sd: float) -> None:
    below, _ = quad(lambda x: norm.cdf(x, mean, sd) ** 2, mean - 20 * sd, label, points=[mean])
    above, _ = quad(lambda x: norm.sf(x, mean, sd) ** 2, label, mean + 40 * sd, points=[mean])
    found = crps(np.array([label]), np.array([mean]), np.array([sd]))
    assert found[0] == pytest.approx(below + above, rel=1e-6)


@pytest.fixture(scope="module")
def predictions(trained_run, balanced_set: AbrRecordings) -> AbrPredictions:
    return AbrPredictor(load_trained(trained_run.best)).predict(balanced_set)


def estimated(predictions: AbrPredictions, recordings: AbrRecordings, factor: float) -> AbrPredictions:
    """Return latencies with errors of 0.2 ms whose intervals claim `factor` times that."""
    rng = np.random.default_rng(0)
    mean = np.nan_to_num(recordings.v_latency_ms.astype(np.float64), nan=7.0)
    mean += rng.normal(0, 0.2, len(mean))
    return replace(predictions, latency_ms=Estimate.normal(mean, np.full(len(mean), 0.2 * factor)))


def test_honest_intervals_hold_what_they_say(
    predictions: AbrPredictions, balanced_set: AbrRecordings
) -> None:
    results = interval_results(estimated(predictions, balanced_set, 1.0), balanced_set, balanced_set)
    (latency,) = [one for one in results if one.quantity == "latency_ms"]
    for nominal, observed in zip(latency.nominal, latency.observed, strict=True):
        assert observed.low - 0.01 <= nominal <= observed.high + 0.01
    assert latency.mean_width.value == pytest.approx(4 * 0.2, rel=0.03)
    assert latency.crps.value < 0.5 * latency.constant_crps.value


def test_intervals_that_are_too_narrow_are_seen(
    predictions: AbrPredictions, balanced_set: AbrRecordings
) -> None:
    results = interval_results(estimated(predictions, balanced_set, 0.5), balanced_set, balanced_set)
    (latency,) = [one for one in results if one.quantity == "latency_ms"]
    assert latency.observed[-1].high < 0.75
    honest = interval_results(estimated(predictions, balanced_set, 1.0), balanced_set, balanced_set)
    assert latency.crps.value > next(one for one in honest if one.quantity == "latency_ms").crps.value


def test_a_quantity_without_intervals_is_left_out(
    predictions: AbrPredictions, balanced_set: AbrRecordings
) -> None:
    nothing = np.full(len(balanced_set), np.nan)
    without = replace(predictions, amplitude_uv=Estimate(value=nothing, low=nothing, high=nothing))
    found = {one.quantity for one in interval_results(without, balanced_set, balanced_set)}
    assert found == {"latency_ms", "threshold_db_nhl"}


def test_an_honest_probability_is_told_from_a_boastful_one(
    predictions: AbrPredictions, balanced_set: AbrRecordings
) -> None:
    rng = np.random.default_rng(0)
    probability = rng.beta(1.0, 1.0, len(balanced_set))
    there = rng.random(len(balanced_set)) < probability
    labelled = replace(
        balanced_set,
        v_present=there,
        v_marked=np.ones(len(balanced_set), dtype=np.bool_),
        wave_latency_ms=np.full_like(balanced_set.wave_latency_ms, np.nan),
    )
    honest = reliability(replace(predictions, v_probability=probability), labelled, labelled)
    boastful = (probability > 0.5) * 0.98 + 0.01
    other = reliability(replace(predictions, v_probability=boastful), labelled, labelled)
    assert honest is not None
    assert other is not None
    assert honest.expected_calibration_error.value < 0.04
    assert other.expected_calibration_error.low > 0.2
    by_hand = [
        abs(p - seen.value) * seen.n for p, seen in zip(honest.predicted, honest.observed, strict=True)
    ]
    assert honest.expected_calibration_error.value == pytest.approx(sum(by_hand) / len(balanced_set))
    # A constant that has the right share has no such error: it says nothing.
    assert honest.constant_calibration_error.value == pytest.approx(0.0, abs=1e-9)
    assert honest.brier.value < other.brier.value
    assert honest.constant_brier.value == pytest.approx(there.mean() * (1 - there.mean()))
