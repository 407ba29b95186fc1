"""BCIC2020-3: provided splits, the last 3 s of a trial, test labels from the answer sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import load_workbook

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.bcic2020_3 import ANSWER_SHEET, SPEC, cut, find
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.simulate.mat_files import cell, write_mat, write_mat73

RawFolder = Callable[[str], Path]


def noise(n: int = 5) -> np.ndarray:
    return 10 * np.random.default_rng(0).standard_normal((795, 64, n))


def epochs(**changed: Any) -> dict[str, Any]:
    content = {"x": noise(), "y": np.eye(5), "clab": cell(*SPEC.channels), "fs": 256.0, **changed}
    return {name: value for name, value in content.items() if value is not None}


def saved(tmp_path: Path, content: dict[str, Any], name: str = "epo_train") -> Recording:
    write_mat(tmp_path / "Training set" / "Data_Sample02.mat", {name: content})
    (recording,) = find(tmp_path).recordings
    return recording


def test_published_counts() -> None:
    assert dict(SPEC.expected) == {"train": 15 * 300, "val": 15 * 50, "test": 15 * 50}
    assert SPEC.within_subject
    assert SPEC.class_names == ("hello", "help me", "stop", "thank you", "yes")


def test_splits_are_those_of_the_folders(own_copy: RawFolder) -> None:
    root = own_copy("BCIC2020-3")
    found = find(root)
    assert not found.skipped
    plan = SPEC.split.plan(found.recordings)
    splits = {r.key: (r.subject, plan(r, 0)) for r in found.recordings}
    assert splits["train_01"] == ("01", "train")
    assert splits["val_01"] == ("01", "val")
    assert splits["test_03"] == ("03", "test")
    assert len(splits) == 9
    (root / "Test set" / ANSWER_SHEET).unlink()
    found = find(root)
    assert len(found.recordings) == 6
    assert {s.what for s in found.skipped} == {f"Test set/Data_Sample0{k}.mat" for k in (1, 2, 3)}
    assert all("Answer Sheet" in s.reason for s in found.skipped)


def test_the_last_768_samples_by_channel_name(tmp_path: Path) -> None:
    x = 0.1 * noise()
    # Trial 3: a bump at 1.5 s of the last 3 s, in the column that the file calls PO8.
    x[:, 0, 2] += 80 * np.exp(-0.5 * ((np.arange(795) - (27 + 384)) / 4) ** 2)
    x[:27] = 1e4  # must not get in
    names = [SPEC.channels[-1], *SPEC.channels[:-1]]
    one_hot = np.eye(5)[:, [4, 0, 2, 1, 3]]
    windows = cut(saved(tmp_path, epochs(x=x, clab=cell(*names), y=one_hot)))
    assert windows.values.shape == (5, 64, 600)
    trial, channel, sample = np.unravel_index(windows.values.argmax(), windows.values.shape)
    assert (trial, channel) == (2, 63)
    assert abs(sample - 300) <= 1
    assert np.abs(windows.values).max() < 90
    assert windows.labels.tolist() == [4, 0, 2, 1, 3]


def test_without_names_and_rate_channels_go_by_position(tmp_path: Path) -> None:
    by_name = cut(saved(tmp_path / "a", epochs())).values
    by_position = cut(saved(tmp_path / "b", epochs(clab=None, fs=None))).values
    np.testing.assert_array_equal(by_name, by_position)


def test_test_files_have_the_labels_of_the_sheet(own_copy: RawFolder) -> None:
    root = own_copy("BCIC2020-3")
    # Whatever stands for the labels in a test file is not looked at.
    write_mat73(root / "Test set" / "Data_Sample02.mat", {"epo_test": epochs(x=noise(10), y="hidden")})
    recording = next(r for r in find(root).recordings if r.key == "test_02")
    page = load_workbook(root / "Test set" / ANSWER_SHEET)["Track3"]
    answers = [page.cell(4 + k, 5).value for k in range(10)]
    assert cut(recording).labels.tolist() == [answer - 1 for answer in answers]
    write_mat73(root / "Test set" / "Data_Sample02.mat", {"epo_test": epochs(x=noise(11), y=None)})
    with pytest.raises(DataError, match=r"11 trials, but 10 labels \(Track3_Answer Sheet_Test.xlsx\)"):
        cut(recording)


def test_the_two_versions_of_matlab_give_the_same(own_copy: RawFolder) -> None:
    root = own_copy("BCIC2020-3")
    content = epochs(x=noise(10), y=np.eye(5)[:, [0, 1, 2, 3, 4] * 2])
    write_mat(root / "Training set" / "Data_Sample01.mat", {"epo_train": content})
    write_mat73(root / "Test set" / "Data_Sample01.mat", {"epo_test": content})
    both = {r.key: cut(r).values for r in find(root).recordings if r.subject == "01"}
    np.testing.assert_array_equal(both["train_01"], both["test_01"])


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with_nan, two_hot = noise(), np.eye(5)
    with_nan[400, 3, 3] = np.nan
    two_hot[1, 0] = 1
    renamed = [*SPEC.channels[:-1], "Iz"]
    bad = [
        (epochs(x=None), "no field 'x'; the struct has y, clab, fs"),
        (epochs(y=None), "no field 'y' with the labels"),
        (epochs(x=noise()[:700]), "64 channels and 700 samples, expected 64 channels and at least 768"),
        (epochs(x=noise()[:, :60]), "60 channels and 795 samples, expected 64"),
        (epochs(clab=cell(*renamed)), "missing channel PO8; the file has Fp1"),
        (epochs(fs=250.0), "sampled at 250 Hz; BCIC2020-3 is recorded at 256 Hz"),
        (epochs(y=two_hot), "does not name one of 5 classes a trial"),
        (epochs(y="hidden"), "epo_train.y: expected numbers, found text"),
        (epochs(y=np.zeros((5, 5))), "does not name one of 5 classes a trial"),
        (epochs(y=np.eye(6)[:, :5]), "does not name one of 5 classes a trial"),
        (epochs(y=np.eye(5)[:, :4]), "5 trials, but 4 labels"),
        (epochs(x=with_nan), "channel F3 not finite"),
        (epochs(x="signal"), "expected numbers, found text"),
    ]
    for content, message in bad:
        recording = saved(tmp_path, content)
        with pytest.raises(DataError, match=message) as caught:
            cut(recording)
        assert "\n" not in str(caught.value)
        assert str(recording.paths[0]) in str(caught.value)
    with pytest.raises(DataError, match="no variable 'epo_train'; the file has epo_other"):
        cut(saved(tmp_path, epochs(), name="epo_other"))


def test_files_elsewhere_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "Elsewhere").mkdir()
    (tmp_path / "Elsewhere" / "Data_Sample01.mat").touch()
    with pytest.raises(DataError, match="not Data_SampleNN in one of the folders Training set"):
        find(tmp_path)
