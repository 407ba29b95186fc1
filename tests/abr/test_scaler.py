from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.scaler import CONDITION_NAMES, TARGET_NAMES, AbrScaler, Standard
from neuroprism.abr.splits import SplitConfig, split_by_patient
from neuroprism.core.errors import DataError

AGE, LEVEL, FMP = (CONDITION_NAMES.index(name) for name in ("age_years", "level_db_nhl", "fmp"))


@pytest.fixture
def scaler(small_set: AbrRecordings) -> AbrScaler:
    return AbrScaler.fit(small_set)


def test_mean_and_sd_are_those_of_the_values(small_set: AbrRecordings, scaler: AbrScaler) -> None:
    r = small_set
    assert scaler.signal.mean == pytest.approx(float(r.signal_uv.astype(float).mean()), abs=1e-6)
    assert scaler.signal.sd == pytest.approx(float(r.signal_uv.astype(float).std()), rel=1e-5)
    latency = r.v_latency_ms[r.latency_mask].astype(float)
    assert scaler.targets["latency_ms"].mean == pytest.approx(latency.mean())
    assert scaler.targets["latency_ms"].sd == pytest.approx(latency.std())
    known = r.threshold_db_nhl[~r.threshold_censored].astype(float)
    assert scaler.targets["threshold_db_nhl"].mean == pytest.approx(known.mean())
    assert scaler.v_prior == pytest.approx(float(r.v_present[r.v_mask].mean()))
    assert scaler.class_counts == r.class_counts()
    assert scaler.class_names == r.class_names
    z = (r.signal_uv - scaler.signal.mean) / scaler.signal.sd
    assert ((z < scaler.clip[0]) | (z > scaler.clip[1])).mean() == pytest.approx(2e-4, abs=1e-4)


def test_only_the_training_split_is_seen(small_set: AbrRecordings) -> None:
    split = split_by_patient(small_set, SplitConfig())
    before = AbrScaler.fit(small_set.select(split.train))
    other = np.concatenate([split.val, split.test])
    signal, level = small_set.signal_uv.copy(), small_set.level_db_nhl.copy()
    signal[other] *= 100
    level[other] = 130
    after = AbrScaler.fit(replace(small_set, signal_uv=signal, level_db_nhl=level).select(split.train))
    assert after == before
    assert AbrScaler.fit(small_set) != before


def test_amplitudes_keep_their_scale(small_set: AbrRecordings, scaler: AbrScaler) -> None:
    # One SD for all recordings: doubling a recording doubles what the network sees.
    z = scaler.signal.apply(small_set.signal_uv)
    double = scaler.signal.apply(2 * small_set.signal_uv)
    np.testing.assert_allclose(double, 2 * z + scaler.signal.mean / scaler.signal.sd, atol=1e-4)


def test_values_come_back_from_z_scores(small_set: AbrRecordings, scaler: AbrScaler) -> None:
    for name in TARGET_NAMES:
        values = np.linspace(0.1, 90.0, 50)
        standard = scaler.targets[name]
        np.testing.assert_allclose(standard.invert(standard.apply(values)), values, rtol=1e-5, atol=1e-4)
    z = torch.tensor([0.0, 1.0])
    level = scaler.conditions["level_db_nhl"]
    torch.testing.assert_close(level.invert(z), torch.tensor([level.mean, level.mean + level.sd]))
    signal = scaler.signal
    np.testing.assert_allclose(
        signal.invert(signal.apply(small_set.signal_uv)), small_set.signal_uv, rtol=1e-4, atol=1e-6
    )


def test_conditions_have_zero_mean_and_unit_sd(small_set: AbrRecordings, scaler: AbrScaler) -> None:
    z, missing = scaler.standardise_conditions(small_set)
    assert z.shape == missing.shape == (len(small_set), len(CONDITION_NAMES))
    assert z.dtype == np.float32
    for place in range(len(CONDITION_NAMES)):
        known = z[~missing[:, place], place].astype(float)
        assert known.mean() == pytest.approx(0, abs=1e-4)
        assert known.std() == pytest.approx(1, abs=1e-4)
    # Fmp is standardised as a logarithm.
    order = np.argsort(small_set.fmp)
    assert (np.diff(z[order, FMP]) >= 0).all()
    logarithm = np.log(small_set.fmp.astype(float))
    np.testing.assert_allclose(z[:, FMP], (logarithm - logarithm.mean()) / logarithm.std(), atol=1e-4)


def test_a_missing_age_becomes_the_median_and_a_flag(small_set: AbrRecordings) -> None:
    age = small_set.age_years.copy()
    age[:4] = np.nan
    r = replace(small_set, age_years=age)
    scaler = AbrScaler.fit(r)
    z, missing = scaler.standardise_conditions(r)
    assert missing[:4, AGE].all()
    np.testing.assert_array_equal(missing[:, AGE], np.isnan(age))
    median = np.nanmedian(age)
    standard = scaler.conditions["age_years"]
    np.testing.assert_allclose(z[:4, AGE], (median - standard.mean) / standard.sd, rtol=1e-4)
    # A newborn is not a missing age.
    assert not missing[~np.isnan(age), AGE].any()


def test_a_condition_that_nobody_knows_is_flagged_everywhere(small_set: AbrRecordings) -> None:
    r = replace(small_set, fmp=np.full(len(small_set), np.nan, dtype=np.float32))
    scaler = AbrScaler.fit(r)
    z, missing = scaler.standardise_conditions(r)
    assert missing[:, FMP].all()
    assert (z[:, FMP] == 0).all()
    assert scaler.condition_range["fmp"] == (0.0, 0.0)


def test_a_constant_condition_is_zero_instead_of_infinite(small_set: AbrRecordings) -> None:
    r = replace(small_set, level_db_nhl=np.full(len(small_set), 70.1, dtype=np.float32))
    z, _ = AbrScaler.fit(r).standardise_conditions(r)
    np.testing.assert_allclose(z[:, LEVEL], 0, atol=1e-5)


def test_what_cannot_be_fitted_is_refused(small_set: AbrRecordings) -> None:
    flat = replace(small_set, signal_uv=np.full_like(small_set.signal_uv, 0.5))
    with pytest.raises(DataError, match="signals of the training split are constant"):
        AbrScaler.fit(flat)
    absent = small_set.select(~small_set.v_present)
    with pytest.raises(DataError, match="no value of wave V latency"):
        AbrScaler.fit(absent)
    n = len(small_set)
    unjudged = replace(small_set, v_marked=np.zeros(n, bool), v_present=np.zeros(n, bool))
    with pytest.raises(DataError, match="no recording in which wave V was judged"):
        AbrScaler.fit(unjudged)
    with pytest.raises(DataError, match="no value of x"):
        Standard.fit(np.array([np.nan]), "x")


def test_the_state_survives_a_checkpoint(scaler: AbrScaler, tmp_path: Path) -> None:
    torch.save({"scaler": scaler.state_dict()}, tmp_path / "last.pt")
    state = torch.load(tmp_path / "last.pt", weights_only=True)["scaler"]
    assert AbrScaler.from_state_dict(state) == scaler


def test_a_damaged_state_is_refused(scaler: AbrScaler) -> None:
    state = scaler.state_dict()
    for broken in ({}, {**state, "extra": 1}, {**state, "signal": {"mean": 0.0}}, {**state, "targets": {}}):
        with pytest.raises(DataError, match="not the state of an ABR scaler"):
            AbrScaler.from_state_dict(broken)
    with pytest.raises(DataError, match="not the state of an ABR scaler"):
        AbrScaler.from_state_dict({name: value for name, value in state.items() if name != "clip"})
