"""The parts of the classical methods against other ways to the same numbers."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import f1_score

from neuroprism.abr.evaluation.methods.criterion import best_f1_criterion
from neuroprism.abr.evaluation.methods.detector import Detector
from neuroprism.abr.evaluation.methods.ear_levels import Ears, lowest_level_with_response
from neuroprism.abr.evaluation.methods.latency_level import LatencyLevel
from neuroprism.abr.evaluation.methods.least_absolute import least_absolute
from neuroprism.abr.evaluation.methods.noise_shape import after_artefact, noise_correlation
from neuroprism.abr.evaluation.methods.templates import Templates
from neuroprism.abr.evaluation.methods.threshold_step import step_db_nhl
from neuroprism.abr.evaluation.methods.variance_ratio import CRITICAL_FMP
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError


def series(r: AbrRecordings, levels_db: list[float], ears: list[str], threshold_db: float) -> AbrRecordings:
    """Return the first recordings with these levels and ears of one patient."""
    n = len(levels_db)
    return replace(
        r.select(np.arange(n)),
        level_db_nhl=np.array(levels_db, dtype=np.float32),
        patient_id=np.full(n, "p"),
        ear=np.array(ears),
        threshold_db_nhl=np.full(n, threshold_db, dtype=np.float32),
        threshold_censored=np.zeros(n, dtype=np.bool_),
    )


def test_the_criterion_has_the_greatest_f1_of_all() -> None:
    rng = np.random.default_rng(1)
    present = rng.random(200) < 0.6
    # Coarse scores have equal ones.
    score = np.round(rng.normal(present, 1.0), 1)
    found = best_f1_criterion(score, present)
    best = max(f1_score(present, score >= value) for value in np.unique(score))
    assert f1_score(present, score >= found) == pytest.approx(best)
    assert found in score
    assert best_f1_criterion(score, np.zeros(200, dtype=bool)) == np.inf


def test_critical_fmp_is_the_99th_percentile_of_its_distribution() -> None:
    assert stats.f(5, 250).ppf(0.99) == pytest.approx(CRITICAL_FMP, abs=0.05)


def test_the_visual_threshold_is_the_lowest_level_with_a_response(small_set: AbrRecordings) -> None:
    r = series(small_set, [20, 40, 60, 20, 40, 80, 30], ["L", "L", "L", "R", "R", "R", "unknown"], 30.0)
    ears = Ears.of(r)
    assert len(ears) == 2
    level = r.level_db_nhl.astype(float)
    present = np.array([False, True, True, False, False, False, True])
    found = lowest_level_with_response(ears, level, present)
    # The right ear has no response: a step above its highest level.
    assert found.tolist() == [40.0, 90.0]
    np.testing.assert_array_equal(ears.spread(found), [40, 40, 40, 90, 90, 90, np.nan])
    detector = Detector.fit(r, present.astype(float), criterion=0.5)
    assert detector is not None
    assert detector.ear_bias_db == 35.0
    corrected = detector.ear_threshold_db_nhl(r, present.astype(float))
    np.testing.assert_array_equal(corrected, [5, 5, 5, 55, 55, 55, np.nan])


def test_an_ear_at_a_single_level_has_no_threshold(small_set: AbrRecordings) -> None:
    r = series(small_set, [20, 20, 40], ["L", "L", "R"], 30.0)
    assert len(Ears.of(r)) == 0
    assert np.isnan(Ears.of(r).spread(np.empty(0))).all()


def test_the_step_weighs_every_way_to_split_the_levels(small_set: AbrRecordings) -> None:
    levels = [10.0, 20.0, 20.0, 30.0]
    r = series(small_set, levels, ["L"] * 4, 20.0)
    probability = np.array([0.2, 0.4, 0.7, 0.9])
    mean, sd = step_db_nhl(Ears.of(r), np.array(levels), probability)
    steps = [10.0, 20.0, 30.0, 40.0]
    likelihood = dict.fromkeys(steps, 1.0)
    for step, (level, p) in product(steps, zip(levels, probability, strict=True)):
        likelihood[step] *= p if level >= step else 1 - p
    total = sum(likelihood.values())
    expected = sum(step * weight for step, weight in likelihood.items()) / total
    spread = sum((step - expected) ** 2 * weight for step, weight in likelihood.items()) / total
    assert mean[0] == pytest.approx(expected)
    assert sd[0] == pytest.approx(np.sqrt(spread))


def test_least_absolute_errors_are_those_of_quantile_regression() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 3))
    y = x @ [1.0, -2.0, 0.5] + 0.3 + rng.standard_t(2, 300)
    terms = np.column_stack([x, np.ones(300)])
    exact = QuantileRegressor(quantile=0.5, alpha=0.0).fit(x, y)
    found = least_absolute(terms, y)
    least = np.abs(y - exact.predict(x)).sum()
    assert np.abs(y - terms @ found).sum() == pytest.approx(least, rel=2e-3)


def test_the_latency_level_function_finds_a_planted_curve(small_set: AbrRecordings) -> None:
    r = small_set
    level, rate = r.level_db_nhl, r.rate_hz
    age = np.linspace(0.0, 70.0, len(r), dtype=np.float32)
    planted = 5.0 + 4.0 * np.exp(-level / 35.0) + 0.6 * np.exp(-age / 0.8) + 0.004 * age + 0.005 * rate
    waves = r.wave_latency_ms.copy()
    waves[:, 4] = np.where(r.v_present, planted, np.nan)
    curve = LatencyLevel.fit(replace(r, age_years=age, wave_latency_ms=waves))
    assert curve is not None
    assert (curve.level_scale_db, curve.age_scale_years) == (35.0, 0.8)
    expected = curve.expected_ms(replace(r, age_years=age))
    np.testing.assert_allclose(expected[r.v_present], planted[r.v_present], atol=0.01)
    # All of the density lies within reach.
    step = np.diff(curve.offset_ms)[0]
    assert np.exp(curve.log_density).sum() * step == pytest.approx(1.0, abs=0.02)
    assert curve.log_prior(np.array([0.0]))[0] > curve.log_prior(np.array([0.4]))[0]


def test_noise_is_whitened_by_its_correlation(small_set: AbrRecordings) -> None:
    r = small_set
    rng = np.random.default_rng(3)
    # A first-order autoregression, whose correlation falls geometrically.
    noise = rng.standard_normal((len(r), r.n_times + 100))
    for k in range(1, noise.shape[1]):
        noise[:, k] = 0.8 * noise[:, k - 1] + 0.6 * noise[:, k]
    signal = noise[:, 100:].astype(np.float32)
    found = noise_correlation(replace(r, signal_uv=signal))
    used = int(after_artefact(r.time_ms).sum())
    assert found.shape == (used, used)
    np.testing.assert_allclose(found[0, :8], 0.8 ** np.arange(8), atol=0.04)
    assert np.linalg.eigvalsh(found).min() > 0
    none_absent = replace(r, signal_uv=signal, v_present=np.ones(len(r), dtype=bool))
    np.testing.assert_array_equal(noise_correlation(none_absent), np.eye(used))


def test_templates_find_a_planted_response(balanced_set: AbrRecordings) -> None:
    r = balanced_set
    templates = Templates.fit(r)
    assert templates is not None
    shown = r.select(np.flatnonzero(r.latency_mask & (r.level_db_nhl >= 30))[:200])
    assert shown.clean_uv is not None
    # Without noise: the lag is the latency, the size the amplitude, though templates are means over ears.
    rng = np.random.default_rng(4)
    noise = rng.normal(0.0, 1e-3, shown.signal_uv.shape)
    clean = templates.match(replace(shown, signal_uv=(shown.clean_uv + noise).astype(np.float32)))
    assert np.median(np.abs(clean.best_ms - shown.v_latency_ms)) < 0.1
    assert np.corrcoef(clean.amplitude, shown.v_amplitude_uv)[0, 1] > 0.9
    # The sign and the size of a trace: neither correlation nor lag depend on the size.
    half = templates.match(replace(shown, signal_uv=shown.signal_uv * np.float32(0.5)))
    whole = templates.match(shown)
    np.testing.assert_allclose(half.correlation, whole.correlation, rtol=1e-5)
    np.testing.assert_allclose(half.amplitude, 0.5 * whole.amplitude, rtol=1e-5)
    absent = r.select(np.flatnonzero(r.v_mask & ~r.v_present)[:200])
    assert np.median(whole.evidence) > np.median(templates.match(absent).evidence) + 3.0


def test_templates_refuse_other_sample_times(small_set: AbrRecordings) -> None:
    templates = Templates.fit(small_set)
    assert templates is not None
    with pytest.raises(DataError, match="do not fit templates of 256 samples from 0 ms at 20000 Hz"):
        templates.match(replace(small_set, start_ms=-1.0))
