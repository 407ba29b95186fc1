"""The clips of SEED-V: the published table, and the text file of the provider."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.seed_v_clips import CLIPS, LABELS, read_clip_times


def provider_text() -> str:
    blocks = []
    for visit, clips in CLIPS.items():
        starts, ends = [a for a, _ in clips], [b for _, b in clips]
        blocks.append(f"Session {visit}:\nstart_second: {starts}\nend_second: {ends}\n\n")
    return "".join(blocks)


def test_the_table_holds_together() -> None:
    for visit, clips in CLIPS.items():
        assert len(clips) == len(LABELS[visit]) == 15
        borders = [second for clip in clips for second in clip]
        assert borders == sorted(borders)
        assert Counter(LABELS[visit]) == dict.fromkeys(range(5), 3)
    assert LABELS[2] == LABELS[3]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_text_file_of_the_provider(tmp_path: Path, newline: str) -> None:
    path = tmp_path / "times.txt"
    path.write_text(provider_text(), newline=newline)
    for visit in CLIPS:
        assert read_clip_times(path, visit) == CLIPS[visit]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Session 2:", "Sitting 2:", "no times of session 2"),
        ("[30, 299,", "[30,", "session 2: 14 values of start_second, expected 15"),
        ("start_second: [30, 299,", "start: [30, 299,", "session 2: 0 values of start_second, expected 15"),
        ("[30, 299,", "[30, 266,", "session 2: the clips overlap or end before they start"),
        ("[267, 488,", "[267, 299,", "session 2: the clips overlap or end before they start"),
    ],
)
def test_other_texts_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "times.txt"
    text = provider_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError) as caught:
        read_clip_times(path, 2)
    assert str(caught.value) == f"{path}: {message}"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_clip_times(tmp_path / "none.txt", 1)
