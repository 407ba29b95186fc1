"""Traces without labels: what is needed, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.unlabelled import check_traces, unlabelled, with_conditions
from neuroprism.core.errors import DataError, UnknownNameError, UserError


@pytest.fixture
def traces(small_set: AbrRecordings) -> np.ndarray:
    return small_set.signal_uv[:4].astype(np.float64)


def refusal(traces: np.ndarray, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        check_traces(unlabelled(traces, **{"sample_rate_hz": 20_000.0, **options}))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_traces_become_a_valid_set_in_microvolt(traces: np.ndarray) -> None:
    found = unlabelled(traces / 1e6, sample_rate_hz=20_000, unit="V", patient_id="a", ear="L")
    found = with_conditions(found, {"level_db_nhl": 80, "rate_hz": [33.1] * 4, "age_years": None})
    found.validate()
    np.testing.assert_allclose(found.signal_uv, traces, rtol=1e-6)
    assert found.window_ms == pytest.approx(12.8)
    assert np.isnan(found.age_years).all()
    assert not found.v_mask.any()
    assert len(unlabelled(traces[0], sample_rate_hz=20_000)) == 1


def test_the_sampling_rate_is_asked_for(traces: np.ndarray) -> None:
    assert "sampling rate of the traces is missing" in refusal(traces, sample_rate_hz=None)
    assert "must be positive" in refusal(traces, sample_rate_hz=-1.0)
    assert "start_ms" in refusal(traces, start_ms=np.nan)


def test_empty_and_no_numbers(traces: np.ndarray) -> None:
    assert "there is no recording" in refusal(np.empty((0, 256)))
    assert "there is no recording" in refusal(np.empty((2, 0)))
    assert "not a table of numbers" in refusal([[0.0, 1.0], [1.0]])  # type: ignore[arg-type]


def test_recordings_without_numbers_and_flat_ones_are_named(traces: np.ndarray) -> None:
    traces[1, 5] = np.inf
    assert refusal(traces).startswith("recording 2 has 1 non-finite samples")
    traces[2] = np.nan
    assert refusal(traces) == "recording 3 holds no number: it cannot be judged"
    traces[1:3] = 0.25
    assert refusal(traces) == "recording 2 is flat: every sample is 0.25 uV"


@pytest.mark.parametrize(
    ("factor", "guess"), [(1e-6, "volts or millivolts"), (1e6, "nanovolts or raw counts")]
)
def test_another_unit_is_noticed(traces: np.ndarray, factor: float, guess: str) -> None:
    assert guess in refusal(traces * factor)
    with pytest.raises(UnknownNameError, match="unknown unit 'volt'"):
        unlabelled(traces, sample_rate_hz=1.0, unit="volt")


def test_a_set_that_lost_its_scale_has_no_unit_to_check(traces: np.ndarray) -> None:
    check_traces(replace(unlabelled(traces * 1e3, sample_rate_hz=20_000), signal_unit="zscore"))


def test_conditions_have_names_limits_and_lengths(traces: np.ndarray) -> None:
    recordings = unlabelled(traces, sample_rate_hz=20_000)
    for conditions, said in (
        ({"levl_db_nhl": 80}, "did you mean 'level_db_nhl'"),
        ({"age_years": [1, 2, -3, 4]}, "age_years is -3 in recording 3"),
        ({"rate_hz": np.inf}, "rate_hz is inf"),
        ({"rate_hz": [1.0, 2.0]}, "one for each of the 4 recordings"),
        ({"rate_hz": "fast"}, "must be one number"),
    ):
        with pytest.raises(UserError, match=said):
            with_conditions(recordings, conditions)
