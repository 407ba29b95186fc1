from __future__ import annotations

import numpy as np
import pytest

from neuroprism.abr.columns import WAVE_V, WAVES
from neuroprism.abr.ears import (
    CONDUCTIVE,
    NEUROPATHY,
    NORMAL,
    PREVALENCE,
    SENSORINEURAL,
    TOTAL,
    Ears,
    draw_ears,
    draw_levels,
)
from neuroprism.abr.physiology import MAX_LEVEL_DB


@pytest.fixture(scope="module")
def ears() -> Ears:
    return draw_ears(4000, "balanced", np.random.default_rng(5))


def test_classes_have_their_shares_of_the_patients() -> None:
    ears = draw_ears(2000, "clinical", np.random.default_rng(0))
    counts = np.bincount(ears.hearing_class[::2], minlength=5)
    np.testing.assert_allclose(counts, 2000 * np.array(PREVALENCE["clinical"]), atol=1)
    for preset in PREVALENCE:
        assert sum(PREVALENCE[preset]) == pytest.approx(1)
        assert len(draw_ears(1, preset, np.random.default_rng(0)).patient) == 2


def test_both_ears_of_a_patient_share_what_belongs_to_the_patient(ears: Ears) -> None:
    assert (np.bincount(ears.patient) == 2).all()
    for name in ("hearing_class", "age_years", "sex", "rate_hz"):
        values = getattr(ears, name)
        np.testing.assert_array_equal(values[::2], values[1::2])
    assert (ears.threshold_db_nhl[::2] != ears.threshold_db_nhl[1::2]).mean() > 0.3


def test_the_ears_of_a_patient_differ_by_at_most_0_2_ms_in_most(ears: Ears) -> None:
    normal = ears.hearing_class == NORMAL
    shift = ears.latency_shift_ms[normal]
    assert shift.std() == pytest.approx(0.20, abs=0.02)
    assert (np.abs(shift[::2] - shift[1::2]) <= 0.2).mean() == pytest.approx(0.95, abs=0.03)


def test_amplitudes_scatter_on_a_square_root_scale(ears: Ears) -> None:
    factor = ears.amplitude_factor[ears.hearing_class == NORMAL]
    assert factor.std() / factor.mean() == pytest.approx(0.25, abs=0.02)
    root = np.sqrt(factor)
    skewness = ((root - root.mean()) ** 3).mean() / root.std() ** 3
    assert abs(skewness) < 0.15


@pytest.mark.parametrize(
    ("label", "low", "high"),
    [(NORMAL, 0, 20), (SENSORINEURAL, 30, 90), (NEUROPATHY, 70, 90), (CONDUCTIVE, 20, 80)],
)
def test_thresholds_lie_in_the_range_of_their_class(ears: Ears, label: int, low: float, high: float) -> None:
    mine = (ears.hearing_class == label) & ~ears.censored
    threshold = ears.threshold_db_nhl[mine]
    assert low <= threshold.min() <= low + 10
    assert high - 10 <= threshold.max() <= high
    np.testing.assert_array_equal(threshold % 5, 0)


def test_silent_ears_are_censored_at_the_highest_level(ears: Ears) -> None:
    assert ears.censored[ears.hearing_class == TOTAL].all()
    silent = ears.censored[ears.hearing_class == NEUROPATHY]
    # Starr 2001 found a wave V in 21 % of 66 ears; clinical records hold more.
    assert 0.21 <= 1 - silent.mean() <= 0.5
    assert not ears.censored[np.isin(ears.hearing_class, (NORMAL, SENSORINEURAL, CONDUCTIVE))].any()
    assert (ears.threshold_db_nhl[ears.censored] == MAX_LEVEL_DB).all()


def test_the_threshold_of_a_conductive_ear_is_a_normal_one_and_the_gap(ears: Ears) -> None:
    conductive = ears.hearing_class == CONDUCTIVE
    bone = (ears.threshold_db_nhl - ears.air_bone_gap_db)[conductive]
    assert bone.min() >= -2.5
    assert bone.max() <= 22.5
    assert bone.mean() == pytest.approx(13, abs=1)
    assert (ears.air_bone_gap_db[~conductive] == 0).all()


def test_no_wave_precedes_v_in_neuropathy(ears: Ears) -> None:
    assert not ears.wave_found[ears.hearing_class == NEUROPATHY, :WAVE_V].any()


def test_waves_are_found_as_often_as_bradley_and_wilson_2004_report(ears: Ears) -> None:
    found = ears.wave_found[ears.hearing_class == NORMAL].mean(axis=0)
    published = {"I": 0.97, "II": 0.83, "III": 0.97, "IV": 0.77, "V": 1.0, "VII": 0.45}
    for wave, share in published.items():
        assert found[WAVES.index(wave)] == pytest.approx(share, abs=0.035)


def test_levels_go_from_above_to_below_the_threshold_on_a_grid_of_5_db(ears: Ears) -> None:
    ear, level = draw_levels(ears, np.random.default_rng(1))
    assert set(np.unique(ear)) == set(range(len(ears.patient)))
    np.testing.assert_array_equal(level % 5, 0)
    assert level.min() >= 0
    assert level.max() <= MAX_LEVEL_DB
    above = level - ears.threshold_db_nhl[ear]
    answering = ~ears.censored[ear]
    has_response = np.bincount(ear[answering], above[answering] >= 0, len(ears.patient)) > 0
    assert has_response[~ears.censored].all()
    has_silence = np.bincount(ear[answering], above[answering] < 0, len(ears.patient)) > 0
    raised = ~ears.censored & (ears.threshold_db_nhl >= 30)
    assert has_silence[raised].all()
    assert above[answering].min() >= -25
    assert level[~answering].min() >= 50
