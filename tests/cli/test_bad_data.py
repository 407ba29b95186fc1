"""Data that cannot be trained on: exit code 2, one line that names file and fault, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.abr import AbrRecordings, SplitConfig, split_by_patient
from neuroprism.abr.store import file_sha256, schema_path

Arrays = dict[str, Any]


def copy(source: Path, target: Path, content: bytes, *, agree: bool) -> Path:
    """Write `content` with the schema of `source`, which may agree with it."""
    target.write_bytes(content)
    schema = json.loads(schema_path(source).read_text())
    if agree:
        schema["sha256"] = file_sha256(target)
    schema_path(target).write_text(json.dumps(schema))
    return target


def test_missing_file_names_its_neighbour(refused: Callable[..., str], data_file: Path) -> None:
    line = refused(data__dataset_path=str(data_file.with_name("recording.npz")))
    assert "recording.npz" in line
    assert "did you mean 'recordings.npz'?" in line


@pytest.mark.parametrize("name", [".", "", "/", "a" * 300])
def test_path_that_is_no_file(name: str, refused: Callable[..., str]) -> None:
    line = refused(data__dataset_path=name)
    assert "recordings" in line


@pytest.mark.parametrize("agree", [False, True])
def test_truncated_file(agree: bool, refused: Callable[..., str], data_file: Path, tmp_path: Path) -> None:
    content = data_file.read_bytes()
    path = copy(data_file, tmp_path / "cut.npz", content[: len(content) // 2], agree=agree)
    line = refused(data__dataset_path=str(path))
    assert "cut.npz" in line
    assert agree or "damaged" in line


@pytest.mark.parametrize("agree", [False, True])
def test_flipped_bit(agree: bool, refused: Callable[..., str], data_file: Path, tmp_path: Path) -> None:
    content = bytearray(data_file.read_bytes())
    content[len(content) // 3] ^= 1
    path = copy(data_file, tmp_path / "flipped.npz", bytes(content), agree=agree)
    line = refused(data__dataset_path=str(path))
    assert "flipped.npz" in line
    assert agree or "damaged" in line


def test_empty_file(refused: Callable[..., str], data_file: Path, tmp_path: Path) -> None:
    assert "empty.npz" in refused(
        data__dataset_path=str(copy(data_file, tmp_path / "empty.npz", b"", agree=True))
    )


def test_missing_schema(refused: Callable[..., str], data_file: Path, tmp_path: Path) -> None:
    (tmp_path / "alone.npz").write_bytes(data_file.read_bytes())
    assert "alone.schema.json is missing" in refused(data__dataset_path="alone.npz")


def test_one_nan_sample(refused: Callable[..., str], rewritten: Callable[..., Path]) -> None:
    def change(arrays: Arrays) -> None:
        arrays["signal_uv"][17, 3] = np.nan

    line = refused(data__dataset_path=str(rewritten(change)))
    assert "signal_uv" in line
    assert "recording 17" in line


def test_volts_are_no_microvolts(refused: Callable[..., str], rewritten: Callable[..., Path]) -> None:
    def change(arrays: Arrays) -> None:
        arrays["signal_uv"] = (arrays["signal_uv"] * 1e-6).astype(np.float32)

    line = refused(data__dataset_path=str(rewritten(change)))
    assert "volts" in line


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("signal_uv", (slice(None), 0)),
        ("signal_uv", (slice(None), slice(100))),
        ("signal_uv", (slice(5),)),
        ("level_db_nhl", (slice(5),)),
        ("wave_latency_ms", (slice(None), slice(3))),
    ],
)
def test_wrong_shape(
    name: str, cut: Any, refused: Callable[..., str], rewritten: Callable[..., Path]
) -> None:
    def change(arrays: Arrays) -> None:
        arrays[name] = arrays[name][cut]

    line = refused(data__dataset_path=str(rewritten(change)))
    assert "shape" in line or "samples" in line or "recordings" in line, line


def test_class_absent_from_the_training_split_is_named(
    refused: Callable[..., str], rewritten: Callable[..., Path], recordings: AbrRecordings
) -> None:
    split = split_by_patient(recordings, SplitConfig())
    patient = recordings.patient_id[split.val[0]]
    rows = np.flatnonzero(recordings.patient_id == patient)

    def change(arrays: Arrays) -> None:
        # One recording of a patient who stays in the validation split.
        arrays["hearing_class"][rows[-1]] = len(recordings.class_names)

    path = rewritten(change, class_names=[*recordings.class_names, "rare"])
    assert "class 'rare' is absent from the training split" in refused(data__dataset_path=str(path))


def test_one_patient_only(
    refused: Callable[..., str], rewritten: Callable[..., Path], recordings: AbrRecordings
) -> None:
    mine = recordings.patient_id == recordings.patient_id[0]

    def change(arrays: Arrays) -> None:
        for name in arrays:
            arrays[name] = arrays[name][mine]

    path = rewritten(change, n_patients=1, n_recordings=int(mine.sum()))
    line = refused(data__dataset_path=str(path))
    assert "1 patient cannot be divided" in line


def test_clean_target_without_clean_traces(
    refused: Callable[..., str], rewritten: Callable[..., Path]
) -> None:
    path = rewritten(lambda arrays: arrays.pop("clean_uv"))
    line = refused(data__dataset_path=str(path), data__signal_target="clean")
    assert "data.signal_target is 'clean'" in line


@pytest.mark.parametrize("name", ["way", "way/deeper", "a" * 300])
def test_cache_that_cannot_be_written(name: str, refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "way").write_text("in the way")
    settings = {"data__dataset_path": None, "data__simulation__n_patients": 20}
    assert "cannot write" in refused(**settings, data__cache_dir=name)


def test_cache_is_filled_once(program: Any, tmp_path: Path) -> None:
    settings = {"data__dataset_path": None, "data__simulation__n_patients": 20, "data__cache_dir": "cache"}
    for name in ("first", "second"):
        assert (
            program.train("--epochs", "1", experiment=name, training__max_steps_per_epoch=1, **settings) == 0
        )
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 1
    messages = [[e["message"] for e in program.events("note", name)] for name in ("first", "second")]
    assert any("were simulated into cache" in text for text in messages[0])
    assert any("simulated earlier, from cache" in text for text in messages[1])
    assert program.rows("first") == program.rows("second")
