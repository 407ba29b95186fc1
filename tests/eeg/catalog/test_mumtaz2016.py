"""Mumtaz2016: names of the public copy, the published split by position, nobody in two splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.mumtaz2016 import SPEC, cut, electrode, find
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.split_rules import BySortedFiles


def published() -> list[Recording]:
    """Return 57 and 62 recordings of 30 and 34 people, as many as the public copy has."""
    recordings = []
    absent = {"H": {("12", "EC"), ("18", "EC"), ("12", "EO"), ("18", "EO")}}
    absent["MDD"] = {(n, c) for n in ("4", "8", "12") for c in ("EC", "EO")}
    for prefix, count in (("H", 30), ("MDD", 34)):
        for n in map(str, range(1, count + 1)):
            for condition in ("EC", "EO"):
                if (n, condition) not in absent[prefix]:
                    group = "depressed" if prefix == "MDD" else "healthy"
                    name = f"{prefix} S{n} {condition}"
                    recordings.append(Recording(key=name, paths=(), subject=f"{prefix} S{n}", group=group))
    recordings.append(Recording(key="6921143_H S15 EO", paths=(), subject="H S15", group="healthy"))
    return recordings


def test_the_published_split_is_by_position_and_keeps_people_together() -> None:
    recordings = published()
    rule = SPEC.split
    assert isinstance(rule, BySortedFiles)
    assert rule.is_exact(recordings)
    plan = rule.plan(recordings)
    people: dict[str, set[str | None]] = {}
    counts: Counter[tuple[str, str | None]] = Counter()
    for recording in recordings:
        people.setdefault(recording.subject, set()).add(plan(recording, 0))
        counts[recording.group, plan(recording, 0)] += 1
    assert all(len(splits) == 1 for splits in people.values())
    for group, sizes in dict(rule.counts).items():
        for split, size in zip(("train", "val", "test"), sizes, strict=True):
            assert abs(counts[group, split] - size) <= 2, (group, split)


def test_names_of_the_public_copy(own_copy: Callable[[str], Path]) -> None:
    folder = own_copy("Mumtaz2016")
    (folder / "MDD S1 EC.edf").rename(folder / "MDD S1  EC.edf")
    (folder / "H S2 EO.edf").rename(folder / "6921143_H S2 EO.edf")
    (folder / "H S3 EO.edf").rename(folder / "X S3 EO.edf")
    found = find(folder)
    names = {r.key: (r.subject, r.session, r.group) for r in found.recordings}
    assert names["MDD S1  EC"] == ("MDD S1", "EC", "depressed")
    assert names["6921143_H S2 EO"] == ("H S2", "EO", "healthy")
    reasons = {s.what: s.reason for s in found.skipped}
    assert reasons["X S3 EO.edf"].startswith("not named")
    assert sum(reason == "recorded during a task, not at rest" for reason in reasons.values()) == 6
    assert len(found.recordings) == 11


def test_labels_and_filters(simulated: Callable[[str], Path]) -> None:
    for recording in find(simulated("Mumtaz2016")).recordings:
        windows = cut(recording)
        assert windows.values.shape == (10, 19, 1000)  # 52 s: the last 2 s fill no window
        assert set(windows.labels) == {int("MDD" in recording.key)}
    joined = np.concatenate(list(windows.values.astype(float)), axis=1)
    spectrum = np.abs(np.fft.rfft(joined, axis=1)).mean(axis=0)
    frequencies = np.fft.rfftfreq(joined.shape[1], 1 / 200)

    def at(low: float, high: float) -> float:
        return float(spectrum[(frequencies > low) & (frequencies < high)].mean())

    assert at(49.9, 50.1) < 0.2 * at(45, 48)
    assert at(95, 100) < 0.1 * at(60, 70)


def test_channels_go_by_name_not_by_position() -> None:
    assert [electrode(label) for label in ("EEG Fp1-LE", "EEG A2-A1", "EEG 23A-23R")] == [
        "Fp1",
        "A2-A1",
        "23A-23R",
    ]


def test_a_folder_with_task_recordings_only(own_copy: Callable[[str], Path]) -> None:
    folder = own_copy("Mumtaz2016")
    for path in folder.glob("* E?.edf"):
        path.unlink()
    with pytest.raises(DataError, match=r"no usable recording; .*recorded during a task"):
        find(folder)
