"""Files that a user asked for are refused early, and written whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuroprism.core.errors import DataError
from neuroprism.core.output_file import require_free, write_output


def test_folders_and_existing_files_are_refused(tmp_path: Path) -> None:
    path, beside = tmp_path / "made.csv", tmp_path / "made.json"
    require_free(path, overwrite=False, example="made.csv", beside=[beside])
    beside.write_text("")
    require_free(path, overwrite=False, example="made.csv")
    with pytest.raises(DataError, match=r"made\.json exists; replace it with --overwrite"):
        require_free(path, overwrite=False, example="made.csv", beside=[beside])
    require_free(path, overwrite=True, example="made.csv", beside=[beside])
    with pytest.raises(DataError, match=r"is a folder; name the file to write, e\.g\. made\.csv"):
        require_free(tmp_path, overwrite=True, example="made.csv")


def test_a_name_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write .*File name too long"):
        require_free(tmp_path / ("n" * 300), overwrite=True, example="made.csv", beside=[tmp_path / "b"])
    with pytest.raises(DataError, match=r"cannot write .*File name too long"):
        write_output(tmp_path / ("n" * 300), b"")


def test_folders_are_made_and_files_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "made.csv"
    write_output(path, b"one")
    write_output(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["made.csv"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        write_output(tmp_path / "file" / "made.csv", b"")
    assert (tmp_path / "file").read_text() == ""
