"""Pickled arrays are read without executing anything."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.pickled_arrays import read_pickled_array


class Command:
    """On unpickling, makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def message_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_pickled_array(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_every_protocol(tmp_path: Path, protocol: int, dtype: str, order: str) -> None:
    values = np.asarray(np.arange(24).reshape(2, 3, 4), dtype=dtype, order=order)  # type: ignore[call-overload]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(values, protocol=protocol))
    found = read_pickled_array(tmp_path / "a.pkl")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("wrap", [lambda bad: bad, lambda bad: [np.zeros(3), bad], lambda bad: {"data": bad}])
def test_commands_are_refused_and_not_executed(tmp_path: Path, wrap: Callable[[object], object]) -> None:
    path, made = tmp_path / "a.pkl", tmp_path / "made"
    path.write_bytes(pickle.dumps(wrap(Command(made))))
    assert "mkdir" in message_of(path)
    assert not made.exists()
    pickle.loads(path.read_bytes())  # the file is as harmful as it should be
    assert made.is_dir()


def test_damaged_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    content = pickle.dumps(np.arange(1000.0))
    for part in (b"", content[:1], content[:40], content[:-3], b"text\n" * 20, b"\x80\xff"):
        path.write_bytes(part)
        message_of(path)
    path.write_bytes(pickle.dumps([1.0, 2.0]))
    assert "holds list, not an array of numbers" in message_of(path)
    path.write_bytes(pickle.dumps(np.array(["a"])))
    assert "not an array of numbers" in message_of(path)
    path.unlink()
    assert "cannot be read" in message_of(path)
