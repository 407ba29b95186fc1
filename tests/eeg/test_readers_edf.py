"""EDF files are read by channel name in microvolt; a file that is not what its header says is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import edfio
import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.edf import misfit, read_edf
from neuroprism.eeg.readers.edf_header import read_edf_header
from neuroprism.eeg.readers.raw_folder import files_below
from neuroprism.eeg.simulate.edf_files import write_edf

N_HEADER_RECORDS = slice(236, 244)


@pytest.fixture
def signal() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 2000)) * np.array([[10.0], [20.0], [30.0]])


@pytest.fixture
def path(tmp_path: Path, signal: np.ndarray) -> Path:
    path = tmp_path / "a.edf"
    events = [(2.5, 4.1, "T1"), (1.0, 4.2, "T0")]
    write_edf(path, signal, ["EEG C3", "EEG Cz", "ECG ECG"], 200, events=events)
    return path


def message_of(act: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def patch(path: Path, where: slice, content: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[where] = content.ljust(where.stop - where.start)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("extension", [".edf", ".rec", ".EDF", ""])
def test_signals_by_name_in_microvolt_whatever_the_extension(
    path: Path, signal: np.ndarray, extension: str, caplog: pytest.LogCaptureFixture
) -> None:
    renamed = path.rename(path.with_name(f"b{extension}"))
    with caplog.at_level(logging.INFO):
        found = read_edf(renamed, ["Cz", "C3"], name_of=lambda label: label.removeprefix("EEG "))
    assert found.sample_rate_hz == 200
    # 16 bit over the range of each channel.
    np.testing.assert_allclose(found.signal_uv, signal[[1, 0]], atol=2 * 80 / 2**16)
    assert [(e.onset_s, e.duration_s, e.text) for e in found.events] == [(1.0, 4.2, "T0"), (2.5, 4.1, "T1")]
    assert not caplog.records


def test_agrees_with_edfio(path: Path) -> None:
    found = read_edf(path, ["EEG C3", "ECG ECG"])
    expected = edfio.read_edf(path)
    for row, label in zip(found.signal_uv, ("EEG C3", "ECG ECG"), strict=True):
        np.testing.assert_allclose(row, expected.get_signal(label).data, atol=1e-9)


def test_header(path: Path) -> None:
    header = read_edf_header(path)
    assert header.labels == ("EEG C3", "EEG Cz", "ECG ECG")
    assert header.rates_hz == (200.0, 200.0, 200.0)
    assert header.units == ("uV", "uV", "uV")
    assert header.duration_s == 10.0
    assert not header.is_bdf


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1e3), ("V", 1e6), ("uV", 1.0), ("", 1.0)])
def test_units(tmp_path: Path, unit: str, factor: float) -> None:
    values = np.linspace(-1, 1, 200)
    edfio.Edf([edfio.EdfSignal(values, 100, label="C3", physical_dimension=unit)]).write(tmp_path / "a.edf")
    found = read_edf(tmp_path / "a.edf", ["C3"])
    np.testing.assert_allclose(found.signal_uv[0], factor * values, atol=1e-4 * factor)


def test_a_unit_that_is_no_voltage(tmp_path: Path) -> None:
    signal = edfio.EdfSignal(np.linspace(-1, 1, 200), 100, label="C3", physical_dimension="%")
    edfio.Edf([signal]).write(tmp_path / "a.edf")
    assert "channel C3 has the unit '%'" in message_of(lambda: read_edf(tmp_path / "a.edf", ["C3"]))


def test_slower_channels_change_neither_rate_nor_signal(tmp_path: Path) -> None:
    values = np.random.default_rng(1).standard_normal(1000) * 10
    edfio.Edf(
        [
            edfio.EdfSignal(values, 100, label="C3", physical_dimension="uV", physical_range=(-60, 60)),
            edfio.EdfSignal(np.tile(values, 4), 400, label="EMG", physical_dimension="uV"),
            edfio.EdfSignal(values[:10], 1, label="SpO2", physical_dimension="%"),
        ]
    ).write(tmp_path / "a.edf")
    found = read_edf(tmp_path / "a.edf", ["C3"])
    assert found.sample_rate_hz == 100
    np.testing.assert_allclose(found.signal_uv[0], values, atol=2e-3)
    text = message_of(lambda: read_edf(tmp_path / "a.edf", ["C3", "EMG"]))
    assert text.endswith("channels of different rates: 100, 400 Hz")


def test_of_two_channels_with_one_name_the_first_is_read(tmp_path: Path) -> None:
    values = np.arange(200.0)
    write_edf(tmp_path / "a.edf", np.stack([values, -values, 2 * values]), ["T8-P8", "C3", "T8-P8"], 100)
    found = read_edf(tmp_path / "a.edf", ["C3", "T8-P8"])
    np.testing.assert_allclose(found.signal_uv, [-values, values], atol=0.02)


def test_missing_channels(path: Path) -> None:
    text = message_of(lambda: read_edf(path, ["EEG C3", "EEG Pz", "EEG Oz"]))
    assert text == f"{path}: missing channels EEG Pz, EEG Oz; the file has EEG C3, EEG Cz, ECG ECG"


def test_truncated_files_are_refused_though_mne_would_read_them(path: Path) -> None:
    whole = path.read_bytes()
    for n_bytes in (len(whole) - 1, len(whole) - 3000, 1100, 300):
        path.write_bytes(whole[:n_bytes])
        assert "truncated" in message_of(lambda: read_edf(path, ["EEG C3"])) or n_bytes == 300
        message_of(lambda: read_edf(path, ["EEG C3"]))


def test_a_file_longer_than_its_header_says_is_damaged(path: Path) -> None:
    # What a conversion of line endings does to a binary file.
    path.write_bytes(path.read_bytes() + b"\r" * 10)
    assert "damaged" in message_of(lambda: read_edf(path, ["EEG C3"]))


def test_a_recording_that_was_not_stopped_has_the_length_of_its_file(path: Path) -> None:
    patch(path, N_HEADER_RECORDS, b"-1")
    assert read_edf_header(path).duration_s == 10
    assert read_edf(path, ["EEG C3"]).signal_uv.shape == (1, 2000)
    path.write_bytes(path.read_bytes()[:-10])
    assert "truncated within a record" in message_of(lambda: read_edf(path, ["EEG C3"]))


def test_an_interrupted_recording(path: Path) -> None:
    patch(path, slice(192, 197), b"EDF+D")
    assert read_edf_header(path).duration_s == 10  # marked as interrupted, but without a gap
    data = path.read_bytes()
    late = data.replace(b"+5\x14\x14", b"+8\x14\x14", 1)
    assert late != data
    path.write_bytes(late)
    assert message_of(lambda: read_edf(path, ["EEG C3"])) == f"{path}: the recording is interrupted after 5 s"


@pytest.mark.parametrize("content", [b"", b"not a recording", b"\0" * 5000, b"0".ljust(256)])
def test_files_that_are_no_edf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.edf"
    path.write_bytes(content)
    assert str(path) in message_of(lambda: read_edf(path, ["C3"]))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read" in message_of(lambda: read_edf(tmp_path / "none.edf", ["C3"]))


def test_bdf(tmp_path: Path) -> None:
    values = np.random.default_rng(2).standard_normal(400) * 30
    signal = edfio.BdfSignal(values, 200, label="C3", physical_dimension="uV", physical_range=(-200.0, 200.0))
    edfio.Bdf([signal]).write(tmp_path / "a.bdf")
    found = read_edf(tmp_path / "a.bdf", ["C3"])
    np.testing.assert_allclose(found.signal_uv[0], values, atol=1e-4)


def test_misfit_says_why_by_the_header_alone(path: Path) -> None:
    assert misfit(path, ["EEG C3"], [200.0]) == ""
    assert misfit(path, ["EEG C3"], [160.0, 256.0]) == "sampled at 200 Hz, not 160 or 256 Hz"
    assert misfit(path, (), [160.0]) == "sampled at 200 Hz, not 160 Hz"
    assert "missing channel Pz" in misfit(path, ["Pz"], [200.0])
    path.write_bytes(b"damaged")
    assert misfit(path, ["EEG C3"], [200.0]) == ""


def test_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("b/1.edf", "a/2.edf", "a/1.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.name for p in files_below(tmp_path, "*.edf", "x")] == ["1.edf", "2.edf"]
    assert message_of(lambda: files_below(tmp_path, "*.rec", "N.rec")).endswith(
        "no file *.rec; expected N.rec"
    )
    assert message_of(lambda: files_below(tmp_path / "c", "*", "x")).endswith("c: no such folder")
