"""ISRUC: channels by name, labels by identifier, counts that must agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.isruc import SPEC, channel, cut, find
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.simulate.edf_files import write_edf

EPOCH = 6000


def recording(folder: Path, labels: list[str], values: np.ndarray, stages: str, number: int = 7) -> Recording:
    path, text = folder / f"{number}.rec", folder / f"{number}_1.txt"
    write_edf(path, values, labels, 200)
    text.write_text("\n".join(stages) + "\n")
    return Recording(key=f"{number:03d}", paths=(path, text), subject=f"{number:03d}")


def tones(labels: list[str], n_epochs: int) -> np.ndarray:
    """Return a tone for each channel: 3 Hz for the first declared one, 4 Hz for the next; others 20 Hz."""
    times = np.arange(n_epochs * EPOCH) / 200
    names = [channel(label) for label in labels]
    wanted = list(SPEC.channels)
    hz = [3.0 + wanted.index(name) if name in wanted else 20.0 for name in names]
    return 50 * np.sin(2 * np.pi * np.array(hz)[:, None] * times)


def loudest_hz(window: np.ndarray) -> list[float]:
    spectrum = np.abs(np.fft.rfft(window, axis=-1))
    return [float(f) for f in np.round(np.fft.rfftfreq(EPOCH, 1 / 200)[spectrum.argmax(axis=-1)], 3)]


@pytest.mark.parametrize(
    "labels",
    [
        ["X1", "O2-A1", "LOC-A2", "C4-A1", "F4-A1", "O1-A2", "C3-A2", "F3-A2"],
        ["E1-M2", "F3-M2", "C3-M2", "O1-M2", "F4-M1", "C4-M1", "O2-M1"],
        ["F3_A2", "C3_A2", "O1_A2", "F4:A1", "C4:A1", "O2:A1"],
    ],
)
def test_channels_by_name_in_every_spelling_and_order(tmp_path: Path, labels: list[str]) -> None:
    windows = cut(recording(tmp_path, labels, tones(labels, 20), "0" * 20))
    assert windows.values.shape == (1, 20, 6, 6000)
    assert loudest_hz(windows.values[0, 10]) == [3, 4, 5, 6, 7, 8]


def test_electrodes_apart_are_subtracted(tmp_path: Path) -> None:
    labels = ["F3", "C3", "O1", "F4", "C4", "O2", "A1", "A2"]
    values = np.random.default_rng(0).standard_normal((8, 20 * EPOCH)) * 20
    apart = cut(recording(tmp_path, labels, values, "0" * 20))
    derived = values[:6] - values[[7, 7, 7, 6, 6, 6]]
    (tmp_path / "b").mkdir()
    together = cut(recording(tmp_path / "b", list(SPEC.channels), derived, "0" * 20))
    np.testing.assert_allclose(apart.values, together.values, atol=0.02)


def test_missing_derivations_are_named(tmp_path: Path) -> None:
    labels = ["LOC-A2", "ROC-A1", "C3-A2", "O1-A2", "C4-A1", "O2-A1", "X1"]
    made = recording(tmp_path, labels, tones(labels, 20), "0" * 20)
    with pytest.raises(DataError, match="missing channels F3-A2, F4-A1; the file has LOC-A2, ROC-A1, C3-A2"):
        cut(made)


def test_labels_and_sequences(tmp_path: Path) -> None:
    stages = "0123501235" * 4 + "555"
    labels = list(SPEC.channels)
    windows = cut(recording(tmp_path, labels, tones(labels, 43), stages))
    assert windows.values.shape == (2, 20, 6, 6000)
    assert windows.labels.shape == (2, 20)
    assert windows.labels[0].tolist() == [0, 1, 2, 3, 4] * 4
    assert windows.trials.tolist() == [0, 1]
    assert windows.starts_s.tolist() == [0.0, 600.0]
    assert [(s.what, s.reason) for s in windows.left_out] == [
        ("007: last 3 epochs", "fewer than 20 epochs are left")
    ]


def test_epochs_stay_in_their_order(tmp_path: Path) -> None:
    labels = list(SPEC.channels)
    values = tones(labels, 40)
    values *= np.repeat(np.linspace(0.5, 2, 40), EPOCH)
    windows = cut(recording(tmp_path, labels, values, "0" * 40))
    loudness = windows.values.std(axis=(2, 3)).ravel()
    assert (np.diff(loudness) > 0).all()


@pytest.mark.parametrize("n_labels", [40, 42])
def test_a_number_of_labels_that_is_not_the_number_of_epochs(tmp_path: Path, n_labels: int) -> None:
    labels = list(SPEC.channels)
    made = recording(tmp_path, labels, tones(labels, 41), "0" * n_labels)
    with pytest.raises(DataError, match=rf"7\.rec: 41 epochs of 30 s, but {n_labels} labels in 7_1\.txt"):
        cut(made)


def test_too_short_for_one_sequence(tmp_path: Path) -> None:
    labels = list(SPEC.channels)
    with pytest.raises(DataError, match="19 epochs, too few for one sequence of 20"):
        cut(recording(tmp_path, labels, tones(labels, 19), "0" * 19))


def test_pairs_by_number(own_copy: Callable[[str], Path]) -> None:
    folder = own_copy("ISRUC")
    found = find(folder)
    assert [r.key for r in found.recordings] == ["001", "081", "091"]
    for recording in found.recordings:
        number = int(recording.key)
        assert [p.name for p in recording.paths] == [f"{number}.rec", f"{number}_1.txt"]
    (folder / "81" / "81_1.txt").rename(folder / "81" / "81_2.txt")
    (folder / "91" / "91.rec").rename(folder / "91" / "night.rec")
    again = find(folder)
    assert [r.key for r in again.recordings] == ["001"]
    assert {s.what: s.reason for s in again.skipped} == {
        "81.rec": "no labels: 81_1.txt is missing",
        "night.rec": "not named by a subject number",
    }


def test_declared_split() -> None:
    recordings = [Recording(key=f"{n:03d}", paths=(), subject=f"{n:03d}") for n in range(1, 101)]
    plan = SPEC.split.plan(recordings)
    assert [plan(r, 0) for r in recordings] == ["train"] * 80 + ["val"] * 10 + ["test"] * 10
