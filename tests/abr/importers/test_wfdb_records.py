"""WFDB records: names, units, channels, and sweeps one behind the other."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.abr.importers import Declared, read_recordings
from neuroprism.core.errors import DataError

DECLARED: dict[str, Any] = {"window_start_ms": 0.0, "polarity": "unknown", "level_unit": "pespl"}


def write(folder: Path, name: str, signal: np.ndarray, **settings: Any) -> Path:
    folder.mkdir(exist_ok=True)
    columns = signal if signal.ndim == 2 else signal[:, None]
    defaults = {
        "fs": 48_000.0,
        "units": ["uV"] * columns.shape[1],
        "sig_name": ["ABR", "OAE"][: columns.shape[1]],
        "fmt": ["24"] * columns.shape[1],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import wfdb

        wfdb.wrsamp(name, p_signal=columns, write_dir=str(folder), **{**defaults, **settings})
    return folder / f"{name}.hea"


def wave(n: int = 600, peak_uv: float = 0.5) -> np.ndarray:
    return peak_uv * np.sin(np.arange(n) / 20.0) + np.random.default_rng(0).normal(0.0, 0.01, n)


def read(source: Path, **declared: Any) -> Any:
    return read_recordings(source, "wfdb", Declared(**{**DECLARED, **declared}))


def refusal(source: Path, **declared: Any) -> str:
    with pytest.raises(DataError) as refused:
        read(source, **declared)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("folder", "name", "patient", "level", "khz"),
    [
        ("N3", "N3evoked_ave_65_F1_R2", "N3", 65.0, "1"),
        ("x", "evoked_ave_N12_F4_R1_100", "N12", 100.0, "4"),
        ("HI7", "evoked-ave-80dB-F4-R1", "HI7", 80.0, "4"),
    ],
)
def test_names_are_understood_by_their_parts(
    folder: str, name: str, patient: str, level: float, khz: str, tmp_path: Path
) -> None:
    r = read(write(tmp_path / folder, name, wave())).recordings
    assert r.patient_id.tolist() == [f"wfdb:{patient}"]
    assert r.level_db.tolist() == [level]
    assert r.provenance["stimulus"] == f"tone {khz} kHz"
    assert r.provenance["level_unit"] == "dB peSPL"


def test_words_of_the_record_beat_its_name_and_flags_must_agree(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "N1_ave_30", wave(), comments=["stimulus level 55 dB SPL"])
    assert "the unit of the levels is spl, but --level-unit says pespl" in refusal(path)
    r = read(path, level_unit="spl").recordings
    assert r.level_db.tolist() == [55.0]
    assert "the level is 55.0, but --level-db says 60.0" in refusal(path, level_unit="spl", level_db=60.0)


def test_a_level_that_nobody_states_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "subject_one", wave())
    assert "does not say the level; declare it with --level-db" in refusal(path)
    assert read(path, level_db=70.0, patient="S1").recordings.patient_id.tolist() == ["wfdb:S1"]


@pytest.mark.parametrize(("unit", "scale"), [("uV", 1.0), ("mV", 1e-3), ("V", 1e-6), ("nV", 1e3)])
def test_units_of_the_header_count(unit: str, scale: float, tmp_path: Path) -> None:
    signal = wave()
    r = read(write(tmp_path / "a", "N1_ave_30", signal * scale, units=[unit])).recordings
    np.testing.assert_allclose(r.signal_uv[0], signal, atol=1e-4)


def test_a_unit_that_is_no_voltage_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "N1_ave_30", wave(), units=["NU"])
    assert "--unit uv|mv|v" in refusal(path)
    assert read(path, unit="uv").recordings.n_times == 600
    assert "--unit zscore means nothing" in refusal(path, unit="zscore")
    stated = write(tmp_path / "b", "N1_ave_30", wave())
    assert "is in uV, but --unit says mv" in refusal(stated, unit="mv")


def test_one_of_several_channels_must_be_chosen(tmp_path: Path) -> None:
    both = np.stack([wave(), wave(peak_uv=2.0)], axis=1)
    path = write(tmp_path / "a", "N1_ave_30", both)
    assert "has the channels ABR, OAE; choose one with --channel" in refusal(path)
    assert "did you mean 'ABR'" in refusal(path, channel="abr")
    r = read(path, channel="OAE").recordings
    np.testing.assert_allclose(r.signal_uv[0], both[:, 1], atol=1e-4)


def test_sweeps_are_averaged_with_the_noise_that_is_left(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    sweeps = 0.5 * np.sin(np.arange(2000) / 50.0) + rng.normal(0.0, 2.0, (40, 2000))
    sweeps[3] += 100.0 * np.sin(np.arange(2000) / 9.0)
    path = write(tmp_path / "a", "N1_raw_30", sweeps.ravel())
    assert "too long for one average" in refusal(path)
    assert "--samples-per-sweep" in refusal(path)
    imported = read(path, samples_per_sweep=2000, reject_uv=50.0)
    r = imported.recordings
    assert r.n_sweeps.tolist() == [39]
    assert imported.report.left_out == {"sweeps rejected": 1}
    kept = np.delete(sweeps, 3, axis=0)
    expected = (kept - kept.mean(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(r.signal_uv[0], expected, atol=1e-3)
    assert r.residual_noise_uv[0] == pytest.approx(2.0 / np.sqrt(39), rel=0.05)
    assert "every sweep reaches beyond --reject-uv 0.1" in refusal(
        path, samples_per_sweep=2000, reject_uv=0.1
    )
    assert "fewer than --samples-per-sweep" in refusal(path, samples_per_sweep=100_000)


def test_records_of_two_stimuli_are_kept_apart(tmp_path: Path) -> None:
    for khz in (1, 4):
        write(tmp_path / "N1", f"N1_ave_30_F{khz}", wave(peak_uv=khz))
    message = refusal(tmp_path / "N1")
    assert "has stimulus tone 1 kHz" in message
    assert "--match PATTERN" in message
    assert len(read(tmp_path / "N1", match="*_F4*").recordings) == 1
    assert "no files *.hea that match '*_F8*'" in refusal(tmp_path / "N1", match="*_F8*")


def test_a_record_is_named_without_its_extension_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "N1_ave_30", wave())
    assert len(read(path.with_suffix("")).recordings) == 1
    path.with_suffix(".dat").unlink()
    assert "cannot be read as a WFDB record" in refusal(path)
