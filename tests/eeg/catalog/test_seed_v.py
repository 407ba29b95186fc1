"""SEED-V: clips of an hour-long recording, read in parts as if it were read whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.seed_v import SPEC, cut, find
from neuroprism.eeg.readers.cnt import open_cnt
from neuroprism.eeg.readers.seed_v_clips import CLIPS, FILE_NAME, LABELS
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.signal import condition, windows_at
from neuroprism.eeg.simulate.cnt_writer import write_cnt
from neuroprism.eeg.simulate.seed_v import CHANNELS

STARTS = [3, 7, 9, *range(30, 42)]
ENDS = [5, 9, 10, *range(31, 43)]
DURATION_S = 44


def raw_folder(
    tmp_path: Path, signal: np.ndarray, *, rate_hz: int = 1000, channels: list[str] = CHANNELS
) -> Recording:
    """Write a recording of visit 2 with clips of 1 s and 2 s; return what is found."""
    write_cnt(tmp_path / "EEG_raw" / "3_2_20180902.cnt", signal, channels, rate_hz)
    (tmp_path / FILE_NAME).write_text(f"Session 2:\nstart_second: {STARTS}\nend_second: {ENDS}\n")
    (recording,) = find(tmp_path).recordings
    return recording


def noise(rate_hz: int = 1000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return 10 * rng.standard_normal((len(CHANNELS), DURATION_S * rate_hz), dtype=np.float32)


def test_published_counts_follow_from_the_table() -> None:
    plan = SPEC.split.plan([])
    recording = Recording(key="a", paths=(), subject="1")
    seconds: Counter[str | None] = Counter()
    for clips in CLIPS.values():
        for trial, (start, end) in enumerate(clips):
            seconds[plan(recording, trial)] += end - start
    assert {split: 16 * n for split, n in seconds.items()} == dict(SPEC.expected)
    assert dict(SPEC.expected) == {"train": 34_432, "val": 42_960, "test": 40_352}
    assert SPEC.within_subject


def test_62_of_66_channels() -> None:
    assert len(SPEC.channels) == 62
    assert len(CHANNELS) == 66
    assert [name for name in CHANNELS if name in SPEC.channels] == list(SPEC.channels)
    assert set(CHANNELS) - set(SPEC.channels) == {"M1", "M2", "VEO", "HEO"}


def test_a_sine_lands_in_its_clip_second_and_channel(tmp_path: Path) -> None:
    signal = 0.1 * noise()
    # CB2 during the second second of the second clip, 8 s to 9 s.
    row = CHANNELS.index("CB2")
    signal[row, 8000:9000] += 50 * np.sin(2 * np.pi * 20 * np.arange(1000) / 1000)
    windows = cut(raw_folder(tmp_path, signal))
    assert windows.values.shape == (17, 62, 200)
    power = (windows.values**2).mean(axis=-1)
    assert np.unravel_index(power.argmax(), power.shape) == (3, 61)
    expected = 50 * np.sin(2 * np.pi * 20 * np.arange(200) / 200)
    np.testing.assert_allclose(windows.values[3, 61, 20:180], expected[20:180], atol=4)
    assert windows.starts_s.tolist() == [3, 4, 7, 8, 9, *range(30, 42)]
    assert windows.trials.tolist() == [0, 0, 1, 1, *range(2, 15)]
    assert windows.labels.tolist() == [LABELS[2][trial] for trial in windows.trials]


def test_reading_in_parts_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = np.cumsum(noise(), axis=1) / 30
    recording = raw_folder(tmp_path, signal)
    cnt = open_cnt(recording.paths[0])
    rows = [CHANNELS.index(name) for name in SPEC.channels]
    whole = condition(cnt.read_uv(rows, 0, cnt.n_times), 1000.0, SPEC.preprocessing)
    for read_s in (1, 15, 300):
        monkeypatch.setattr("neuroprism.eeg.catalog.seed_v.READ_S", read_s)
        windows = cut(recording)
        expected = windows_at(whole, windows.starts_s * 200, 200)
        np.testing.assert_allclose(windows.values, expected, atol=2e-3)
        assert np.abs(expected).max() > 5


def test_without_the_text_file_the_published_times_hold(tmp_path: Path) -> None:
    recording = raw_folder(tmp_path, noise())
    assert [path.name for path in recording.paths] == ["3_2_20180902.cnt", FILE_NAME]
    assert (recording.key, recording.subject, recording.session) == ("03_2_20180902", "3", "2")
    (tmp_path / FILE_NAME).unlink()
    (recording,) = find(tmp_path).recordings
    assert len(recording.paths) == 1
    with pytest.raises(DataError, match="lasts 44 s, but its last clip ends at 2817 s"):
        cut(recording)


def test_other_names_are_skipped(tmp_path: Path) -> None:
    for name in ("1_1_20180804.cnt", "1_4_20180804.cnt", "calibration.cnt"):
        (tmp_path / name).touch()
    found = find(tmp_path)
    assert [r.key for r in found.recordings] == ["01_1_20180804"]
    assert {s.what for s in found.skipped} == {"1_4_20180804.cnt", "calibration.cnt"}


def test_bad_recordings_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuroprism.eeg.catalog.seed_v.READ_S", 20)
    renamed = ["X1" if name == "CZ" else name for name in CHANNELS]
    flat = noise()
    flat[CHANNELS.index("PO3"), 2000:] = 0
    bad = [
        (noise(), 1000, renamed, "missing channel CZ; the file has FP1"),
        (noise(500), 500, CHANNELS, "sampled at 500 Hz; SEED-V is recorded at 1000 Hz"),
        (flat, 1000, CHANNELS, "19 to 44 s: channel PO3 flat"),
        (noise() * 1e-6, 1000, CHANNELS, "look like volts"),
    ]
    for k, (signal, rate_hz, channels, message) in enumerate(bad):
        recording = raw_folder(tmp_path / str(k), signal, rate_hz=rate_hz, channels=channels)
        with pytest.raises(DataError, match=message) as caught:
            cut(recording)
        assert "\n" not in str(caught.value)
        assert str(recording.paths[0]) in str(caught.value)
    content = recording.paths[0].read_bytes()
    recording.paths[0].write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged, truncated"):
        cut(recording)
