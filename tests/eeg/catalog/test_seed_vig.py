"""SEED-VIG: one window a target; sorted files; two recordings of a person in one split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.seed_vig import SIGNALS, SPEC, TARGETS, cut, find
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.simulate.mat_files import cell, write_mat
from neuroprism.eeg.simulate.seed_vig import FILES
from neuroprism.eeg.split_rules import BySortedFiles

NAME = "4_20151105_noon.mat"
PERCLOS = np.array([[0.0], [0.25], [1.0]])


def noise(n_windows: int = 3) -> np.ndarray:
    return 10 * np.random.default_rng(0).standard_normal((n_windows * 1600, 17))


def saved(tmp_path: Path, eeg: object, targets: np.ndarray = PERCLOS, name: str = "perclos") -> Recording:
    write_mat(tmp_path / SIGNALS / NAME, {"EEG": eeg})
    write_mat(tmp_path / TARGETS / NAME, {name: targets})
    (recording,) = find(tmp_path).recordings
    return recording


def struct(**changed: Any) -> dict[str, Any]:
    content = {"data": noise(), "chn": cell(*SPEC.channels), "sample_rate": 200.0, **changed}
    return {name: value for name, value in content.items() if value is not None}


def test_published_counts_and_nobody_in_two_splits() -> None:
    assert sorted(FILES) == list(FILES)
    recordings = [Recording(key=name, paths=(), subject=name.split("_")[0]) for name in FILES]
    rule = SPEC.split
    assert isinstance(rule, BySortedFiles)
    assert rule.is_exact(recordings)
    plan = rule.plan(recordings)
    splits = [plan(r, 0) for r in recordings]
    # The published [:15], [15:19], [19:23], although subjects 4 and 5 have two recordings each.
    assert splits == ["train"] * 15 + ["val"] * 4 + ["test"] * 4
    assert {r.subject for r, split in zip(recordings, splits, strict=True) if split == "val"} == {"4", "5"}
    assert dict(SPEC.expected) == {"train": 15 * 885, "val": 4 * 885, "test": 4 * 885}
    assert sum(SPEC.expected.values()) == 23 * 885
    assert len({r.subject for r in recordings}) == SPEC.n_subjects


def test_windows_are_the_samples_of_the_file(tmp_path: Path) -> None:
    data = noise()
    recording = saved(tmp_path, struct(data=data))
    assert (recording.key, recording.subject) == ("4_20151105_noon", "4")
    windows = cut(recording)
    assert windows.values.shape == (3, 17, 1600)
    for k in range(3):
        expected = data[k * 1600 : (k + 1) * 1600].T.astype(np.float32)
        np.testing.assert_array_equal(windows.values[k], expected)
    assert windows.labels.dtype == np.float32
    assert windows.labels.tolist() == [0.0, 0.25, 1.0]
    assert windows.starts_s.tolist() == [0, 8, 16]


def test_channels_go_by_name_where_the_columns_are_named(tmp_path: Path) -> None:
    by_position = cut(saved(tmp_path / "a", struct())).values
    turned = struct(data=noise()[:, ::-1], chn=cell(*SPEC.channels[::-1]))
    np.testing.assert_array_equal(cut(saved(tmp_path / "b", turned)).values, by_position)
    # 18 names for 17 columns (with the reference): by position; no names: too.
    for chn in (cell(*SPEC.channels[:7], "CPZ", *SPEC.channels[7:]), None):
        np.testing.assert_array_equal(cut(saved(tmp_path / "c", struct(chn=chn))).values, by_position)


def test_the_targets_must_have_a_signal_each(tmp_path: Path) -> None:
    recording = saved(tmp_path, struct())
    (tmp_path / TARGETS / NAME).rename(tmp_path / TARGETS / "5_20151012_night.mat")
    with pytest.raises(DataError, match=r"no usable recording.*no file of that name in perclos_labels"):
        find(tmp_path)
    assert recording.paths == (tmp_path / SIGNALS / NAME, tmp_path / TARGETS / NAME)


@pytest.mark.parametrize("value", [-0.1, 1.2, np.nan])
def test_targets_outside_of_the_range(tmp_path: Path, value: float) -> None:
    recording = saved(tmp_path, struct(), np.array([[0.1], [value], [0.2]]))
    with pytest.raises(DataError, match=rf"perclos: {value:g} is outside of \[0, 1\]"):
        cut(recording)


def test_rounding_above_one_is_taken_as_one(tmp_path: Path) -> None:
    windows = cut(saved(tmp_path, struct(), np.array([[-1e-9], [0.5], [1 + 1e-9]])))
    assert windows.labels.tolist() == [0.0, 0.5, 1.0]


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with_nan = noise()
    with_nan[0, 16] = np.nan
    bad: list[tuple[object, str]] = [
        (struct(data=noise(4)), r"shape \(6400, 17\), expected \(4800, 17\): 8 s for each of 3 targets"),
        (struct(data=noise().T), r"shape \(17, 4800\), expected \(4800, 17\)"),
        (struct(data=noise()[:, :16]), r"shape \(4800, 16\)"),
        (struct(data=None), "no field 'data'; the struct has chn, sample_rate"),
        (struct(sample_rate=1000.0), "sampled at 1000 Hz; SEED-VIG is recorded at 200 Hz"),
        (struct(chn=cell(*SPEC.channels[:-1], "Fz")), "missing channel O2; the file has FT7"),
        (struct(data=with_nan), "channel O2 not finite"),
        (struct(data=noise() * 1e-6), "look like volts"),
        (noise(), "expected a struct with the field 'data'"),
    ]
    for eeg, message in bad:
        recording = saved(tmp_path, eeg)
        with pytest.raises(DataError, match=message) as caught:
            cut(recording)
        assert "\n" not in str(caught.value)
        assert str(recording.paths[0]) in str(caught.value)
    with pytest.raises(DataError, match="no variable 'perclos'; the file has label"):
        cut(saved(tmp_path, struct(), name="label"))
