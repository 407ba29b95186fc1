"""BCIC-IV-2a: runs with labels only, 2 s to 6 s of each trial, filtered before cutting."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import butter, freqz_sos

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.bciciv_2a import SPEC, cut, find
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.simulate.mat_files import cell, write_mat

RATE_HZ = 250
STARTS = np.array([[251], [2126], [4001]])
"""First samples of three trials, counted from 1: at 1 s, 8.5 s and 16 s."""


def run(n_times: int = 6000, **changed: Any) -> dict[str, Any]:
    signal = 10 * np.random.default_rng(0).standard_normal((n_times, 25))
    labels = np.array([[4], [1], [2]])
    content = {"X": signal, "trial": STARTS, "y": labels, "fs": 250.0, "classes": cell("a"), **changed}
    return {name: value for name, value in content.items() if value is not None}


def calibration() -> dict[str, Any]:
    return run(2500, trial=np.zeros((0, 0)), y=np.zeros((0, 0)))


def saved(tmp_path: Path, *runs: dict[str, Any], name: str = "A04T") -> Recording:
    write_mat(tmp_path / f"{name}.mat", {"data": cell(*runs)})
    return next(r for r in find(tmp_path).recordings if r.key == name)


def test_published_counts() -> None:
    recordings = [
        Recording(key=f"A{n:02d}{s}", paths=(), subject=f"A{n:02d}") for n in range(1, 10) for s in "TE"
    ]
    plan = SPEC.split.plan(recordings)
    files = Counter(plan(r, 0) for r in recordings)
    # 6 runs of 48 trials in each file: 576 for each subject.
    assert {split: n * 288 for split, n in files.items()} == dict(SPEC.expected)
    assert dict(SPEC.expected) == {"train": 5 * 576, "val": 2 * 576, "test": 2 * 576}
    assert sum(SPEC.expected.values()) == 5184


@pytest.mark.parametrize("n_calibration", [0, 1, 3])
def test_runs_without_labels_are_calibration_wherever_and_however_many(
    tmp_path: Path, n_calibration: int
) -> None:
    windows = cut(saved(tmp_path, *[calibration()] * n_calibration, *[run()] * 6))
    assert len(windows) == 18
    assert windows.labels.tolist() == [3, 0, 1] * 6
    assert windows.trials.tolist() == list(range(18))
    np.testing.assert_allclose(windows.starts_s[:3] - 10 * n_calibration, [3.0, 10.5, 18.0])
    np.testing.assert_allclose(np.diff(windows.starts_s[::3]), 24)


def test_a_bump_lands_where_it_was(tmp_path: Path) -> None:
    signal = np.random.default_rng(0).standard_normal((6000, 25))
    # C4, 1.5 s after the start of the window of the second trial: at 8.5 + 2 + 1.5 = 12 s.
    seconds = np.arange(6000) / RATE_HZ
    signal[:, 11] += 200 * np.exp(-0.5 * ((seconds - 12.0) / 0.02) ** 2)
    signal[:, 22:] += 1000 * np.sin(2 * np.pi * 3 * seconds)[:, None]  # the EOG must not get in
    windows = cut(saved(tmp_path, run(X=signal)))
    assert windows.values.shape == (3, 22, 800)
    trial, channel, sample = np.unravel_index(windows.values.argmax(), windows.values.shape)
    assert (trial, SPEC.channels[channel]) == (1, "C4")
    assert abs(sample - 300) <= 1  # zero phase: not a sample late
    others = np.delete(np.arange(22), 11)
    assert np.abs(windows.values[:, others]).max() < 30
    # The common average takes 1/22 of the bump from C4 and gives -1/22 to all others.
    peak = windows.values[1, 11, sample]
    np.testing.assert_allclose(windows.values[1, others, sample].mean() / peak, -1 / 21, atol=0.01)


@pytest.mark.parametrize(("frequency_hz", "passes"), [(0.05, False), (10, True), (35, True), (60, False)])
def test_band_from_03_to_40_hz(tmp_path: Path, frequency_hz: float, passes: bool) -> None:
    seconds = np.arange(15_000) / RATE_HZ
    signal = np.random.default_rng(0).standard_normal((15_000, 25)) * 1e-3
    signal[:, 0] += 100 * np.sin(2 * np.pi * frequency_hz * seconds)
    windows = cut(saved(tmp_path, run(15_000, X=signal, trial=np.array([[5001], [6001], [8001]]))))
    sections = butter(5, [0.3, 40.0], "bandpass", fs=RATE_HZ, output="sos")
    gain = np.abs(freqz_sos(sections, [frequency_hz], fs=RATE_HZ)[1][0]) ** 2  # there and back
    assert (gain > 0.5) == passes
    expected = 100 * 21 / 22 * gain / np.sqrt(2)
    found = windows.values[:, 0].std() if frequency_hz > 1 else np.sqrt((windows.values[:, 0] ** 2).mean())
    np.testing.assert_allclose(found, expected, rtol=0.03, atol=0.5)


def test_a_trial_that_the_run_cuts_short_is_named(tmp_path: Path) -> None:
    windows = cut(saved(tmp_path, run(), run(5400)))
    assert len(windows) == 5
    (left_out,) = windows.left_out
    assert left_out.what.endswith("A04T.mat: run 2: trial 3")
    assert "ends before 6 s" in left_out.reason


def test_found_by_name(tmp_path: Path) -> None:
    for name in ("A01T", "A01E", "B0101T"):
        (tmp_path / f"{name}.mat").touch()
    found = find(tmp_path)
    assert [(r.key, r.subject, r.session) for r in found.recordings] == [
        ("A01E", "A01", "E"),
        ("A01T", "A01", "T"),
    ]
    assert [s.what for s in found.skipped] == ["B0101T.mat"]


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    good = run()["X"]
    with_nan, flat = good.copy(), good.copy()
    with_nan[0, 21] = np.nan
    flat[:, 0] = 3
    bad = [
        (run(X=good[:, :22]), "run 2: X has 22 columns, expected 25"),
        (run(X=None), "run 2: no field 'X'; the struct has trial, y, fs, classes"),
        (run(X=with_nan), "run 2: channel POz not finite"),
        (run(X=flat), "run 2: channel Fz flat"),
        (run(X=good * 1e-6), "look like volts"),
        (run(y=np.array([[1], [2]])), "run 2: 3 trials, but 2 labels"),
        (run(y=np.array([[1], [2], [5]])), "run 2: label 5; labels are 1 to 4"),
        (run(fs=512.0), "run 2: sampled at 512 Hz; BCIC-IV-2a is recorded at 250 Hz"),
        (run(fs=None), "run 2: no field 'fs'"),
    ]
    for content, message in bad:
        recording = saved(tmp_path, calibration(), content)
        with pytest.raises(DataError, match=message) as caught:
            cut(recording)
        assert "\n" not in str(caught.value)
        assert str(recording.paths[0]) in str(caught.value)
    with pytest.raises(DataError, match="no run has labels"):
        cut(saved(tmp_path, calibration()))
    with pytest.raises(DataError, match="expected a struct"):
        cut(saved(tmp_path, cell("a", "b")))  # type: ignore[arg-type]
