from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroprism.core.files import LineAppender, cut_torn_line, replace_bytes, replace_with, whole_lines

LINES = st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=8)


def test_replace_leaves_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    replace_bytes(path, b"old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half of the n")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace_with(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_replace_leaves_nothing_behind_on_ctrl_c(tmp_path: Path) -> None:
    def interrupt(file: BinaryIO) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_with(tmp_path / "a", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_the_old_file_open_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    replace_bytes(path, b"old")
    with path.open("rb") as reader:
        replace_bytes(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


@given(lines=LINES, data=st.data())
def test_a_file_cut_anywhere_yields_its_whole_lines_and_can_be_continued(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.jsonl"
    content = b"".join(line + b"\n" for line in lines)
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    n_whole = content[:cut].count(b"\n")
    assert list(whole_lines(path)) == lines[:n_whole]
    appender = LineAppender(path)
    appender.append(b"next\n")
    appender.close()
    assert list(whole_lines(path)) == [*lines[:n_whole], b"next"]


def test_cutting_a_torn_line_longer_than_one_block(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"first\n" + b"x" * 200_000)
    assert cut_torn_line(path) == 200_000
    assert path.read_bytes() == b"first\n"
    path.write_bytes(b"x" * 70_000)
    assert cut_torn_line(path) == 70_000
    assert path.read_bytes() == b""


def test_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert list(whole_lines(tmp_path / "none")) == []
    assert cut_torn_line(tmp_path / "none") == 0


def test_append_goes_on_after_a_short_write(tmp_path: Path) -> None:
    appender = LineAppender(tmp_path / "a")
    real = appender._file

    class Slow:
        def write(self, data: bytes) -> int:
            return real.write(data[:3]) or 0

        def fileno(self) -> int:
            return real.fileno()

        def close(self) -> None:
            real.close()

    appender._file = Slow()  # type: ignore[assignment]
    appender.append(b"0123456789\n")
    appender.close()
    assert (tmp_path / "a").read_bytes() == b"0123456789\n"
