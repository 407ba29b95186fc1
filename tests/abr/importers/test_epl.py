"""Files of the EPL suite: real ones, and damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.abr.importers import Declared, read_recordings
from neuroprism.core.errors import DataError

REAL = {"unit": "uv", "window_start_ms": 0.0, "polarity": "unknown", "level_unit": "spl"}
PEAK_TO_PEAK_UV = [0.674, 0.659, 0.891, 0.884, 1.074, 1.082, 1.289, 1.991, 2.913, 3.849, 4.855, 6.370]


def read(source: Path, **declared: Any) -> Any:
    return read_recordings(source, "epl", Declared(**{**REAL, **declared}))


def test_real_level_series_grows_with_level(real_data: Callable[[str], Path]) -> None:
    r = read(real_data("abr_epl") / "ABR-52-3").recordings
    assert r.level_db.tolist() == [10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80]
    assert (r.level_unit, r.n_times, r.sample_rate_hz, r.window_ms) == ("dB SPL", 1700, 100_000.0, 17.0)
    assert set(r.rate_hz) == {40.0}
    assert set(r.n_sweeps) == {512}
    assert set(r.ear_id) == {"epl:52/R"}
    assert r.provenance["stimulus"] == "tone 16.00 kHz"
    found = np.ptp(r.signal_uv[:, 100:800], axis=1)
    np.testing.assert_allclose(found, PEAK_TO_PEAK_UV, atol=6e-4)
    # From 20 dB on, where the response is out of the noise, it grows with every step but one of 0.007 uV.
    assert (np.diff(found[1:]) > -0.01).all()
    assert np.isnan(r.level_db_nhl).all()


def test_real_marks_are_taken_over(real_data: Callable[[str], Path]) -> None:
    imported = read(real_data("abr_epl") / "CAP-139-5")
    r = imported.recordings
    assert len(r) == 13
    first = r.wave_latency_ms[:, 0]
    assert first[r.level_db == 80].tolist() == [pytest.approx(1.79)]
    assert first[r.level_db == 0].tolist() == [pytest.approx(2.84)]
    assert r.wave_amplitude_uv[-1, 0] == pytest.approx(68.3336, abs=1e-3)
    assert not r.v_marked.any()
    assert np.isnan(r.threshold_db_nhl).all()
    assert "marks of waves from CAP-139-5-16.0kHz-analyzed.txt" in imported.report.notes
    # The marks stand at the peaks of the traces.
    for level in (80.0, 60.0, 40.0, 30.0):
        row = int(np.flatnonzero(r.level_db == level)[0])
        part = (r.time_ms > 1.4) & (r.time_ms < 2.6)
        peak_ms = r.time_ms[part][np.argmax(r.signal_uv[row, part])]
        assert peak_ms == pytest.approx(first[row], abs=0.011)


def test_real_marks_of_a_rater_can_be_chosen(real_data: Callable[[str], Path]) -> None:
    notes = read(real_data("abr_epl") / "CAP-139-5", rater="Brad").report.notes
    assert any("16.0kHz-Brad-analyzed.txt" in note for note in notes)
    with pytest.raises(DataError, match="no marks of rater 'Bard' beside it; did you mean 'Brad'"):
        read(real_data("abr_epl") / "CAP-139-5", rater="Bard")


def test_a_folder_of_real_series_is_read_as_one_set_if_they_fit(real_data: Callable[[str], Path]) -> None:
    r = read(real_data("abr_epl")).recordings
    assert len(r) == 25
    assert set(r.patient_id) == {"epl:52", "epl:139"}
    assert len(read(real_data("abr_epl"), match="ABR-*").recordings) == 12


def test_the_window_starts_where_it_is_said_to(real_data: Callable[[str], Path]) -> None:
    r = read(real_data("abr_epl") / "CAP-139-5", window_start_ms=-0.5).recordings
    assert r.start_ms == -0.5
    assert r.wave_latency_ms[-1, 0] == pytest.approx(1.29)


MARKS = (
    "Threshold (dB SPL): {}\nFrequency (kHz): 16.00\nNOTE: Negative latencies indicate no peak\n"
    "Level\tP1 Latency\tP1 Amplitude\tN1 Latency\tN1 Amplitude\tP5 Latency\tP5 Amplitude\tN5 Latency\t"
    "N5 Amplitude\t\n80.00\t1.5\t0.4\t2.0\t-0.2\t6.0\t0.5\t6.8\t-0.3\n"
    "60.00\t1.6\t0.3\t2.1\t-0.1\t-6.0\t0.1\t-6.8\t0.0\n"
)


def test_wave_v_is_judged_where_it_is_marked_and_absent_where_its_latency_is_negative(
    write_source: Any,
) -> None:
    signal_mv = write_source("epl").signal / 1000.0
    written = write_source("epl", signal_mv)
    written.source.with_name("ABR-52-5-16.0kHz-analyzed.txt").write_text(MARKS.format("45"))
    imported = read_recordings(written.source, "epl", Declared(**{**written.declared, "unit": "mv"}))
    r = imported.recordings
    assert r.v_marked.tolist() == [False, False, True, True]
    assert r.v_present.tolist() == [False, False, False, True]
    assert r.v_amplitude_uv[3] == pytest.approx(800.0)
    assert r.wave_amplitude_uv[3, 0] == pytest.approx(400.0)
    assert r.threshold_db_nhl.tolist() == [45.0] * 4
    assert r.threshold_provenance == "visual"


def test_thresholds_in_sound_pressure_are_not_taken_for_hearing_level(write_source: Any) -> None:
    written = write_source("epl")
    written.source.with_name("ABR-52-5-16.0kHz-analyzed.txt").write_text(MARKS.format("45"))
    imported = read_recordings(written.source, "epl", Declared(**{**written.declared, "level_unit": "spl"}))
    assert np.isnan(imported.recordings.threshold_db_nhl).all()
    assert imported.recordings.threshold_provenance == "none"
    assert "4 thresholds in dB SPL left out for the same reason" in imported.report.notes


def test_several_raters_need_a_choice(write_source: Any) -> None:
    written = write_source("epl")
    for rater in ("Ann", "Bob"):
        written.source.with_name(f"ABR-52-5-16.0kHz-{rater}-analyzed.txt").write_text(MARKS.format("None"))
    with pytest.raises(DataError, match="marks of raters Ann, Bob; choose one with --rater"):
        read_recordings(written.source, "epl", Declared(**written.declared))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b":DATA", b":DAT", "it has no :DATA"),
        (b":RUN-", b"#RUN-", "it does not begin with :RUN-"),
        (b":LEVELS:20;40;60;80;", b":LEVELS:20;x;60;80;", "LEVELS is 20;x;60;80"),
        (b":LEVELS:20;40;60;80;", b":LEVELS:", "it states no LEVELS"),
        (b":LEVELS:20;40;60;80;", b":LEVELS:20;40;60;", "sample 1 has 4 values for 3 levels"),
        (b"sec): 50\t", b"sec): \t", "does not say the sampling rate; declare it with --sample-rate-hz"),
    ],
)
def test_damage_is_named(old: bytes, new: bytes, message: str, write_source: Any) -> None:
    written = write_source("epl")
    content = written.source.read_bytes()
    assert old in content
    written.source.write_bytes(content.replace(old, new))
    with pytest.raises(DataError) as refused:
        read_recordings(written.source, "epl", Declared(**written.declared))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Level\t", "Levels\t", "it has no table of marks"),
        ("\t0.5\t6.8", "\tx\t6.8", "'x' is not a number"),
        ("\t0.5\t6.8", "\t6.8", "8 values for 9 columns"),
    ],
)
def test_damaged_marks_are_named(old: str, new: str, message: str, write_source: Any) -> None:
    written = write_source("epl")
    beside = written.source.with_name("ABR-52-5-16.0kHz-analyzed.txt")
    beside.write_text(MARKS.format("None").replace(old, new))
    with pytest.raises(DataError) as refused:
        read_recordings(written.source, "epl", Declared(**written.declared))
    assert message in str(refused.value)
    with pytest.raises(DataError, match="holds marks, not traces"):
        read_recordings(beside, "epl", Declared(**written.declared))
