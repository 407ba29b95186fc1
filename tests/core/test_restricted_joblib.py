"""joblib files of plain data come back exactly; everything else is refused and nothing is executed."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder, StandardScaler

from neuroprism.core.errors import DataError
from neuroprism.core.restricted_joblib import load_restricted_joblib

SKLEARN = {
    ("sklearn.preprocessing._data", "StandardScaler"),
    ("sklearn.preprocessing._label", "LabelEncoder"),
}


class Hostile:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def load(path: Path, **settings: Any) -> Any:
    with path.open("rb") as file:
        return load_restricted_joblib(file, **settings)


def stored(folder: Path, value: Any, **settings: Any) -> Path:
    path = folder / "stored.pkl"
    joblib.dump(value, path, **settings)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_numbers_and_text_come_back(tmp_path: Path, protocol: int) -> None:
    value = {
        "rows": [
            {"x": np.arange(5.0) + n, "y": np.int64(n), "m": np.array([True, False])} for n in range(50)
        ],
        "grid": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        "empty": np.zeros((0, 3)),
        "names": np.array(["NORMAL", "SNİK"], dtype=object),
        "text": "µV",
    }
    back = load(stored(tmp_path, value, protocol=protocol))
    for n, row in enumerate(back["rows"]):
        assert np.array_equal(row["x"], np.arange(5.0) + n)
        assert row["y"] == n
        assert row["m"].tolist() == [True, False]
    assert back["grid"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert back["grid"].dtype == np.dtype(">i2")
    assert back["empty"].shape == (0, 3)
    assert back["names"].tolist() == ["NORMAL", "SNİK"]
    assert back["names"].dtype.kind == "U"
    assert back["text"] == "µV"


def test_named_classes_become_their_attributes(tmp_path: Path) -> None:
    scaler = StandardScaler().fit(np.arange(8.0).reshape(4, 2))
    encoder = LabelEncoder().fit(np.array(["b", "a"], dtype=object))
    back = load(stored(tmp_path, {"scaler": scaler, "encoder": encoder}), as_dict=SKLEARN)
    assert np.array_equal(back["scaler"]["mean_"], scaler.mean_)
    assert np.array_equal(back["scaler"]["scale_"], scaler.scale_)
    assert back["encoder"]["classes_"].tolist() == ["a", "b"]
    with pytest.raises(DataError, match=r"asks for sklearn\.preprocessing\._data\.StandardScaler"):
        load(stored(tmp_path, scaler))


def test_a_plain_pickle_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "plain.pkl"
    path.write_bytes(pickle.dumps({"x": np.arange(3.0), "names": np.array(["a"], dtype=object)}))
    back = load(path)
    assert back["x"].tolist() == [0.0, 1.0, 2.0]
    assert back["names"].tolist() == ["a"]


@pytest.mark.parametrize(
    "hostile",
    [
        Hostile(os.system, "touch executed"),
        Hostile(eval, "open('executed', 'w')"),
        Hostile(Path.touch, Path("executed")),
        Hostile(io.open, "executed", "w"),
    ],
)
@pytest.mark.parametrize("place", ["value", "within objects", "state"])
def test_hostile_files_are_refused_in_one_line_and_not_executed(
    hostile: Hostile, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    value: Any = hostile
    if place == "within objects":
        # joblib writes arrays of objects as a pickle of their own.
        value = np.array([hostile, "a"], dtype=object)
    if place == "state":
        value = LabelEncoder()
        value.classes_ = np.array(["a", hostile], dtype=object)
    path = stored(tmp_path, {"data": [1], "label_encoder": value})
    with pytest.raises(DataError) as refused:
        load(path, as_dict=SKLEARN)
    assert "nothing was executed" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "executed").exists()


def test_hostile_file_would_have_worked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A test of refusals proves nothing where the file would not have done anything.
    monkeypatch.chdir(tmp_path)
    value = np.array([Hostile(Path.touch, Path("executed")), "a"], dtype=object)
    joblib.load(stored(tmp_path, value))
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("value", [np.array([1, "a"], dtype=object), np.array([None], dtype=object), {1, 2}])
def test_objects_that_are_no_text_are_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="refused"):
        load(stored(tmp_path, {"x": value}))


@pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "xz", "lzma"])
def test_compressed_files_are_named(tmp_path: Path, method: str) -> None:
    with pytest.raises(DataError, match=rf"compressed \({method}\); store it again without compression"):
        load(stored(tmp_path, np.arange(1000.0), compress=(method, 3)))


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_file_that_was_cut_is_one_line(tmp_path: Path, kept: float) -> None:
    path = stored(tmp_path, {"x": np.arange(500.0), "names": np.array(["a", "b"], dtype=object)})
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_announced_size_is_checked_before_memory_is_taken(tmp_path: Path) -> None:
    path = stored(tmp_path, np.arange(4.0))
    content = path.read_bytes()
    # The shape (4,) told as (2 ** 31 - 1,).
    changed = content.replace(b"K\x04\x85", b"J\xff\xff\xff\x7f\x85", 1)
    assert changed != content
    frame = int.from_bytes(content[3:11], "little") + 3
    path.write_bytes(changed[:3] + frame.to_bytes(8, "little") + changed[11:])
    with pytest.raises(DataError, match="it ends within an array"):
        load(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data())
def test_no_damage_escapes_as_another_error(data: st.DataObject, tmp_path: Path) -> None:
    path = stored(tmp_path, {"x": np.arange(6.0), "names": np.array(["a"], dtype=object), "n": 1})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        load(path)
