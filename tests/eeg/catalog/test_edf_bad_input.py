"""What can be wrong with an EDF recording: for each dataset one clear line that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import edfio
import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog import datasets
from neuroprism.eeg.recordings import Recording

NAMES = ["CHB-MIT", "ISRUC", "MentalArithmetic", "Mumtaz2016", "PhysioNet-MI", "TUAB", "TUEV"]


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest, own_copy: Callable[[str], Path]) -> tuple[str, Recording]:
    """Name of a dataset and its first simulated recording, which the test may damage."""
    return request.param, datasets[request.param].find(own_copy(request.param)).recordings[0]


def change(path: Path, alter: Callable[[int, edfio.EdfSignal], edfio.EdfSignal | None]) -> None:
    """Write a file anew with every signal as `alter` returns it."""
    edf = edfio.read_edf(path.read_bytes())
    altered = [alter(k, signal) for k, signal in enumerate(edf.signals)]
    kept = [signal for signal in altered if signal is not None]
    edfio.Edf(kept, annotations=edf.annotations or None).write(path)


def like(signal: edfio.EdfSignal, data: np.ndarray, rate: float | None = None) -> edfio.EdfSignal:
    span = max(float(np.abs(data).max()), 1e-6)
    return edfio.EdfSignal(
        data,
        rate or signal.sampling_frequency,
        label=signal.label,
        physical_dimension="uV",
        physical_range=(float(f"{-1.1 * span:.2g}"), float(f"{1.1 * span:.2g}")),
    )


def refusal(case: tuple[str, Recording]) -> str:
    name, recording = case
    with pytest.raises(DataError) as caught:
        datasets[name].cut(recording)
    text = str(caught.value)
    assert "\n" not in text
    assert recording.paths[0].name in text
    return text


def test_truncated(case: tuple[str, Recording]) -> None:
    path = case[1].paths[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert "truncated" in refusal(case)


def test_missing_channel(case: tuple[str, Recording]) -> None:
    path = case[1].paths[0]
    label = edfio.read_edf(path.read_bytes()).signals[3].label
    change(path, lambda _, signal: None if signal.label == label else signal)
    text = refusal(case)
    assert "missing channel" in text
    assert "the file has" in text


def test_wrong_rate(case: tuple[str, Recording]) -> None:
    change(
        case[1].paths[0], lambda _, signal: like(signal, signal.data[: 100 * (len(signal.data) // 100)], 100)
    )
    assert f"sampled at 100 Hz; {case[0]} is recorded at" in refusal(case)


def test_volts_under_the_name_of_microvolt(case: tuple[str, Recording]) -> None:
    change(case[1].paths[0], lambda _, signal: like(signal, signal.data * 1e-6))
    assert "the values look like volts" in refusal(case)


def test_flat_channel(case: tuple[str, Recording]) -> None:
    label = edfio.read_edf(case[1].paths[0].read_bytes()).signals[3].label
    change(
        case[1].paths[0],
        lambda k, signal: like(signal, np.zeros(len(signal.data))) if k == 3 else signal,
    )
    text = refusal(case)
    assert "flat" in text
    short = label.removeprefix("EEG ").removesuffix("-REF").removesuffix("-LE").rstrip(".")
    assert short.casefold() in text.casefold()


def test_not_an_edf_file(case: tuple[str, Recording]) -> None:
    case[1].paths[0].write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "not an EDF file" in refusal(case)


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    for name in NAMES:
        with pytest.raises(DataError, match=r"expected .*"):
            datasets[name].find(tmp_path)
        with pytest.raises(DataError, match="no such folder"):
            datasets[name].find(tmp_path / "none")
