"""The ideal observer against brute force, against the truth of fresh recordings, and its refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroprism.abr.columns import HEARING_CLASSES, WAVE_V
from neuroprism.abr.ears import draw_ears, draw_levels
from neuroprism.abr.ideal_observer import Distribution, IdealObserver
from neuroprism.abr.ideal_observer.prior import Prior
from neuroprism.abr.noise import artefact_sd_uv, artefact_shape, noise_blocks, unit_noise_covariance
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SAMPLE_RATE_HZ, SimulationConfig, simulate
from neuroprism.abr.traces import MEASURED_MS, clean_traces, measure_wave_v
from neuroprism.abr.waves import draw_waves
from neuroprism.core.errors import DataError

Floats = NDArray[np.float64]


def draw_fresh(n: int) -> AbrRecordings:
    """Return recordings, taken by chance from equally many patients of each class."""
    everything = simulate(SimulationConfig(n_patients=150, preset="balanced", seed=4242))
    return everything.select(np.random.default_rng(1).choice(len(everything), n, replace=False))


@pytest.fixture(scope="module")
def fresh_set() -> AbrRecordings:
    return draw_fresh(100)


def with_noise(recordings: AbrRecordings, noise_uv: float, seed: int) -> AbrRecordings:
    """Return the responses of a set in noise of one SD, without artefact."""
    assert recordings.clean_uv is not None
    rng = np.random.default_rng(seed)
    noise = noise_blocks(len(recordings), recordings.n_times, recordings.sample_rate_hz, rng)[:, 0]
    return replace(
        recordings,
        signal_uv=(recordings.clean_uv + noise_uv * noise).astype(np.float32),
        residual_noise_uv=np.full(len(recordings), noise_uv, dtype=np.float32),
    )


class BruteForce:
    """Weighs ears that the simulator drew by the dense Gaussian likelihood of one recording."""

    def __init__(self, recordings: AbrRecordings, row: int) -> None:
        rng = np.random.default_rng(99)
        level, noise = float(recordings.level_db_nhl[row]), float(recordings.residual_noise_uv[row])
        ears = draw_ears(25_000, "balanced", rng)
        ear, levels = draw_levels(ears, rng)
        ear = ear[levels == level]
        n_ears = len(ears.patient)
        age = float(recordings.age_years[row])
        ears = replace(
            ears,
            age_years=ears.age_years if np.isnan(age) else np.full(n_ears, age),
            rate_hz=np.full(n_ears, recordings.rate_hz[row], dtype=np.float64),
        )
        waves = draw_waves(ears, ear, np.full(len(ear), level), rng)
        long_ms: Any = np.arange(round(MEASURED_MS * SAMPLE_RATE_HZ / 1000.0)) * (1000.0 / SAMPLE_RATE_HZ)
        trace = clean_traces(waves, long_ms)
        expected_ms = np.nan_to_num(waves.latency_ms[:, WAVE_V], nan=6.0)
        self.latency_ms, self.amplitude_uv = measure_wave_v(trace, long_ms, expected_ms)
        self.present = waves.present[:, WAVE_V]
        self.label = ears.hearing_class[ear]
        self.threshold_db, self.censored = ears.threshold_db_nhl[ear], ears.censored[ear]
        artefact = float(artefact_sd_uv(level)) * artefact_shape(recordings.time_ms)
        unit = unit_noise_covariance(recordings.n_times, recordings.sample_rate_hz)
        inverse = np.linalg.inv(noise**2 * unit + np.outer(artefact, artefact))
        clean = trace[:, : recordings.n_times].astype(np.float64)
        fit = clean @ (inverse @ recordings.signal_uv[row]) - 0.5 * ((clean @ inverse) * clean).sum(axis=1)
        self.weight = np.exp(fit - fit.max())

    def mean(self, value: Any, among: Any = True) -> tuple[float, float]:
        """Return the mean of a value and its Monte Carlo error."""
        weight = np.where(among, self.weight, 0.0)
        weight /= weight.sum()
        mean = float((weight * value).sum())
        return mean, float(np.sqrt((weight**2 * (value - mean) ** 2).sum()))


def moments(given: Distribution) -> tuple[float, float]:
    weight = given.weight / given.weight.sum()
    mean = float(weight @ given.value)
    return mean, float(np.sqrt(weight @ (given.value - mean) ** 2))


@pytest.mark.parametrize("row", range(4))
def test_posterior_is_that_of_brute_force_where_the_noise_is_high(fresh_set: AbrRecordings, row: int) -> None:
    noisy = with_noise(fresh_set.select(np.arange(0, 100, 25)), 0.25, seed=5)
    # The age of the last one is not known.
    noisy.age_years[3] = np.nan
    n_particles = 1500
    found = IdealObserver.of(noisy, n_particles=n_particles).posteriors(noisy.select([row]))[0]
    brute = BruteForce(noisy, row)

    def assert_near(value: float, expected: tuple[float, float], spread: float) -> None:
        assert abs(value - expected[0]) < 4.0 * np.hypot(expected[1], 2.0 * spread / np.sqrt(n_particles))

    assert_near(found.v_probability, brute.mean(brute.present), 0.5)
    for label in range(len(HEARING_CLASSES)):
        assert_near(found.class_probability[label], brute.mean(brute.label == label), 0.5)
    for distribution, value, among in (
        (found.latency_ms, brute.latency_ms, brute.present),
        (found.amplitude_uv, brute.amplitude_uv, brute.present),
        (found.threshold_db_nhl, brute.threshold_db, ~brute.censored),
    ):
        mean, sd = moments(distribution)
        expected = brute.mean(value, among)
        assert_near(mean, expected, sd)
        variance = brute.mean((value - expected[0]) ** 2, among)
        assert_near(sd**2, variance, 2.0 * sd**2)


def assert_mean_zero(excess: Any, variance: Floats) -> None:
    """Fail where a sum of independent deviations is further from 0 than chance allows."""
    assert abs(excess.sum()) < 3.5 * np.sqrt(variance.sum()) + 0.5


@pytest.mark.parametrize(
    ("n_recordings", "n_particles"), [(50, 120), pytest.param(300, 1000, marks=pytest.mark.slow)]
)
def test_probabilities_and_intervals_hold_the_truth_as_often_as_they_say(
    n_recordings: int, n_particles: int
) -> None:
    fresh_set = draw_fresh(n_recordings)
    found = IdealObserver.of(fresh_set, n_particles=n_particles).posteriors(fresh_set)
    asked = fresh_set.v_mask
    probability = np.array([posterior.v_probability for posterior in found])[asked]
    assert_mean_zero(fresh_set.v_present[asked] - probability, probability * (1 - probability))
    classes = np.array([posterior.class_probability for posterior in found])
    for label in range(len(HEARING_CLASSES)):
        p = classes[:, label]
        assert_mean_zero((fresh_set.hearing_class == label) - p, p * (1 - p))
    # The log score of calibrated probabilities is their entropy, on average.
    logs = np.log(np.maximum(classes, 1e-300))
    entropy = -(classes * logs).sum(axis=1)
    score = -logs[np.arange(len(classes)), fresh_set.hearing_class]
    assert_mean_zero(score - entropy, (classes * logs**2).sum(axis=1) - entropy**2)
    for name, truth, mask in (
        ("latency_ms", fresh_set.v_latency_ms, fresh_set.latency_mask),
        ("amplitude_uv", fresh_set.v_amplitude_uv, fresh_set.amplitude_mask),
    ):
        for share in (0.5, 0.9):
            ends = np.array(
                [getattr(each, name).quantile([0.5 - share / 2, 0.5 + share / 2]) for each in found]
            )
            inside = ((truth >= ends[:, 0]) & (truth <= ends[:, 1]))[mask]
            assert_mean_zero(inside - share, np.full(len(inside), share * (1 - share)))
    # On the 5 dB grid an interval holds at least its share.
    ends = np.array([each.threshold_db_nhl.quantile([0.05, 0.95]) for each in found])
    held = (fresh_set.threshold_db_nhl >= ends[:, 0]) & (fresh_set.threshold_db_nhl <= ends[:, 1])
    held = held[~fresh_set.threshold_censored]
    assert held.mean() > 0.9 - 3.5 * np.sqrt(0.09 / len(held))


def test_errors_vanish_with_the_noise(fresh_set: AbrRecordings) -> None:
    clear = with_noise(fresh_set.select(np.flatnonzero(fresh_set.latency_mask)[:2]), 0.008, seed=6)
    found = IdealObserver.of(clear, n_particles=250).answer(clear)
    assert found.latency_ms is not None
    assert found.amplitude_uv is not None
    assert found.v_score is not None
    assert found.latency_ms == pytest.approx(clear.v_latency_ms, abs=0.03)
    assert found.amplitude_uv == pytest.approx(clear.v_amplitude_uv, abs=0.02)
    assert (found.v_score > 0.99).all()


def test_an_answer_depends_on_its_recording_and_the_seed_only(fresh_set: AbrRecordings) -> None:
    observer = IdealObserver.of(fresh_set, n_particles=60)
    some = fresh_set.select([3, 50, 7])
    together, alone = observer.answer(some), observer.answer(fresh_set.select([7]))
    other = IdealObserver.of(fresh_set, n_particles=60, seed=1).answer(fresh_set.select([7]))
    for name in ("v_score", "latency_ms", "amplitude_uv", "class_probability", "threshold_db_nhl"):
        values = getattr(together, name)
        assert len(values) == 3
        assert np.isfinite(values).all()
        assert (values[2] == getattr(alone, name)[0]).all()
    assert together.v_present is not None
    assert together.v_score is not None
    assert (together.v_present == (together.v_score >= 0.5)).all()
    assert together.ear_threshold_db_nhl is None
    assert alone.latency_ms is not None
    assert other.latency_ms is not None
    assert other.latency_ms != alone.latency_ms


def test_other_recordings_are_refused(small_set: AbrRecordings, fresh_set: AbrRecordings) -> None:
    one = fresh_set.select([0])
    for changed, words in (
        (replace(one, threshold_provenance="visual"), "simulated recordings only"),
        (replace(one, provenance={}), "simulated recordings only"),
        (replace(one, provenance={**one.provenance, "simulator_version": 1}), "not version 1"),
        (replace(one, signal_unit="zscore"), "must not be changed"),
        (replace(one, sample_rate_hz=25_000.0), "must not be changed"),
        (replace(one, level_db_nhl=one.level_db_nhl + 1), "must not be changed"),
        (replace(one, polarity=np.array(["rarefaction"])), "separate polarities"),
        (replace(one, residual_noise_uv=np.full(1, np.nan, dtype=np.float32)), "residual_noise_uv"),
    ):
        with pytest.raises(DataError, match=words):
            IdealObserver.of(changed)
    observer = IdealObserver.of(one, n_particles=20)
    clinical = replace(one, provenance={**one.provenance, "preset": "clinical"})
    with pytest.raises(DataError, match="knows the preset 'balanced'"):
        observer.answer(clinical)
    with pytest.raises(DataError, match="256 samples, not of 200"):
        observer.answer(replace(one, signal_uv=one.signal_uv[:, :200]))


@pytest.mark.slow
def test_the_trace_tells_more_than_the_conditions() -> None:
    everything = simulate(SimulationConfig(n_patients=600, preset="clinical", seed=31))
    some = everything.select(np.random.default_rng(2).choice(len(everything), 250, replace=False))
    some = some.select(some.v_mask)
    found, prior = IdealObserver.of(some).answer(some), Prior("clinical")
    assert found.v_score is not None
    assert found.class_probability is not None
    levels = [float(level) for level in some.level_db_nhl]
    by_level = np.array([[prior.unheard(level), prior.responds(level)] for level in levels])
    for probability, truth, before in (
        (found.class_probability, some.hearing_class, by_level.sum(axis=1)),
        (
            np.stack([1 - found.v_score, found.v_score], axis=1),
            some.v_present.astype(int),
            by_level.sum(axis=2),
        ),
    ):
        rows = np.arange(len(some))
        gain = np.log(probability[rows, truth]) - np.log(before[rows, truth])
        assert gain.mean() > 3.0 * gain.std() / np.sqrt(len(gain))
