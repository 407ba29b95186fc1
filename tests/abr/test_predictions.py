"""Tables of predictions, and thresholds from the levels of one ear."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroprism.abr.ear_thresholds import ear_thresholds
from neuroprism.abr.estimate import INTERVAL_Z, Estimate
from neuroprism.abr.prediction_files import check_target, write_predictions
from neuroprism.abr.predictions import STATEMENT, AbrPredictions
from neuroprism.core.errors import UserError


def estimate(values: list[float], sd: float | list[float] = 1.0) -> Estimate:
    return Estimate.normal(np.array(values), np.broadcast_to(np.array(sd), len(values)))


@pytest.fixture
def predictions() -> AbrPredictions:
    probability = np.array([0.9, 0.2, 0.7])
    threshold = estimate([20.0, 40.0, 30.0], [10.0, 20.0, 5.0])
    return AbrPredictions(
        patient_id=np.array(["a", "a", ""]),
        ear=np.array(["L", "L", "unknown"]),
        conditions={"level_db_nhl": np.array([80.0, 40.0, 60.0]), "age_years": np.array([1.0, np.nan, 2.0])},
        v_probability=probability,
        latency_ms=estimate([6.0, 7.0, 6.5]),
        amplitude_uv=estimate([0.4, 0.1, 0.3], np.nan),
        threshold_db_nhl=threshold,
        class_names=("normal", "total"),
        class_probability=np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]),
        time_ms=np.array([0.0, 0.05]),
        ears=ear_thresholds(
            np.array(["a/L", "a/L", "/unknown"]),
            np.array([True, True, False]),
            np.array([80.0, 40.0, 60.0]),
            probability,
            threshold,
        ),
        unlike_training=("", "signal: size", ""),
        notes=("resampled",),
        provenance={"epoch": 3},
        denoised_uv=np.array([[0.1, 0.2]] * 3, dtype=np.float32),
    )


def test_normal_interval_has_the_given_sd() -> None:
    found = estimate([1.0], 2.0)
    assert found.high[0] - found.value[0] == pytest.approx(INTERVAL_Z * 2.0)
    assert found.sd[0] == pytest.approx(2.0)


def test_values_stand_only_where_they_apply(predictions: AbrPredictions) -> None:
    table = predictions.columns()
    assert table["wave_v_present"] == [True, False, True]
    assert table["wave_v_latency_ms"] == [6.0, None, 6.5]
    assert table["wave_v_amplitude_low_uv"] == [None] * 3
    assert table["hearing_class"] == ["normal", "total", "normal"]
    assert table["probability_total"] == [0.2, 0.7, 0.4]
    assert table["ear_threshold_db_nhl"] == [25.0, 25.0, None]
    assert table["ear_lowest_level_with_v_db_nhl"] == [80.0, 80.0, None]
    assert {len(column) for column in table.values()} == {3}


def test_csv_and_json_say_the_same(predictions: AbrPredictions, tmp_path: Path) -> None:
    for suffix in (".csv", ".json"):
        write_predictions(tmp_path / "new" / f"p{suffix}", predictions)
    with (tmp_path / "new" / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    content = json.loads((tmp_path / "new" / "p.json").read_text())
    assert content["statement"] == STATEMENT
    assert content["notes"] == ["resampled"]
    assert content["class_names"] == ["normal", "total"]
    assert content["time_ms"] == [0.0, 0.05]
    assert content["ears"][0]["recordings"] == [1, 2]
    for row, record in zip(rows, content["recordings"], strict=True):
        assert record.pop("denoised_uv") == [0.1, 0.2]
        assert [float(row.pop(f"denoised_uv_at_{t}_ms")) for t in ("0", "0.05")] == pytest.approx([0.1, 0.2])
        assert set(row) == set(record)
        for name, value in record.items():
            if value is None:
                assert row[name] == ""
            elif isinstance(value, str):
                assert row[name] == value
            else:
                assert float(row[name]) == pytest.approx(float(value), rel=1e-5)


def test_without_denoised_traces_there_are_none(predictions: AbrPredictions, tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", replace(predictions, denoised_uv=None))
    assert "denoised" not in (tmp_path / "p.csv").read_text()
    write_predictions(tmp_path / "p.json", replace(predictions, denoised_uv=None))
    assert "denoised" not in (tmp_path / "p.json").read_text()


def test_targets_are_checked_before(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "p.txt", "must end in"), (tmp_path, "must end in")):
        with pytest.raises(UserError, match=said):
            check_target(path, overwrite=False)
    (tmp_path / "p.csv").write_text("")
    with pytest.raises(UserError, match="exists; replace it with --overwrite"):
        check_target(tmp_path / "p.csv", overwrite=False)
    check_target(tmp_path / "p.csv", overwrite=True)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        check_target(tmp_path / "folder.csv", overwrite=True)
