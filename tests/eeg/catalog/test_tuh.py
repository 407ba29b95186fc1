"""TUEV and TUAB: derivations, events, parts and diagnoses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog import tuab, tuev
from neuroprism.eeg.readers.edf import read_edf
from neuroprism.eeg.readers.tuh import electrode, electrodes, read_derivations
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.signal import condition
from neuroprism.eeg.simulate.edf_files import write_edf
from neuroprism.eeg.simulate.tuh import LABELS, letters

SECONDS = 20


def tuev_recording(folder: Path, rows: str, rate: int = 250) -> Recording:
    path = folder / "aaaaaaar_00000001.edf"
    values = np.random.default_rng(0).standard_normal((len(LABELS), SECONDS * rate)) * 30
    write_edf(path, values, LABELS, rate)
    path.with_suffix(".rec").write_text(rows)
    return Recording(
        key="train_x", paths=(path, path.with_suffix(".rec")), subject="aaaaaaar", provided="train"
    )


def test_channels_are_differences_of_electrodes(tmp_path: Path) -> None:
    made = tuev_recording(tmp_path, "0,5.0,6.0,1\n")
    found = read_derivations(made.paths[0], tuev.SPEC)
    names = electrodes(tuev.SPEC)
    apart = read_edf(made.paths[0], names, name_of=electrode)
    conditioned = condition(apart.signal_uv, 250.0, tuev.SPEC.preprocessing)
    for row, channel in zip(found, tuev.SPEC.channels, strict=True):
        anode, cathode = channel.split("-")
        expected = conditioned[names.index(anode)] - conditioned[names.index(cathode)]
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_each_row_is_a_sample_with_its_second_in_the_middle(tmp_path: Path) -> None:
    rows = "3,5.0,6.0,1\n7,5.0,6.0,2\n0,10.5,11.5,6\n"
    made = tuev_recording(tmp_path, rows)
    windows = tuev.cut(made)
    assert windows.values.shape == (3, 16, 1000)
    assert windows.labels.tolist() == [0, 1, 5]
    assert windows.starts_s.tolist() == [3.0, 3.0, 8.5]
    np.testing.assert_array_equal(windows.values[0], windows.values[1])
    signal = read_derivations(made.paths[0], tuev.SPEC)
    np.testing.assert_allclose(windows.values[2], signal[:, 1700:2700], rtol=1e-6)


def test_at_its_ends_a_recording_continues_with_its_other_end(tmp_path: Path) -> None:
    made = tuev_recording(tmp_path, "0,0.5,1.5,1\n0,19.0,20.0,2\n")
    windows = tuev.cut(made)
    signal = read_derivations(made.paths[0], tuev.SPEC)
    tiled = np.concatenate([signal, signal, signal], axis=1)  # as the published preprocessing does
    n = signal.shape[1]
    for value, start in zip(windows.values, (-1.5, 17.0), strict=True):
        first = n + round(start * 200)
        np.testing.assert_allclose(value, tiled[:, first : first + 1000], rtol=1e-6)


def test_events_that_do_not_fit_are_named(tmp_path: Path) -> None:
    windows = tuev.cut(tuev_recording(tmp_path, "0,5.0,6.0,1\n0,5.0,8.0,1\n0,25.0,26.0,1\n"))
    assert len(windows) == 1
    assert [s.what for s in windows.left_out] == ["train_x: 5 to 8 s", "train_x: 25 to 26 s"]


def test_tuev_parts_subjects_and_what_is_missing(own_copy: Callable[[str], Path]) -> None:
    folder = own_copy("TUEV")
    train, eval_ = folder / "edf" / "train", folder / "edf" / "eval"
    name = letters(99)
    values = np.random.default_rng(0).standard_normal((len(LABELS), 500)) * 30
    write_edf(train / name / f"{name}_00000001.edf", values, LABELS, 250)
    ears = [label.replace("-REF", "-LE") for label in LABELS]
    write_edf(train / name / f"{name}_00000002.edf", values, ears, 250)
    (train / name / f"{name}_00000002.rec").write_text("0,0.5,1.5,1\n")
    write_edf(folder / "lost.edf", values, LABELS, 250)
    found = tuev.find(folder)
    assert {(r.subject, r.provided) for r in found.recordings} == {
        ("aaaaaaau", "train"),
        ("aaaaaaav", "train"),
        ("000", "test"),
    }
    assert (eval_ / "000" / "bckg_000_a_.rec").is_file()
    reasons = {s.what: s.reason for s in found.skipped}
    assert reasons[f"{name}_00000001.edf"] == f"no events: {name}_00000001.rec is missing"
    assert "missing channels FP1, F7" in reasons[f"{name}_00000002.edf"]
    assert reasons["lost.edf"] == "in neither of the folders train and eval"


def test_tuab_labels_and_folders(own_copy: Callable[[str], Path]) -> None:
    folder = own_copy("TUAB")
    values = np.random.default_rng(0).standard_normal((len(LABELS), 512)) * 30
    write_edf(folder / "edf" / "train" / "normal" / "03_tcp_ar_a" / "a_s001_t000.edf", values, LABELS, 256)
    found = tuab.find(folder)
    assert {s.what for s in found.skipped} == {"a_s001_t000.edf"}
    for recording in found.recordings:
        windows = tuab.cut(recording)
        assert windows.values.shape == (8, 16, 2000)
        assert set(windows.labels) == {int("abnormal" in str(recording.paths[0]))}
    plan = tuab.SPEC.split.plan(found.recordings)
    assert {(r.group, plan(r, 0)) for r in found.recordings} == {
        (group, split) for group in ("normal", "abnormal") for split in ("train", "val", "test")
    }


def test_a_person_with_normal_and_abnormal_recordings_is_in_one_split() -> None:
    recordings = [
        Recording(
            key=f"train_{group}_{letters(k)}_s001_t000",
            paths=(),
            subject=letters(k),
            group=group,
            provided="train",
        )
        for group, numbers in (("normal", range(20)), ("abnormal", range(15, 40)))
        for k in numbers
    ]
    plan = tuab.SPEC.split.plan(recordings)
    splits: dict[str, set[str | None]] = {}
    for recording in recordings:
        splits.setdefault(recording.subject, set()).add(plan(recording, 0))
    assert all(len(names) == 1 for names in splits.values())
    assert {name for names in splits.values() for name in names} == {"train", "val"}


@pytest.mark.parametrize("rate", [250, 256, 512])
def test_declared_rates(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a_s001_t000.edf"
    values = np.random.default_rng(0).standard_normal((len(LABELS), SECONDS * rate)) * 30
    write_edf(path, values, LABELS, rate)
    windows = tuab.cut(Recording(key="a", paths=(path,), subject="a", group="normal", provided="train"))
    assert windows.values.shape == (2, 16, 2000)


def test_another_rate(tmp_path: Path) -> None:
    made = tuev_recording(tmp_path, "0,5.0,6.0,1\n", rate=400)
    with pytest.raises(DataError, match="sampled at 400 Hz; TUEV is recorded at 250, 256 Hz"):
        tuev.cut(made)


def test_letters_count_up() -> None:
    assert [letters(n) for n in (0, 25, 26)] == ["aaaaaaaa", "aaaaaaaz", "aaaaaaba"]
