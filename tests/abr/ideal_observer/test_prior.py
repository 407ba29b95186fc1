"""The prior of the observer against ears and sets that the simulator drew afresh."""

from __future__ import annotations

import numpy as np
import pytest

from neuroprism.abr.columns import HEARING_CLASSES, WAVE_V
from neuroprism.abr.ears import CONDUCTIVE, NEUROPATHY, NORMAL, SENSORINEURAL, Preset, draw_ears, draw_levels
from neuroprism.abr.ideal_observer.prior import GRID_DB, N_SCORES, Known, Prior, grid_index
from neuroprism.abr.waves import draw_waves, waves_of


@pytest.fixture(scope="module")
def prior() -> Prior:
    return Prior("clinical")


@pytest.mark.parametrize("preset", ["clinical", "balanced"])
def test_probabilities_of_each_level_sum_to_one(preset: Preset) -> None:
    prior = Prior(preset)
    for level in GRID_DB:
        assert prior.responds(level).sum() + prior.unheard(level).sum() == pytest.approx(1.0)


def test_class_and_presence_at_a_level_are_as_frequent_as_in_a_set(prior: Prior) -> None:
    rng = np.random.default_rng(8)
    ears = draw_ears(20_000, "clinical", rng)
    ear, levels = draw_levels(ears, rng)
    present = (levels >= ears.threshold_db_nhl[ear]) & ~ears.censored[ear]
    for level in (20.0, 40.0, 60.0, 80.0, 95.0):
        here = levels == level
        for label in range(len(HEARING_CLASSES)):
            rows = here & (ears.hearing_class[ear] == label)
            for expected, counted in (
                (prior.responds(level)[label], (rows & present).sum()),
                (prior.unheard(level)[label], (rows & ~present).sum()),
            ):
                # Levels recorded twice are not independent: two recordings count as one.
                error = np.sqrt(2.0 * here.sum() * expected * (1.0 - expected))
                assert abs(counted - here.sum() * expected) <= 4.5 * error + 3.0


@pytest.mark.parametrize(
    ("label", "level"), [(NORMAL, 40.0), (NEUROPATHY, 90.0), (SENSORINEURAL, 80.0), (CONDUCTIVE, 65.0)]
)
def test_waves_are_distributed_as_the_simulator_draws_them(prior: Prior, label: int, level: float) -> None:
    rng = np.random.default_rng(label)
    drawn = draw_ears(20_000, "balanced", rng)
    ear, levels = draw_levels(drawn, rng)
    chosen = (levels == level) & (drawn.hearing_class[ear] == label)
    chosen &= (drawn.threshold_db_nhl[ear] <= level) & ~drawn.censored[ear]
    theirs = draw_waves(drawn, ear[chosen], levels[chosen], rng)
    ours_at = Known(level_db_nhl=level, rate_hz=33.1, age_years=float("nan"))
    ears = prior.ears(rng.standard_normal((8000, N_SCORES)), label, ours_at)
    ours = waves_of(ears, np.arange(8000), np.full(8000, level), np.zeros(8000))
    n = min(chosen.sum(), 8000) / 4.0
    assert ours.present.mean(axis=0) == pytest.approx(theirs.present.mean(axis=0), abs=2.5 / np.sqrt(n))
    share = np.linspace(0.02, 0.98, 25)
    for wave in range(7):
        mine, other = ours.latency_ms[:, wave], theirs.latency_ms[:, wave]
        mine, other = mine[np.isfinite(mine)], other[np.isfinite(other)]
        if min(len(mine), len(other)) < 200:
            continue
        # Kolmogorov and Smirnov: the largest distance of the distribution functions.
        points = np.quantile(other, share)
        apart = np.abs((mine[:, None] <= points).mean(axis=0) - share).max()
        assert apart < 1.95 * np.sqrt(4.0 / len(mine) + 4.0 / len(other))
    factor = drawn.amplitude_factor[ear[chosen]]
    mean = np.exp(prior.log_share) @ prior.factors[label]
    assert mean == pytest.approx(factor.mean(), abs=5.0 * factor.std() / np.sqrt(n))
    height = theirs.height_uv[:, WAVE_V] / factor
    assert ours.height_uv[:, WAVE_V].mean() == pytest.approx(height.mean(), abs=5 * height.std() / np.sqrt(n))


def test_known_conditions_are_kept(prior: Prior) -> None:
    known = Known(level_db_nhl=50.0, rate_hz=21.1, age_years=3.0)
    ears = prior.ears(np.random.default_rng(0).standard_normal((50, N_SCORES)), SENSORINEURAL, known)
    assert (ears.age_years == 3.0).all()
    assert (ears.rate_hz == 21.1).all()
    assert (ears.threshold_db_nhl <= 50.0).all()
    assert np.isin(ears.threshold_db_nhl, GRID_DB[: grid_index(50.0) + 1]).all()
