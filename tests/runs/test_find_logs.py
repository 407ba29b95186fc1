from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from neuroprism.core.errors import DataError, RunError
from neuroprism.runs import find_log, newest_training_log, read_history

Write = Callable[..., Path]


def test_the_newest_log_below_is_found(
    write_log: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_log({"train_loss": [1.0]}, folder) for folder in ("a/b/c", "a", "z", ".hidden/x")]
    for age, path in enumerate(paths):
        os.utime(path, ns=(0, (5 + age if path != paths[1] else 7) * 10**9))
    monkeypatch.chdir(tmp_path)
    assert newest_training_log() == Path("z/training_log.json")
    assert find_log(None) == Path("z/training_log.json")
    assert find_log(tmp_path / "a") == tmp_path / "a" / "training_log.json"
    assert read_history(tmp_path / "a" / "b").path == tmp_path / "a/b/c/training_log.json"


def test_a_dangling_link_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "training_log.json").symlink_to(tmp_path / "gone")
    with pytest.raises(RunError, match=r"no training_log\.json in"):
        newest_training_log(tmp_path)


def test_no_log_and_no_path_are_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="or below; give the path"):
        read_history()
    with pytest.raises(DataError, match="no run or training log at missing"):
        read_history("missing")
