"""FACED: three windows from each clip, labels by clip, pickles that may not do anything."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.faced import CLIP_LABELS, SPEC, cut, find
from neuroprism.eeg.recordings import Recording


def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((28, 32, 7500), dtype=np.float32) * 10


def saved(tmp_path: Path, clips: object) -> Recording:
    path = tmp_path / "sub007.pkl"
    path.write_bytes(pickle.dumps(clips))
    return Recording(key="sub007", paths=(path,), subject="007")


def test_published_counts() -> None:
    assert len(CLIP_LABELS) == 28
    assert Counter(CLIP_LABELS) == {k: 4 if SPEC.class_names[k] == "neutral" else 3 for k in range(9)}
    recordings = [Recording(key=f"sub{k:03d}", paths=(), subject=f"{k:03d}") for k in range(123)]
    plan = SPEC.split.plan(recordings)
    assert Counter(plan(r, 0) for r in recordings) == {"train": 80, "val": 20, "test": 23}
    assert {s: 84 * n for s, n in Counter(plan(r, 0) for r in recordings).items()} == dict(SPEC.expected)
    assert sum(SPEC.expected.values()) == 10_332 == 84 * 123


def test_a_sine_lands_in_its_window_at_its_time(tmp_path: Path) -> None:
    clips = 0.1 * noise()
    # Clip 6, channel 5: 22 s to 23 s at 250 Hz; that is the third window, from 2 s.
    clips[5, 4, 5500:5750] += 50 * np.sin(2 * np.pi * 10 * np.arange(250) / 250)
    windows = cut(saved(tmp_path, clips))
    assert windows.values.shape == (84, 32, 2000)
    power = (windows.values**2).reshape(84, 32, 10, 200).mean(axis=-1)
    assert np.unravel_index(power.argmax(), power.shape) == (5 * 3 + 2, 4, 2)
    found = windows.values[17, 4, 420:580]
    np.testing.assert_allclose(found, 50 * np.sin(2 * np.pi * 10 * np.arange(20, 180) / 200), atol=5)
    power[17, 4, 1:4] = 0
    assert power.max() < 3


def test_labels_trials_and_times(tmp_path: Path) -> None:
    windows = cut(saved(tmp_path, noise()))
    assert windows.labels.tolist() == [label for label in CLIP_LABELS for _ in range(3)]
    assert windows.trials.tolist() == [clip for clip in range(28) for _ in range(3)]
    np.testing.assert_array_equal(windows.starts_s, 10.0 * np.arange(84))
    assert [SPEC.class_names[k] for k in windows.labels[[0, 35, 36, 47, 48, 83]]] == [
        *("anger", "sadness", "neutral", "neutral", "amusement", "tenderness")
    ]


def test_found_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "Processed_data"
    folder.mkdir()
    for name in ("sub000.pkl", "sub122.pkl", "De.pkl"):
        (folder / name).touch()
    found = find(tmp_path)
    assert [(r.key, r.subject) for r in found.recordings] == [("sub000", "000"), ("sub122", "122")]
    assert [s.what for s in found.skipped] == ["De.pkl"]


class Command:
    """On unpickling, makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with_nan, flat = noise(), noise()
    with_nan[3, 7, 100] = np.nan
    flat[:, 31] = 1.0
    made = tmp_path / "made"
    bad: list[tuple[object, str]] = [
        (noise()[:27], r"array of shape \(27, 32, 7500\), expected \(28, 32, 7500\)"),
        (noise()[:, :30], r"array of shape \(28, 30, 7500\)"),
        (with_nan, "channel FC1 not finite"),
        (flat, "channel O2 flat"),
        (noise() * 1e-6, "look like volts"),
        ([1, 2], "holds list, not an array"),
        (Command(made), "mkdir"),
    ]
    for content, message in bad:
        recording = saved(tmp_path, content)
        with pytest.raises(DataError, match=message) as caught:
            cut(recording)
        assert "\n" not in str(caught.value)
        assert str(recording.paths[0]) in str(caught.value)
    assert not made.exists()
