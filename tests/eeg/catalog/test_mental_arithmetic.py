"""MentalArithmetic: the published windows, from the real recordings and from their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.mental_arithmetic import DATASET, SPEC, cut, find
from neuroprism.eeg.recordings import Recording

LENGTHS = {"Subject04_1": 34, "Subject10_1": 37, "Subject31_1": 16}
"""Rest recordings that do not last 180 s, and their windows."""


def test_counts_of_the_real_recordings(real_data: Callable[[str], Path]) -> None:
    found = find(real_data("mental_arithmetic"))
    assert not found.skipped
    plan = SPEC.split.plan(found.recordings)
    counts: Counter[tuple[str | None, int]] = Counter()
    for recording in found.recordings:
        windows = cut(recording)
        expected = 12 if recording.session == "2" else LENGTHS.get(recording.key, 36)
        assert windows.values.shape == (expected, 20, 1000), recording.key
        assert 1 < np.median(np.abs(windows.values)) < 50
        counts[plan(recording, 0), int(windows.labels[0])] += len(windows)
    # The whole validation split is among the shared recordings: 172 windows, 48 of the task.
    if sum(r.subject in {"28", "29", "30", "31"} for r in found.recordings) == 8:
        assert (counts["val", 0], counts["val", 1]) == (124, 48)
    if len(found.recordings) == 72:
        assert {s: counts[s, 0] + counts[s, 1] for s in ("train", "val", "test")} == SPEC.expected
        assert [counts[s, 1] for s in ("train", "val", "test")] == [336, 48, 48]


def test_real_windows_equal_a_plain_resampling(real_data: Callable[[str], Path]) -> None:
    import mne

    path = real_data("mental_arithmetic") / "Subject00_2.edf"
    raw = mne.io.read_raw_edf(path, preload=True, verbose="ERROR")
    raw.pick([f"EEG {name}" for name in SPEC.channels])
    expected = raw.resample(200, method="polyphase", verbose="ERROR").get_data(units="uV")
    windows = cut(Recording(key="Subject00_2", paths=(path,), subject="00", session="2"))
    joined = np.concatenate(list(windows.values), axis=1)
    inner = slice(200, -200)
    assert np.abs(joined - expected[:, : joined.shape[1]])[:, inner].max() < 0.05


def test_the_published_split_by_number() -> None:
    recordings = [
        Recording(key=f"Subject{n:02d}_{k}", paths=(), subject=f"{n:02d}", session=str(k))
        for n in range(36)
        for k in (1, 2)
    ]
    plan = SPEC.split.plan(recordings)
    splits = [plan(recording, 0) for recording in recordings]
    # The same as positions in the sorted file list: 56, 8, 8.
    assert splits == ["train"] * 56 + ["val"] * 8 + ["test"] * 8
    assert sum(SPEC.expected.values()) == 1707


def test_labels_follow_the_file_name(simulated: Callable[[str], Path]) -> None:
    found = find(simulated("MentalArithmetic"))
    assert {r.key for r in found.recordings} == {
        f"Subject{n}_{k}" for n in ("00", "28", "32") for k in (1, 2)
    }
    for recording in found.recordings:
        windows = DATASET.cut(recording)
        assert set(windows.labels) == {int(recording.key.endswith("_2"))}
        np.testing.assert_allclose(np.diff(windows.starts_s), 5.0)


def test_other_files_are_named(own_copy: Callable[[str], Path]) -> None:
    folder = own_copy("MentalArithmetic")
    (folder / "Subject00_1.edf").rename(folder / "first.edf")
    skipped = find(folder).skipped
    assert [(s.what, s.reason) for s in skipped] == [("first.edf", "not named SubjectNN_1 or SubjectNN_2")]
    other = folder / "other"
    other.mkdir()
    (folder / "first.edf").rename(other / "first.edf")
    with pytest.raises(
        DataError, match=r"no usable recording; expected SubjectNN_1.*; first\.edf: not named"
    ):
        find(other)
