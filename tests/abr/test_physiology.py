from __future__ import annotations

import numpy as np
import pytest

from neuroprism.abr import physiology as p

LEVELS = np.arange(0.0, 101.0, 10.0)


def test_the_level_functions_have_the_fitted_values() -> None:
    latency = [9.64, 8.48, 7.62, 6.99, 6.52, 6.17, 5.92, 5.73, 5.59, 5.48, 5.41]
    amplitude = [0, 0.157, 0.258, 0.323, 0.364, 0.391, 0.409, 0.420, 0.427, 0.432, 0.435]
    np.testing.assert_allclose(p.v_latency_ms(LEVELS), latency, atol=0.006)
    np.testing.assert_allclose(p.v_amplitude_uv(LEVELS), amplitude, atol=0.0006)
    assert p.v_amplitude_uv(-20.0) == 0


@pytest.mark.parametrize(
    ("level", "latency_ms", "latency_sd", "amplitude_uv"),
    [(20.0, 7.60, 0.79, 0.256), (40.0, 6.59, 0.74, 0.368), (60.0, 5.88, 0.25, 0.407)],
)
def test_wave_v_of_adults_is_that_of_elberling_2010(
    level: float, latency_ms: float, latency_sd: float, amplitude_uv: float
) -> None:
    assert p.v_latency_ms(level) == pytest.approx(latency_ms, abs=0.2 * latency_sd)
    assert p.v_amplitude_uv(level) == pytest.approx(amplitude_uv, rel=0.02)


def test_latency_falls_and_amplitude_grows_with_level() -> None:
    fine = np.arange(0.0, 101.0, 1.0)
    assert (np.diff(p.v_latency_ms(fine)) < 0).all()
    assert (np.diff(p.v_amplitude_uv(fine)) > 0).all()


def test_rate_age_and_sex_shift_wave_v_as_published() -> None:
    # Don, Allen and Starr 1977; Jerger and Hall 1980.
    assert p.rate_shift_ms(100.0) - p.rate_shift_ms(10.0) == pytest.approx(0.5, abs=0.01)
    assert p.rate_shift_ms(5.0) == 0
    assert p.ageing_ms(55.0) - p.ageing_ms(25.0) == pytest.approx(0.2, abs=0.01)
    assert p.ageing_factor(55.0) / p.ageing_factor(25.0) == pytest.approx(0.9, abs=0.005)
    assert p.sex_shift_ms(2) - p.sex_shift_ms(1) == pytest.approx(0.2)
    assert p.sex_factor(1) / p.sex_factor(2) == pytest.approx(1.25)
    assert (p.sex_shift_ms(0), p.sex_factor(0)) == (0, 1)


def test_wave_v_matures_until_18_to_24_months() -> None:
    # Gorga 1989: the latency shortens until at least 18 months.
    months = np.array([0.0, 3.0, 6.0, 12.0, 18.0, 24.0])
    late = p.immaturity_ms(months / 12.0)
    assert (np.diff(late) < 0).all()
    assert late[0] == pytest.approx(1.2)
    assert late[-2] > 0.1 > late[-1]
    assert p.growth_factor(0.0) == 0.5
    assert p.growth_factor(10.0) == pytest.approx(1.0, abs=0.01)


def test_waves_widen_by_half_at_threshold() -> None:
    assert p.widening(0.0) == pytest.approx(1.5)
    assert p.widening(-10.0) == pytest.approx(1.5)
    assert p.widening(90.0) == pytest.approx(1.0, abs=0.01)
