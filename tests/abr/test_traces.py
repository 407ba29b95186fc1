from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from neuroprism.abr.columns import WAVE_V, WAVES
from neuroprism.abr.ears import draw_ears, draw_levels
from neuroprism.abr.traces import (
    MEASURED_MS,
    TROUGH_AFTER_V_MS,
    TROUGH_SHARE,
    TROUGH_WIDTH_MS,
    clean_traces,
    measure_wave_v,
)
from neuroprism.abr.waves import Waves, draw_waves

TIME_MS = np.arange(round(MEASURED_MS * 20)) * 0.05


def drawn_waves() -> Waves:
    rng = np.random.default_rng(4)
    ears = draw_ears(60, "balanced", rng)
    ear, level = draw_levels(ears, rng)
    return draw_waves(ears, ear, level, rng)


def only(wave: str, *, latency_ms: float, height_uv: float, width_ms: float) -> Waves:
    place = WAVES.index(wave)
    present = np.zeros((1, 7), dtype=bool)
    present[0, place] = True
    return Waves(
        latency_ms=np.where(present, latency_ms, np.nan),
        height_uv=np.where(present, height_uv, 0.0),
        width_ms=np.full((1, 7), width_ms),
        present=present,
    )


def test_a_wave_is_a_gaussian_of_its_height_and_place() -> None:
    trace = clean_traces(only("III", latency_ms=3.7, height_uv=0.25, width_ms=0.22), TIME_MS)[0]
    expected = 0.25 * np.exp(-0.5 * ((TIME_MS - 3.7) / 0.22) ** 2)
    np.testing.assert_allclose(trace, expected, atol=1e-6)


@pytest.mark.parametrize("width_ms", [0.30, 0.36, 0.5])
def test_a_lone_wave_v_spans_its_amplitude_from_peak_to_trough(width_ms: float) -> None:
    waves = only("V", latency_ms=6.013, height_uv=0.4, width_ms=width_ms)
    latency, amplitude = measure_wave_v(clean_traces(waves, TIME_MS), TIME_MS, np.array([6.013]))
    assert amplitude[0] == pytest.approx(0.4, rel=0.005)

    # The same shape, maximised continuously by another method.
    def minus(t: float) -> float:
        v = np.exp(-0.5 * ((t - 6.013) / width_ms) ** 2)
        late = t - 6.013 - TROUGH_AFTER_V_MS
        return -float(v - TROUGH_SHARE * np.exp(-0.5 * (late / TROUGH_WIDTH_MS) ** 2))

    peak = minimize_scalar(minus, bounds=(5.6, 6.4), method="bounded", options={"xatol": 1e-6})
    assert latency[0] == pytest.approx(peak.x, abs=0.003)
    # The trough pulls the peak a little forward.
    assert -0.12 < latency[0] - 6.013 <= 0


def test_latency_and_amplitude_are_what_a_reader_of_the_clean_trace_finds() -> None:
    waves = drawn_waves()
    traces = clean_traces(waves, TIME_MS)
    v = np.flatnonzero(waves.present[:, WAVE_V])
    latency, amplitude = measure_wave_v(traces[v], TIME_MS, waves.latency_ms[v, WAVE_V])
    for row, ms, uv in zip(v[::17], latency[::17], amplitude[::17], strict=True):
        trace = traces[row].astype(float)
        near = np.flatnonzero(np.abs(TIME_MS - waves.latency_ms[row, WAVE_V]) <= 0.45)
        peak = near[np.argmax(trace[near])]
        after = trace[peak : peak + 70]
        assert ms == pytest.approx(TIME_MS[peak], abs=0.026)
        assert uv == pytest.approx(trace[peak] - after.min(), abs=1e-6)
        # It is a peak, not the edge of the search.
        assert trace[peak] >= max(trace[peak - 1], trace[peak + 1])
    shift = latency - waves.latency_ms[v, WAVE_V]
    assert np.abs(shift).max() < 0.25
    np.testing.assert_allclose(amplitude.mean(), waves.height_uv[v, WAVE_V].mean(), rtol=0.06)


def test_absent_waves_leave_a_flat_trace() -> None:
    waves = drawn_waves()
    silent = ~waves.present.any(axis=1)
    traces = clean_traces(waves, TIME_MS)
    assert silent.any()
    assert (traces[silent] == 0).all()
    assert (np.abs(traces[~silent]).max(axis=1) > 0).all()


def test_the_measurement_does_not_depend_on_the_sampling() -> None:
    waves = drawn_waves()
    fine_ms = np.arange(round(MEASURED_MS * 200)) * 0.005
    v = np.flatnonzero(waves.present[:, WAVE_V])[::7]
    expected = waves.latency_ms[v, WAVE_V]
    coarse = measure_wave_v(clean_traces(waves, TIME_MS)[v], TIME_MS, expected)
    fine = measure_wave_v(clean_traces(waves, fine_ms)[v], fine_ms, expected)
    np.testing.assert_allclose(coarse[0], fine[0], atol=0.01)
    np.testing.assert_allclose(coarse[1], fine[1], rtol=0.02)
