from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.abr import store
from neuroprism.abr.columns import COLUMNS
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.store import file_sha256, load_recordings, save_recordings, schema_path
from neuroprism.core.errors import DataError


@pytest.fixture
def tiny(small_set: AbrRecordings) -> AbrRecordings:
    return small_set.select(np.arange(12))


@pytest.fixture
def stored(tiny: AbrRecordings, tmp_path: Path) -> Path:
    path = tmp_path / "set.npz"
    save_recordings(path, tiny)
    return path


def rewrite(
    path: Path, arrays: dict[str, Any], change: Callable[[dict[str, Any]], None] | None = None
) -> None:
    """Store other arrays with a schema whose hash fits, as somebody who edits a set would."""
    with path.open("wb") as file:
        np.savez(file, **arrays)
    edit_schema(path, change or (lambda _: None))


def edit_schema(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(schema_path(path).read_text())
    content["sha256"] = file_sha256(path)
    change(content)
    schema_path(path).write_text(json.dumps(content))


def arrays_of(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_recordings(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("with_clean", [True, False])
def test_a_set_comes_back_as_it_was(tiny: AbrRecordings, tmp_path: Path, with_clean: bool) -> None:
    recordings = tiny if with_clean else replace(tiny, clean_uv=None)
    path = tmp_path / "deep" / "set.npz"
    digest = save_recordings(path, recordings)
    back = load_recordings(path)
    for column in COLUMNS:
        before, after = getattr(recordings, column.name), getattr(back, column.name)
        if before is None:
            assert after is None
        else:
            np.testing.assert_array_equal(after, before)
            assert after.dtype == before.dtype
    for name in (
        "sample_rate_hz",
        "window_ms",
        "start_ms",
        "class_names",
        "signal_unit",
        "threshold_provenance",
    ):
        assert getattr(back, name) == getattr(recordings, name)
    assert back.provenance == {**recordings.provenance, "sha256": digest}
    assert digest == file_sha256(path)
    assert [found.name for found in sorted(path.parent.iterdir())] == ["set.npz", "set.schema.json"]


def test_the_schema_states_units_shapes_and_meaning(stored: Path, tiny: AbrRecordings) -> None:
    content = json.loads(schema_path(stored).read_text())
    assert content["arrays"]["signal_uv"] == {
        "dtype": "<f4",
        "shape": [12, 256],
        "unit": "uV",
        "meaning": "averaged response as recorded",
    }
    assert set(content["arrays"]) == {column.name for column in COLUMNS} - {"level_db_spl"}
    assert (content["n_recordings"], content["n_patients"]) == (12, tiny.n_patients)
    assert content["provenance"]["seed"] == 13


def test_a_missing_file_is_named_with_what_lies_beside_it(stored: Path) -> None:
    assert "did you mean 'set.npz'?" in refusal(stored.with_name("sets.npz"))
    assert "no recordings at" in refusal(stored.parent / "nowhere" / "set.npz")


def test_a_half_written_set_is_refused(
    stored: Path, tiny: AbrRecordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "replace_bytes", fail)
    with pytest.raises(DataError, match="No space left on device"):
        save_recordings(stored, tiny)
    assert "its schema set.schema.json is missing" in refusal(stored)


def test_a_folder_that_cannot_be_written_is_one_line(tiny: AbrRecordings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot write .*set\.npz: "):
        save_recordings(tmp_path / "file" / "set.npz", tiny)


def test_an_invalid_set_is_not_written(tiny: AbrRecordings, tmp_path: Path) -> None:
    signal = tiny.signal_uv.copy()
    signal[3, 4] = np.nan
    with pytest.raises(DataError, match="signal_uv: 1 non-finite"):
        save_recordings(tmp_path / "set.npz", replace(tiny, signal_uv=signal))
    assert list(tmp_path.iterdir()) == []


def test_truncated_and_altered_files_are_damaged(stored: Path) -> None:
    whole = stored.read_bytes()
    stored.write_bytes(whole[: len(whole) // 2])
    assert "is damaged" in refusal(stored)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    stored.write_bytes(bytes(flipped))
    assert "is damaged" in refusal(stored)
    # Even where somebody fixes the hash.
    stored.write_bytes(whole[: len(whole) // 2])
    edit_schema(stored, lambda _: None)
    assert "not an .npz file" in refusal(stored)
    stored.write_bytes(bytes(flipped))
    edit_schema(stored, lambda _: None)
    assert "cannot read recordings" in refusal(stored)


def test_a_plain_array_is_not_a_set(stored: Path) -> None:
    with stored.open("wb") as file:
        np.save(file, np.zeros(3))
    edit_schema(stored, lambda _: None)
    assert "not an .npz file" in refusal(stored)


def test_missing_unknown_and_different_arrays_are_named(stored: Path) -> None:
    arrays = arrays_of(stored)
    rewrite(stored, {name: array for name, array in arrays.items() if name != "rate_hz"})
    assert "lacks the array 'rate_hz'" in refusal(stored)
    rewrite(stored, arrays | {"signal_mv": arrays["signal_uv"]})
    assert "holds an unknown array 'signal_mv'; did you mean 'signal_uv'?" in refusal(stored)
    rewrite(stored, arrays | {"rate_hz": arrays["rate_hz"][:-1]})
    assert "the array 'rate_hz' is not what set.schema.json says" in refusal(stored)
    rewrite(stored, arrays | {"rate_hz": arrays["rate_hz"].astype(np.float64)})
    assert "the array 'rate_hz' is not what set.schema.json says" in refusal(stored)


def test_a_schema_that_does_not_fit_is_named(stored: Path) -> None:
    original = schema_path(stored).read_text()

    def refused_with(change: Callable[[dict[str, Any]], None]) -> str:
        schema_path(stored).write_text(original)
        edit_schema(stored, change)
        return refusal(stored)

    assert "schema version 2; this program reads version 1" in refused_with(lambda c: c.update(version=2))
    assert "does not describe ABR recordings" in refused_with(lambda c: c.update(format="other"))
    shape = refused_with(lambda c: c["arrays"]["fmp"].update(shape=[13]))
    assert "the array 'fmp' is not what set.schema.json says" in shape
    unit = refused_with(lambda c: c["arrays"]["signal_uv"].update(unit="V"))
    assert "gives 'signal_uv' in 'V'; it must be in 'uV'" in unit
    assert "sample_rate_hz" in refused_with(lambda c: c.update(sample_rate_hz="fast"))
    assert "window_ms says 10" in refused_with(lambda c: c.update(window_ms=10.0))
    assert "missing" in refused_with(lambda c: c.pop("class_names"))
    for text in ("not json", "[1, 2]", ""):
        schema_path(stored).write_text(text)
        assert "schema.json" in refusal(stored)


def test_volts_and_missing_samples_in_a_file_are_refused(stored: Path) -> None:
    arrays = arrays_of(stored)
    rewrite(stored, arrays | {"signal_uv": arrays["signal_uv"] * np.float32(1e-6)})
    assert "look like volts" in refusal(stored)
    broken = arrays["signal_uv"].copy()
    broken[7, 100] = np.nan
    rewrite(stored, arrays | {"signal_uv": broken})
    assert "signal_uv: 1 non-finite values, the first in recording 7" in refusal(stored)


class Hostile:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickled_object_is_refused_and_never_executed(stored: Path, tmp_path: Path) -> None:
    touched = tmp_path / "executed"
    arrays = arrays_of(stored)
    arrays["polarity"] = np.array([Hostile(touched)] * 12, dtype=object)
    with stored.open("wb") as file:
        np.savez(file, allow_pickle=True, **arrays)
    edit_schema(stored, lambda c: c["arrays"]["polarity"].update(dtype="|O"))
    assert "cannot read recordings" in refusal(stored)
    assert not touched.exists()
    # The trap works: an unguarded reader would have sprung it.
    with np.load(stored, allow_pickle=True) as file:
        file["polarity"]
    assert touched.exists()


def test_a_pickle_under_the_name_of_an_array_is_refused(stored: Path, tmp_path: Path) -> None:
    touched = tmp_path / "executed"
    buffer = io.BytesIO(stored.read_bytes())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("extra", pickle.dumps(Hostile(touched)))
    stored.write_bytes(buffer.getvalue())
    edit_schema(stored, lambda _: None)
    assert "unknown array 'extra'" in refusal(stored)
    assert not touched.exists()
