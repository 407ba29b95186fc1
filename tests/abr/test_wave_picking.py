"""Picked waves on real averages with marks, and on traces whose peaks are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.abr.importers import Declared, read_recordings
from neuroprism.abr.importers.epl_marks import find_marks
from neuroprism.abr.wave_picking import following_trough, local_maxima, pick_interpeaks, pick_wave

TIME_MS = np.arange(256) * 0.05


def waves(*places_ms: float, height_uv: float = 1.0, sd_ms: float = 0.3) -> np.ndarray:
    """Return one trace of Gaussian waves, (1, 256)."""
    parts = [height_uv * np.exp(-0.5 * ((TIME_MS - ms) / sd_ms) ** 2) for ms in places_ms]
    return np.sum(parts, axis=0)[None, :].astype(np.float32)


def test_picked_peaks_stand_at_the_marks_of_a_real_level_series(real_data: Callable[[str], Path]) -> None:
    path = real_data("abr_epl") / "CAP-139-5"
    declared = Declared(unit="uv", window_start_ms=0.0, polarity="unknown", level_unit="spl")
    r = read_recordings(path, "epl", declared).recordings
    # The first wave in the columns of the file: P1, N1 and their amplitudes, by level.
    marks = find_marks(path, None)
    assert marks is not None
    lines = [line.split("\t") for line in marks.path.read_text(encoding="latin-1").splitlines()]
    start = next(k for k, line in enumerate(lines) if line[0] == "Level")
    marked = {float(line[0]): [float(x) for x in line[3:7]] for line in lines[start + 1 :]}

    expected = np.full(len(r), 2.0)
    latency, amplitude = pick_wave(r.signal_uv, r.time_ms, expected, reach_ms=0.6, trough_ms=1.3)
    near = np.abs(r.time_ms - 2.0) <= 0.6
    peak = np.where(near & local_maxima(r.signal_uv), r.signal_uv, -np.inf).argmax(axis=1)
    trough, bottom = following_trough(r.signal_uv, r.time_ms, peak, 1.3)
    np.testing.assert_allclose(amplitude, r.signal_uv[np.arange(len(r)), peak] - bottom, rtol=1e-6)
    tested = 0
    for row, level in enumerate(r.level_db.tolist()):
        if level < 25:
            continue
        tested += 1
        p1_ms, p1, n1_ms, n1 = marked[level]
        # Marks have steps of 0.01 ms; the parabola places the peak up to half a step beside a sample.
        assert latency[row] == pytest.approx(p1_ms, abs=0.0151)
        assert r.time_ms[trough[row]] == pytest.approx(n1_ms, abs=0.0401 if level == 25 else 0.0101)
        if level >= 35:
            # Marks were made on filtered traces, which are lower.
            assert 1.03 < r.signal_uv[row, peak[row]] / p1 < 1.08
            assert amplitude[row] / (p1 - n1) == pytest.approx(1.02, abs=0.015)
    assert tested == 8


def test_a_wave_is_placed_between_samples() -> None:
    latency, amplitude = pick_wave(waves(6.013), TIME_MS, np.array([6.3]), reach_ms=0.5)
    assert latency[0] == pytest.approx(6.013, abs=1e-3)
    assert amplitude[0] == pytest.approx(1.0, abs=0.01)


def test_the_largest_maximum_within_reach_counts_and_a_slope_does_not() -> None:
    trace = waves(5.0, height_uv=2.0) + waves(6.5)
    latency, _ = pick_wave(trace, TIME_MS, np.array([6.0]), reach_ms=0.8)
    # The flank of the larger wave is higher than the smaller wave, but is no maximum.
    assert latency[0] == pytest.approx(6.5, abs=0.05)
    latency, _ = pick_wave(trace, TIME_MS, np.array([6.0]), reach_ms=1.2)
    assert latency[0] == pytest.approx(5.0, abs=0.02)


@pytest.mark.parametrize("expected_ms", [9.0, 14.0, np.nan])
def test_without_a_maximum_within_reach_there_is_no_wave(expected_ms: float) -> None:
    latency, amplitude = pick_wave(waves(6.0), TIME_MS, np.array([expected_ms]), reach_ms=0.5)
    assert np.isnan(latency[0])
    assert np.isnan(amplitude[0])


def test_amplitude_reaches_to_the_trough_within_its_window() -> None:
    trace = waves(6.0) - waves(7.5, height_uv=0.5) - waves(11.0, height_uv=3.0)
    _, amplitude = pick_wave(trace, TIME_MS, np.array([6.0]), reach_ms=0.5, trough_ms=2.0)
    assert amplitude[0] == pytest.approx(1.5, abs=0.01)


def test_interpeak_intervals_are_the_distances_of_the_waves() -> None:
    trace = np.concatenate([waves(1.7, 3.72, 5.65, sd_ms=0.2), waves(3.72, 5.65, sd_ms=0.2)])
    expected = np.tile([1.6, 3.6, 5.5], (2, 1))
    intervals = pick_interpeaks(trace, TIME_MS, expected, reach_ms=0.4)
    np.testing.assert_allclose(intervals[0], [2.02, 1.93, 3.95], atol=0.01)
    assert np.isnan(intervals[1, [0, 2]]).all()
    assert intervals[1, 1] == pytest.approx(1.93, abs=0.01)
    assert np.isnan(pick_interpeaks(trace, TIME_MS, expected, reach_ms=0.4, least_uv=1.5)).all()
    unknown = pick_interpeaks(trace, TIME_MS, np.full((2, 3), np.nan), reach_ms=0.4)
    assert np.isnan(unknown).all()
