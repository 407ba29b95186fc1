"""Recordings of psiexperiment: stimuli, polarity, gaps, channels and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numcodecs.blosc import Blosc

from neuroprism.abr.importers import Declared, read_recordings
from neuroprism.abr.importers.zarr_array import open_zarr
from neuroprism.core.errors import DataError, UserError

CODEC = Blosc(cname="lz4", clevel=5, shuffle=1)


@pytest.fixture
def written(write_source: Callable[..., Any]) -> Any:
    return write_source("psi")


def read(written: Any, **declared: Any) -> Any:
    return read_recordings(written.source, "psi", Declared(**{**written.declared, **declared}))


def refusal(written: Any, **declared: Any) -> str:
    with pytest.raises(UserError) as refused:
        read(written, **declared)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def edit_table(written: Any, change: Callable[[list[str], int], list[str]], *names: str) -> None:
    """Change each row of the table of stimuli, and append names of columns."""
    table = written.source / "erp_metadata.csv"
    head, *rows = table.read_text().splitlines()
    changed = [",".join(change(row.split(","), k)) for k, row in enumerate(rows)]
    table.write_text("\n".join([",".join([head, *names]), *changed]) + "\n")


def edit_json(path: Path, changes: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def samples(written: Any) -> np.ndarray:
    return open_zarr(written.source / "eeg.zarr").read()


def write_samples(written: Any, values: np.ndarray) -> None:
    for k in range(-(-len(values) // 4000)):
        chunk = np.zeros(4000, "<f4")
        part = values[4000 * k : 4000 * (k + 1)]
        chunk[: len(part)] = part
        (written.source / "eeg.zarr" / str(k)).write_bytes(CODEC.encode(chunk))


def test_animal_ear_rate_and_sweeps_come_from_the_recording(written: Any) -> None:
    imported = read(written)
    r = imported.recordings
    assert set(r.patient_id) == {"psi:Mouse3"}
    assert set(r.ear) == {"L"}
    assert set(r.rate_hz) == {20.0}
    assert r.n_sweeps.tolist() == [5] * 4
    assert r.provenance["stimulus"] == "tone 8000 Hz"
    assert (r.residual_noise_uv < 1e-4).all()
    assert imported.report.left_out == {}


@pytest.mark.parametrize(
    ("folder", "animal", "ear"),
    [
        ("20240131-142536 Ada G17-2 right after noise abr_io", "psi:G17-2", "R"),
        ("20240131-142536 Ada G17-2 after noise abr_io", "psi:G17-2", "unknown"),
        ("Example_1 abr_io", "psi:Example_1 abr_io", "unknown"),
    ],
)
def test_names_of_folders_are_understood(folder: str, animal: str, ear: str, written: Any) -> None:
    written.source = written.source.rename(written.source.with_name(folder))
    r = read(written).recordings
    assert (set(r.patient_id), set(r.ear)) == ({animal}, {ear})
    named = read(written, patient="7", ear="L").recordings
    assert (set(named.patient_id), set(named.ear)) == ({"psi:7"}, {"L"})


def test_both_polarities_are_alternating_and_one_must_be_declared(written: Any) -> None:
    edit_table(written, lambda row, k: [*row, str(1 if k < 8 else -1)], "target_tone_polarity")
    assert set(read(written, polarity=None).recordings.polarity) == {"alternating"}
    assert "is alternating, but --polarity says rarefaction" in refusal(written, polarity="rarefaction")
    edit_table(written, lambda row, k: [*row[:-1], "1"])
    assert "of one polarity only, but --polarity says alternating" in refusal(written)
    assert set(read(written, polarity="rarefaction").recordings.polarity) == {"rarefaction"}


def test_one_of_several_tones_is_chosen(written: Any) -> None:
    edit_table(written, lambda row, k: [*row[:2], "8000.0" if k % 4 < 2 else "22627.417", *row[3:]])
    assert "has tones of 8000, 22627.4 Hz; choose one with --event" in refusal(written)
    r = read(written, events=("22627.4",)).recordings
    assert r.level_db_nhl.tolist() == [60.0, 80.0]
    assert r.provenance["stimulus"] == "tone 22627.4 Hz"
    assert "has no stimulus '8'" in refusal(written, events=("8",))
    assert "import 8000 and 22627.4 apart" in refusal(written, events=("8000", "22627.4"))


def test_clicks_have_no_frequency(written: Any) -> None:
    table = written.source / "erp_metadata.csv"
    text = table.read_text().replace("target_tone_level", "target_click_level")
    table.write_text(text.replace("target_tone_frequency", "duration"))
    r = read(written).recordings
    assert r.provenance["stimulus"] == "click"
    assert r.level_db_nhl.tolist() == [20.0, 40.0, 60.0, 80.0]


def test_a_gap_is_not_silence(written: Any) -> None:
    before = read(written).recordings.signal_uv
    # Samples 4000 to 7999, in which five of the twenty sweeps lie.
    (written.source / "eeg.zarr" / "1").unlink()
    assert np.isnan(samples(written)[4000:8000]).all()
    imported = read(written)
    assert imported.recordings.n_sweeps.sum() == 15
    assert imported.report.left_out == {"sweeps without a signal": 5}
    np.testing.assert_allclose(imported.recordings.signal_uv, before, atol=1e-4)
    filtered = read(written, highpass_hz=50.0).recordings
    assert filtered.n_sweeps.sum() == 15
    for k in (0, 2):
        (written.source / "eeg.zarr" / str(k)).unlink()
    assert "holds 1 of 4 chunks" in refusal(written)


def test_sweeps_of_zeros_and_large_ones_are_left_out(written: Any) -> None:
    values = samples(written)
    expected = read(written).recordings.signal_uv
    values[300:500] = 0.0
    values[1100:1300] += 90e-6 * np.sin(np.arange(200))
    write_samples(written, values)
    imported = read(written, reject_uv=50.0)
    assert imported.recordings.n_sweeps.tolist() == [4, 4, 5, 5]
    assert imported.report.left_out == {"sweeps rejected": 1, "sweeps without a signal": 1}
    np.testing.assert_allclose(imported.recordings.signal_uv, expected, atol=1e-4)
    assert "no sweep at 20 dB can be used" in refusal(written, reject_uv=1e-3)


def test_sweeps_beyond_the_recording_are_left_out(written: Any) -> None:
    imported = read(written, window_ms=30.0)
    assert imported.report.left_out == {"sweeps outside the recording": 1}
    assert imported.recordings.n_sweeps.tolist() == [5, 5, 5, 4]
    early = read(written, window_start_ms=-16.0, window_ms=20.0)
    assert early.report.left_out == {"sweeps outside the recording": 1}
    assert "no sweep at 20 dB" in refusal(written, window_start_ms=-100_000.0)


def test_drift_is_filtered_before_averaging(written: Any) -> None:
    clean = read(written, highpass_hz=50.0).recordings.signal_uv
    values = samples(written)
    write_samples(written, values + 40e-6 * np.sin(2 * np.pi * 2.0 * np.arange(len(values)) / 20_000.0))
    plain, filtered = (read(written, **extra).recordings.signal_uv for extra in ({}, {"highpass_hz": 50.0}))
    assert np.abs(filtered - clean).max() < 0.1 * np.abs(plain - clean).max()
    assert "is not below half of the sampling rate" in refusal(written, highpass_hz=10_000.0)


def test_one_of_several_channels_is_chosen(written: Any) -> None:
    array = written.source / "eeg.zarr"
    values = samples(written)
    both = np.stack([values, 2.0 * values]).astype("<f4")
    edit_json(array / ".zarray", {"shape": list(both.shape), "chunks": [2, 4000]})
    for k in range(4):
        (array / str(k)).unlink()
        chunk = np.zeros((2, 4000), "<f4")
        part = both[:, 4000 * k : 4000 * (k + 1)]
        chunk[:, : part.shape[1]] = part
        (array / f"0.{k}").write_bytes(CODEC.encode(chunk))
    assert "has 2 channels; choose one with --channel, 1 to 2" in refusal(written)
    first, second = (read(written, channel=name).recordings.signal_uv for name in ("1", "2"))
    np.testing.assert_allclose(second, 2.0 * first, atol=1e-4)
    assert "has no channel '3'" in refusal(written, channel="3")


def test_recordings_of_a_folder_make_one_set(written: Any, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(written.source, written.source.with_name("Mouse4_timepoint0_right abr_io"))
    written.source = written.source.parent
    r = read(written).recordings
    assert set(r.ear_id) == {"psi:Mouse3/L", "psi:Mouse4/R"}
    assert set(read(written, match="*right*").recordings.ear) == {"R"}
    assert "in a folder that matches '*both*'" in refusal(written, match="*both*")


def test_the_unit_is_the_users_word(written: Any) -> None:
    assert refusal(written, unit="uv").endswith("is the unit uv right?")
    assert "--unit zscore means nothing" in refusal(written, unit="zscore")


def test_uncompressed_chunks_and_other_types_are_read(written: Any) -> None:
    values = samples(written)
    array = written.source / "eeg.zarr"
    edit_json(array / ".zarray", {"compressor": None, "dtype": ">f8"})
    for k in range(4):
        (array / str(k)).write_bytes(values[4000 * k : 4000 * (k + 1)].astype(">f8").tobytes())
    np.testing.assert_array_equal(samples(written), values)


REFUSED: dict[str, tuple[str, Mapping[str, Any], str]] = {
    "codec": (".zarray", {"compressor": {"id": "pickle"}}, "only blosc or none"),
    "filters": (".zarray", {"filters": [{"id": "pickle"}]}, "only blosc or none"),
    "type": (".zarray", {"dtype": "|O"}, "holds samples of type |O"),
    "axes": (".zarray", {"shape": [2, 2, 4000]}, "which is no signal"),
    "empty": (".zarray", {"shape": [0]}, "which is no signal"),
    "size": (".zarray", {"chunks": [4001]}, "its size is not what it says"),
    "no rate": (".zattrs", {"fs": None}, "does not say its sampling rate fs"),
    "gain": (".zattrs", {"gain_correction": 2}, "states gain_correction 2"),
    "latency": (".zattrs", {"latency_correction": 0.001}, "states latency_correction 0.001"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_is_said_in_one_line(case: str, written: Any) -> None:
    name, changes, expected = REFUSED[case]
    edit_json(written.source / "eeg.zarr" / name, changes)
    assert expected in refusal(written)


def test_version_3_and_files_are_refused(written: Any) -> None:
    (written.source / "eeg.zarr" / "zarr.json").write_text("{}")
    assert "version 3" in refusal(written)
    packed = written.source.with_suffix(".zip")
    packed.write_bytes(b"PK")
    written.source = packed
    assert "unpacked" in refusal(written)


def test_a_damaged_table_is_one_line(written: Any) -> None:
    table = written.source / "erp_metadata.csv"
    whole = table.read_text()
    for old, new, expected in (
        ("t0", "t9", "has no column of the times t0"),
        ("target_tone_level", "loudness", "has no column of the levels"),
        (",40.0,", ",loud,", "target_tone_level is 'loud', not a number"),
        (",40.0,", ",nan,", "target_tone_level is 'nan', not a number"),
    ):
        table.write_text(whole.replace(old, new))
        assert expected in refusal(written)
    table.write_text(whole.splitlines()[0] + "\n")
    assert "holds no stimulus" in refusal(written)


def test_without_the_codec_one_line_names_the_extra(written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numcodecs.blosc", None)
    message = refusal(written)
    assert message.endswith('to read it, pip install "neuroprism[psi]"')
    with pytest.raises(DataError, match="no recordings at"):
        read_recordings(written.source / "nowhere", "psi", Declared(**written.declared))
