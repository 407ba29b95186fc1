"""SHU-MI: every trial is a window; subjects by number; labels 1 and 2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.shu_mi import SPEC, cut, find
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.simulate.mat_files import write_mat

NAME = "sub-016_ses-03_task_motorimagery_eeg.mat"


def noise(n: int = 6) -> np.ndarray:
    return 10 * np.random.default_rng(0).standard_normal((n, 32, 1000))


def saved(tmp_path: Path, **variables: np.ndarray) -> Recording:
    write_mat(tmp_path / NAME, variables)
    (recording,) = find(tmp_path).recordings
    return recording


def test_the_published_split_is_75_25_25_files() -> None:
    recordings = [
        Recording(key=f"{n}_{day}", paths=(), subject=f"{n:03d}") for n in range(1, 26) for day in range(1, 6)
    ]
    plan = SPEC.split.plan(recordings)
    assert [plan(r, 0) for r in recordings] == ["train"] * 75 + ["val"] * 25 + ["test"] * 25


def test_labels_and_signal(tmp_path: Path) -> None:
    data = 0.1 * noise()
    time = np.arange(1000) / 250
    data[4, 30] += 40 * np.sin(2 * np.pi * 11 * time)
    labels = np.array([[1, 2, 2, 1, 2, 1]], dtype=np.uint8)
    recording = saved(tmp_path, data=data, labels=labels)
    assert (recording.subject, recording.session) == ("016", "03")
    windows = cut(recording)
    assert windows.values.shape == (6, 32, 800)
    assert windows.labels.tolist() == [0, 1, 1, 0, 1, 0]
    assert SPEC.class_names == ("left hand", "right hand")
    power = (windows.values**2).mean(axis=-1)
    assert np.unravel_index(power.argmax(), power.shape) == (4, 30)
    # At 200 Hz, the same sine; the polyphase filter leaves the inside of a trial as it is.
    expected = 40 * np.sin(2 * np.pi * 11 * np.arange(800) / 200)
    np.testing.assert_allclose(windows.values[4, 30, 40:-40], expected[40:-40], atol=5)
    assert windows.starts_s.tolist() == [0, 4, 8, 12, 16, 20]
    assert windows.trials.tolist() == list(range(6))


def test_all_simulated_trials_are_used(simulated: Callable[[str], Path]) -> None:
    found = find(simulated("SHU-MI"))
    plan = SPEC.split.plan(found.recordings)
    counts = Counter(plan(r, 0) for r in found.recordings for _ in range(len(cut(r))))
    assert counts == {"train": 50, "val": 50, "test": 50}


def test_other_names_are_skipped(tmp_path: Path) -> None:
    for name in (NAME, "sub-016_ses-03_task_motorimagery_events.mat"):
        (tmp_path / name).touch()
    assert [s.what for s in find(tmp_path).skipped] == ["sub-016_ses-03_task_motorimagery_events.mat"]
    (tmp_path / NAME).unlink()
    with pytest.raises(DataError, match=r"no usable recording; expected .*; sub-016"):
        find(tmp_path)


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    labels = np.array([[1, 2, 2, 1, 2, 1]])
    with_nan, flat = noise(), noise()
    with_nan[5, 0, 0] = np.inf
    flat[:, 2] = 0
    bad = [
        ({"eeg": noise(), "labels": labels}, "no variable 'data'; the file has eeg, labels"),
        ({"data": noise()}, "no variable 'labels'; the file has data"),
        (
            {"data": noise()[:, :31], "labels": labels},
            r"shape \(6, 31, 1000\), expected \(trials, 32, 1000\)",
        ),
        ({"data": noise()[..., :999], "labels": labels}, r"shape \(6, 32, 999\)"),
        ({"data": noise(), "labels": labels[:, :5]}, "6 trials, but 5 labels"),
        ({"data": noise(), "labels": labels - 1}, "label 0; labels are 1"),
        ({"data": noise(), "labels": labels + 0.5}, "label 1.5; labels are 1"),
        ({"data": with_nan, "labels": labels}, "channel Fp1 not finite"),
        ({"data": flat, "labels": labels}, "channel Fz flat"),
        ({"data": noise() * 1e-6, "labels": labels}, "look like volts"),
    ]
    for variables, message in bad:
        recording = saved(tmp_path, **variables)
        with pytest.raises(DataError, match=message) as caught:
            cut(recording)
        assert "\n" not in str(caught.value)
        assert str(recording.paths[0]) in str(caught.value)
    recording.paths[0].write_bytes(recording.paths[0].read_bytes()[:5000])
    with pytest.raises(DataError, match="damaged"):
        cut(recording)
