"""CHB-MIT: labels by overlap, extra windows of seizures for training only, no invented channels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.chb_mit import SPEC, cut, find
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.simulate.chb_mit import LABELS
from neuroprism.eeg.simulate.edf_files import write_edf


def recording(
    folder: Path, seizures: list[tuple[int, int]], *, seconds: int = 65, labels: list[str] | None = None
) -> Recording:
    """Write one file of a case with its summary."""
    labels = labels or LABELS
    path, summary = folder / "chb01_01.edf", folder / "chb01-summary.txt"
    values = np.random.default_rng(0).standard_normal((len(labels), seconds * 256)) * 20
    write_edf(path, values, labels, 256)
    lines = [f"File Name: {path.name}", f"Number of Seizures in File: {len(seizures)}"]
    for k, (start, end) in enumerate(seizures, start=1):
        lines += [f"Seizure {k} Start Time: {start} seconds", f"Seizure {k} End Time: {end} seconds"]
    summary.write_text("\n".join(lines))
    return Recording(key="chb01_01", paths=(path, summary), subject="chb01", session="01")


def test_labels_by_overlap_also_inside_a_long_seizure(tmp_path: Path) -> None:
    windows = cut(recording(tmp_path, [(12, 45)]))
    regular = windows.trials == 0
    np.testing.assert_array_equal(windows.starts_s[regular], [0, 10, 20, 30, 40, 50])
    # The windows from 20 and 30 s hold neither end of the seizure.
    np.testing.assert_array_equal(windows.labels[regular], [0, 1, 1, 1, 1, 0])


def test_a_seizure_that_ends_where_a_window_begins_does_not_touch_it(tmp_path: Path) -> None:
    windows = cut(recording(tmp_path, [(12, 20)]))
    np.testing.assert_array_equal(windows.labels[windows.trials == 0], [0, 1, 0, 0, 0, 0])


def test_extra_windows_are_whole_overlap_their_seizure_and_know_its_number(tmp_path: Path) -> None:
    windows = cut(recording(tmp_path, [(12, 30), (50, 64)]))
    first, second = (windows.starts_s[windows.trials == k] for k in (1, 2))
    np.testing.assert_array_equal(first, [11, 16, 21, 26])
    np.testing.assert_array_equal(second, [49, 54])  # from 59 s no whole window is left
    assert set(windows.labels[windows.trials > 0]) == {1}
    assert windows.values.shape[1:] == (16, 2000)


def test_extra_windows_are_pieces_of_the_same_signal(tmp_path: Path) -> None:
    windows = cut(recording(tmp_path, [(12, 30)]))
    joined = np.concatenate(list(windows.values[windows.trials == 0]), axis=1)
    for value, start in zip(windows.values, windows.starts_s, strict=True):
        first = round(start * 200)
        np.testing.assert_array_equal(value, joined[:, first : first + 2000])


def test_only_training_uses_extra_windows(simulated: Callable[[str], Path]) -> None:
    found = find(simulated("CHB-MIT"))
    plan = SPEC.split.plan(found.recordings)
    splits = {r.subject: (plan(r, 0), plan(r, 1), plan(r, 2)) for r in found.recordings}
    assert splits == {
        "chb01": ("train", "train", "train"),
        "chb21": ("val", None, None),
        "chb23": ("test", None, None),
    }
    assert "training only" in SPEC.split.text


def test_declared_split() -> None:
    recordings = [Recording(key=f"chb{n:02d}_01", paths=(), subject=f"chb{n:02d}") for n in range(1, 25)]
    plan = SPEC.split.plan(recordings)
    assert [plan(r, 0) for r in recordings] == ["train"] * 20 + ["val"] * 2 + ["test"] * 2


def test_of_two_channels_t8_p8_the_first_is_used(tmp_path: Path) -> None:
    assert LABELS.count("T8-P8") == 2
    made = recording(tmp_path, [])
    windows = cut(made)
    values = np.random.default_rng(0).standard_normal((len(LABELS), 65 * 256)) * 20
    row = SPEC.channels.index("T8-P8")
    first = resample(values[LABELS.index("T8-P8")], 65 * 200)
    found = np.concatenate(list(windows.values), axis=1)[row]
    assert np.corrcoef(first[200:11_800], found[200:11_800])[0, 1] > 0.98


def test_a_missing_channel_is_an_error_and_never_zeros(tmp_path: Path) -> None:
    labels = [label for label in LABELS if label not in ("FP1-F7", "C4-P4")]
    made = recording(tmp_path, [], labels=labels)
    with pytest.raises(DataError, match="missing channels FP1-F7, C4-P4; the file has F7-T7, "):
        cut(made)


def test_what_cannot_be_used_is_named(own_copy: Callable[[str], Path]) -> None:
    folder = own_copy("CHB-MIT")
    case = folder / "chb01"
    values = np.random.default_rng(0).standard_normal((16, 512)) * 20
    write_edf(case / "chb01_04.edf", values[:15], SPEC.channels[:15], 256)
    write_edf(case / "chb01_05.edf", values, SPEC.channels, 256)
    write_edf(case / "chb01_06+.edf", values, SPEC.channels, 256)
    write_edf(folder / "chb12" / "chb12_06.edf", values, SPEC.channels, 256)
    with (case / "chb01-summary.txt").open("a") as file:
        file.write("\nFile Name: chb01_04.edf\nNumber of Seizures in File: 0\n")
    found = find(folder)
    assert len(found.recordings) == 6
    assert {s.what: s.reason for s in found.skipped} == {
        "chb01_04.edf": f"missing channel P4-O2; the file has {', '.join(SPEC.channels[:15])}",
        "chb01_05.edf": "not listed in chb01-summary.txt, so that its seizures are unknown",
        "chb01_06+.edf": "not named chbNN_MM",
        "chb12_06.edf": "the montage of chb12 changes; the protocol does not use it",
    }


def test_a_file_that_its_summary_does_not_list(tmp_path: Path) -> None:
    made = recording(tmp_path, [])
    made.paths[1].write_text("File Name: chb01_02.edf\nNumber of Seizures in File: 0\n")
    with pytest.raises(DataError, match=r"chb01_01\.edf: not listed in chb01-summary\.txt"):
        cut(made)


def test_recordings_without_a_summary(own_copy: Callable[[str], Path]) -> None:
    folder = own_copy("CHB-MIT")
    for path in folder.rglob("*-summary.txt"):
        path.unlink()
    with pytest.raises(DataError, match=r"no file \*-summary\.txt"):
        find(folder)
