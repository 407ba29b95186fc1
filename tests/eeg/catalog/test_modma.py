"""MODMA: 128 of 129 rows in nanovolt, windows of 15 s, people in groups."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.modma import SPEC, cut, find
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.simulate.mat_files import write_mat, write_mat73
from neuroprism.eeg.split_rules import BySortedFiles

NAME = "02010002rest 20150416 1017..mat"
VARIABLE = "a02010002rest_20150416_1017mat"


def noise(seconds: int = 32, n_rows: int = 129) -> np.ndarray:
    """Return nanovolt; the last row is the reference."""
    rows = 1e4 * np.random.default_rng(0).standard_normal((n_rows, seconds * 250))
    rows[128:] = 0
    return rows


def saved(tmp_path: Path, rows: np.ndarray, *, rate_hz: float | None = 250.0, name: str = NAME) -> Recording:
    variables = {VARIABLE: rows, "Impedances_0": np.ones((129, 2))}
    if rate_hz is not None:
        variables["samplingRate"] = np.array([[rate_hz]])
    write_mat(tmp_path / name, variables)
    (recording,) = find(tmp_path).recordings
    return recording


def test_the_published_split_of_53_people() -> None:
    recordings = [
        Recording(key=f"0201{n:04d}", paths=(), subject=f"0201{n:04d}", group="depressed") for n in range(24)
    ]
    recordings += [
        Recording(key=f"0202{n:04d}", paths=(), subject=f"0202{n:04d}", group="healthy") for n in range(29)
    ]
    assert len(recordings) == SPEC.n_subjects
    rule = SPEC.split
    assert isinstance(rule, BySortedFiles)
    assert rule.is_exact(recordings)
    plan = rule.plan(recordings)
    counts = Counter((r.group, plan(r, 0)) for r in recordings)
    assert [counts["depressed", s] for s in ("train", "val", "test")] == [15, 4, 5]
    assert [counts["healthy", s] for s in ("train", "val", "test")] == [18, 5, 6]
    assert [plan(r, 0) for r in recordings[:24]] == ["train"] * 15 + ["val"] * 4 + ["test"] * 5


def test_labels_follow_from_the_name(tmp_path: Path) -> None:
    names = (NAME, "02020008rest 20150701 1527..mat", "02030002rest 20151126 1705.mat", "notes.mat")
    for name in names:
        (tmp_path / name).touch()
    found = find(tmp_path)
    assert [(r.key, r.group) for r in found.recordings] == [
        ("02010002rest 20150416 1017", "depressed"),
        ("02020008rest 20150701 1527", "healthy"),
        ("02030002rest 20151126 1705", "healthy"),
    ]
    assert [s.what for s in found.skipped] == ["notes.mat"]
    assert set(cut(saved(tmp_path / "a", noise())).labels.tolist()) == {1}
    healthy = saved(tmp_path / "b", noise(), name="02030002rest 20151126 1705.mat")
    assert set(cut(healthy).labels.tolist()) == {0}


def test_a_bump_lands_in_microvolt_where_it_was(tmp_path: Path) -> None:
    rows = 0.1 * noise()
    # E128 at 20 s: 5 s into the second window.
    rows[127] += 90e3 * np.exp(-0.5 * ((np.arange(rows.shape[1]) - 5000) / 5) ** 2)
    rows[128] = 1e9  # the reference row must not get in
    windows = cut(saved(tmp_path, rows))
    assert windows.values.shape == (2, 128, 3000)
    assert SPEC.channels[127] == "E128"
    window, channel, sample = np.unravel_index(windows.values.argmax(), windows.values.shape)
    assert (window, channel) == (1, 127)
    assert abs(sample - 1000) <= 1
    np.testing.assert_allclose(windows.values.max(), 90, rtol=0.05)
    assert windows.starts_s.tolist() == [0, 15]


def test_versions_and_a_file_without_the_reference_row(tmp_path: Path) -> None:
    rows = noise()
    expected = cut(saved(tmp_path / "a", rows)).values
    np.testing.assert_array_equal(cut(saved(tmp_path / "b", rows[:128], rate_hz=None)).values, expected)
    recording = saved(tmp_path / "c", rows)
    write_mat73(
        recording.paths[0], {"Impedances_0": np.ones((129, 1)), VARIABLE: rows, "samplingRate": 250.0}
    )
    np.testing.assert_array_equal(cut(recording).values, expected)


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with_nan, flat = noise(), noise()
    with_nan[0, 5] = np.nan
    flat[64] = 7
    bad = [
        (
            noise()[:100],
            250.0,
            r"no variable with 128 channels and 15 s; the file has a.*mat \(100, 8000\), Imp",
        ),
        (noise().T, 250.0, "no variable with 128 channels"),
        (noise(14), 250.0, "no variable with 128 channels and 15 s"),
        (noise(), 1000.0, "sampled at 1000 Hz; MODMA is recorded at 250 Hz"),
        (with_nan, 250.0, "channel E1 not finite"),
        (flat, 250.0, "channel E65 flat"),
        (noise() * 1e-9, 250.0, "look like volts"),
    ]
    for rows, rate_hz, message in bad:
        recording = saved(tmp_path, rows, rate_hz=rate_hz)
        with pytest.raises(DataError, match=message) as caught:
            cut(recording)
        assert "\n" not in str(caught.value)
        assert str(recording.paths[0]) in str(caught.value)
    recording.paths[0].write_bytes(recording.paths[0].read_bytes()[:100_000])
    with pytest.raises(DataError, match="damaged"):
        cut(recording)
