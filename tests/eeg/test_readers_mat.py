"""MATLAB files of version 5 and 7.3 give the same values; damaged ones are refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.io import loadmat, savemat

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.mat import mat_variables, numeric, read_mat, scalar, struct_field, texts
from neuroprism.eeg.simulate.mat_files import cell, write_mat, write_mat73

Writer = Callable[[Path, dict[str, Any]], None]

VALUES = np.random.default_rng(0).standard_normal((4, 3, 2))


def message_of(act: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("write", [write_mat, write_mat73])
def test_one_face_for_both_versions(write: Writer, tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a.mat"
    struct = {"x": VALUES, "fs": 256.0, "clab": cell("Fp1", "POz"), "title": "run 1"}
    write(path, {"epo": struct, "labels": np.array([[1, 2, 1]]), "names": cell("a", "bc", "d")})
    epo, labels, names = read_mat(path, "epo", "labels", "names")
    np.testing.assert_array_equal(epo["x"], VALUES)
    assert epo["x"].shape == (4, 3, 2)
    assert scalar(epo["fs"], "fs") == 256
    assert epo["title"] == "run 1"
    assert texts(epo["clab"], "clab") == ["Fp1", "POz"]
    assert labels.shape == (1, 3)
    assert labels.ravel().tolist() == [1, 2, 1]
    assert names == ["a", "bc", "d"]
    assert {v.name: v.shape for v in mat_variables(path)}["labels"] == (1, 3)
    assert {v.name for v in mat_variables(path)} == {"epo", "labels", "names"}


@settings(max_examples=30, deadline=None)
@given(
    arrays(
        st.sampled_from(["float64", "float32", "int16", "uint8", "int32"]),
        array_shapes(min_dims=2, max_dims=4, max_side=4),
        elements=st.integers(0, 100),
    )
)
def test_numbers_of_any_shape_and_type_come_back(values: np.ndarray) -> None:
    with TemporaryDirectory() as folder:
        for write in (write_mat, write_mat73):
            path = Path(folder) / "a.mat"
            write(path, {"values": values})
            (found,) = read_mat(path, "values")
            assert found.dtype == values.dtype
            # MATLAB drops last dimensions of length one.
            np.testing.assert_array_equal(numeric(found, values.ndim, "a.mat"), values)


@pytest.mark.parametrize("compressed", [False, True])
def test_cells_of_structs_and_struct_arrays_are_lists_of_dicts(compressed: bool, tmp_path: Path) -> None:
    structs = np.zeros((1, 2), dtype=[("X", object), ("y", object)])
    for k in range(2):
        structs[0, k] = (VALUES[..., k], np.zeros((0, 0)) if k else np.array([[3.0]]))
    cells = cell(*({"X": VALUES[..., k], "y": structs[0, k]["y"]} for k in range(2)))
    savemat(tmp_path / "a.mat", {"array": structs, "cells": cells}, do_compression=compressed)
    for runs in read_mat(tmp_path / "a.mat", "array", "cells"):
        assert [np.size(run["y"]) for run in runs] == [1, 0]
        for k, run in enumerate(runs):
            np.testing.assert_array_equal(run["X"], VALUES[..., k])


def test_empty_values_of_hdf5_as_matlab_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, kind in (("numbers", "double"), ("text", "char"), ("cells", "cell"), ("struct", "struct")):
            file[name] = np.array([0, 3], dtype=np.uint64)
            file[name].attrs["MATLAB_class"] = np.bytes_(kind)
            file[name].attrs["MATLAB_empty"] = 1
    numbers, text, cells, struct = read_mat(path, "numbers", "text", "cells", "struct")
    assert numbers.shape == (0, 3)
    assert (text, cells, struct) == ("", [], {})


def test_the_written_files_are_what_scipy_and_h5py_take_for_matlab(tmp_path: Path) -> None:
    write_mat(tmp_path / "5.mat", {"s": {"x": VALUES}})
    np.testing.assert_array_equal(loadmat(tmp_path / "5.mat", simplify_cells=True)["s"]["x"], VALUES)
    write_mat73(tmp_path / "7.mat", {"s": {"x": VALUES}})
    with pytest.raises(NotImplementedError, match="HDF"):
        loadmat(tmp_path / "7.mat")
    with h5py.File(tmp_path / "7.mat") as file:
        np.testing.assert_array_equal(file["s"]["x"][()].transpose(2, 1, 0), VALUES)
        assert file["s"]["x"].attrs["MATLAB_class"] == b"double"


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("version", ["5", "5 compressed", "7.3"])
def test_truncated_files_are_refused(version: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    values = np.random.default_rng(1).standard_normal((200, 20))
    if version == "7.3":
        write_mat73(path, {"data": values})
    else:
        savemat(path, {"data": values}, do_compression="compressed" in version)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    message = message_of(lambda: read_mat(path, "data"))
    assert str(path) in message
    assert "damaged" in message or "no variable 'data'; the file has none" in message


@pytest.mark.parametrize("content", [b"", b"x" * 50, b"Subject;1\n" * 500, bytes(5000)])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    assert str(path) in message_of(lambda: read_mat(path, "data"))
    assert str(path) in message_of(lambda: mat_variables(path))


@pytest.mark.parametrize("write", [write_mat, write_mat73])
def test_a_missing_variable_is_named_with_those_that_are_there(write: Writer, tmp_path: Path) -> None:
    write(tmp_path / "a.mat", {"signal": VALUES, "fs": 1.0})
    message = message_of(lambda: read_mat(tmp_path / "a.mat", "signal", "data"))
    assert "no variable 'data'; the file has " in message
    assert "signal" in message
    assert "no such file" in message_of(lambda: read_mat(tmp_path / "b.mat", "data"))


def test_wrong_kinds_are_named() -> None:
    struct = {"x": VALUES}
    assert message_of(lambda: struct_field(struct, "y", "a.mat")) == "a.mat: no field 'y'; the struct has x"
    assert "expected a struct" in message_of(lambda: struct_field(VALUES, "y", "a.mat"))
    assert "found text" in message_of(lambda: numeric("abc", 2, "a.mat"))
    assert "found a struct" in message_of(lambda: numeric(struct, 2, "a.mat"))
    assert "3 dimensions, expected 2" in message_of(lambda: numeric(VALUES, 2, "a.mat"))
    assert "found an array of shape (4, 3, 2)" in message_of(lambda: scalar(VALUES, "a.mat"))
    assert "found a cell array" in message_of(lambda: texts(["a", VALUES], "a.mat"))
    # A single trial loses its last dimension in MATLAB.
    assert numeric(VALUES[..., 0], 3, "a.mat").shape == (4, 3, 1)
