"""PhysioNet-MI: the meaning of an event comes from its text and its run, never from an automatic code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.physionet_mi import LABEL_OF_EVENT, SPEC, cut, find
from neuroprism.eeg.readers.edf_header import read_edf_header
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.simulate.edf_files import write_edf
from neuroprism.eeg.simulate.physionet_mi import LABELS


def noise(seconds: int, rate: int = 160) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((64, seconds * rate)) * 20


def recording(path: Path, run: int) -> Recording:
    return Recording(key=path.stem, paths=(path,), subject="S001", session=f"R{run:02d}")


def test_real_subject_has_90_trials_of_four_classes(real_data: Callable[[str], Path]) -> None:
    found = find(real_data("physionet_mi"))
    runs = [r for r in found.recordings if r.subject == "S001"]
    assert [r.session for r in runs] == ["R04", "R06", "R08", "R10", "R12", "R14"]
    counts: Counter[int] = Counter()
    for run in runs:
        windows = cut(run)
        assert windows.values.shape == (15, 64, 800)
        assert not windows.left_out
        # Average reference.
        np.testing.assert_allclose(windows.values.mean(axis=1), 0, atol=1e-4)
        counts.update(windows.labels.tolist())
    assert counts == {0: 23, 1: 22, 2: 21, 3: 24}


def test_real_trial_equals_a_chain_in_mne(real_data: Callable[[str], Path]) -> None:
    import mne

    path = real_data("physionet_mi") / "S001" / "S001R04.edf"
    raw = mne.io.read_raw_edf(path, preload=True, verbose="ERROR")
    raw.set_eeg_reference("average", verbose="ERROR")
    raw.filter(0.3, None, verbose="ERROR").notch_filter(60.0, verbose="ERROR")
    cues = [a["onset"] for a in raw.annotations if a["description"] in ("T1", "T2")]
    expected = raw.resample(200, method="polyphase", verbose="ERROR").get_data(units="uV")
    windows = cut(recording(path, 4))
    np.testing.assert_allclose(windows.starts_s, np.round(cues, 3), atol=0.0025)
    for trial in (0, 7, 14):
        first = round(windows.starts_s[trial] * 200)
        np.testing.assert_allclose(windows.values[trial], expected[:, first : first + 800], atol=0.2)


def test_labels_of_the_real_files_as_the_simulator_writes_them(real_data: Callable[[str], Path]) -> None:
    path = real_data("physionet_mi") / "S001" / "S001R04.edf"
    assert list(read_edf_header(path).labels) == LABELS


@pytest.mark.parametrize(("run", "expected"), [(4, 1), (8, 1), (12, 1), (6, 3), (10, 3), (14, 3)])
def test_a_run_without_t1_keeps_the_meaning_of_t2(tmp_path: Path, run: int, expected: int) -> None:
    path = tmp_path / f"S001R{run:02d}.edf"
    write_edf(path, noise(14), LABELS, 160, events=[(0.0, 2.0, "T0"), (2.0, 4.1, "T2"), (8.0, 4.1, "T2")])
    windows = cut(recording(path, run))
    assert windows.labels.tolist() == [expected, expected]
    assert windows.starts_s.tolist() == [2.0, 8.0]
    assert windows.trials.tolist() == [0, 1]


def test_class_names_belong_to_their_labels() -> None:
    named = {
        (run, text): SPEC.class_names[label]
        for run in LABEL_OF_EVENT
        for text, label in LABEL_OF_EVENT[run].items()
    }
    assert {named[run, "T1"] for run in (4, 8, 12)} == {"left fist"}
    assert {named[run, "T2"] for run in (4, 8, 12)} == {"right fist"}
    assert {named[run, "T1"] for run in (6, 10, 14)} == {"both fists"}
    assert {named[run, "T2"] for run in (6, 10, 14)} == {"both feet"}


def test_a_trial_that_the_file_cuts_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "S001R04.edf"
    write_edf(path, noise(13), LABELS, 160, events=[(1.0, 4.1, "T1"), (9.5, 3.5, "T2")])
    windows = cut(recording(path, 4))
    assert windows.labels.tolist() == [0]
    assert [(s.what, s.reason) for s in windows.left_out] == [
        ("S001R04: T2 at 9.5 s", "file ends within 4 s")
    ]


def test_a_file_without_events(tmp_path: Path) -> None:
    path = tmp_path / "S001R04.edf"
    write_edf(path, noise(13), LABELS, 160)
    with pytest.raises(DataError, match=r"S001R04\.edf: no event T1 or T2; the file has none$"):
        cut(recording(path, 4))
    write_edf(path, noise(13), LABELS, 160, events=[(1.0, 4.1, "T0")])
    with pytest.raises(DataError, match=r"the file has T0$"):
        cut(recording(path, 4))


def test_runs_of_another_rate_are_named_and_other_runs_are_not_looked_at(tmp_path: Path) -> None:
    for name, rate in (("S088R04", 128), ("S001R04", 160), ("S001R03", 160), ("notes", 160)):
        write_edf(tmp_path / name[:4] / f"{name}.edf", noise(2, rate), LABELS, rate)
    found = find(tmp_path)
    assert [r.key for r in found.recordings] == ["S001R04"]
    assert {(s.what, s.reason) for s in found.skipped} == {
        ("S088R04.edf", "sampled at 128 Hz, not 160 Hz"),
        ("notes.edf", "not named SXXXRYY"),
    }
    only_slow = tmp_path / "S088"
    with pytest.raises(DataError, match=r"no usable recording; .*S088R04\.edf: sampled at 128 Hz"):
        find(only_slow)


def test_the_published_split() -> None:
    recordings = [Recording(key=f"S{n:03d}R04", paths=(), subject=f"S{n:03d}") for n in range(1, 110)]
    plan = SPEC.split.plan(recordings)
    splits = Counter(plan(r, 0) for r in recordings)
    assert splits == {"train": 70, "val": 19, "test": 20}
    assert SPEC.expected["train"] == 70 * 90
    assert sum(SPEC.expected.values()) == 9792
