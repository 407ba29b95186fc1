"""Tables: names, cells, labels, and the earlier project's spreadsheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neuroprism.abr.importers import Declared, read_recordings
from neuroprism.core.errors import DataError, UnknownNameError

DECLARED: dict[str, Any] = {
    "sample_rate_hz": 20_000.0,
    "unit": "uv",
    "window_start_ms": 0.0,
    "polarity": "alternating",
    "level_unit": "nhl",
}


def frame(n: int = 6, n_times: int = 50, prefix: str = "", **columns: Any) -> pd.DataFrame:
    signal = np.random.default_rng(1).normal(0.0, 0.2, (n, n_times)).round(5)
    samples = pd.DataFrame(signal, columns=[f"{prefix}{k + 1}" for k in range(n_times)])
    given = {"patient_id": [f"p{k // 2}" for k in range(n)], "level_db": [20.0 + 10 * k for k in range(n)]}
    return pd.concat([pd.DataFrame({**given, **columns}), samples], axis=1)


def read(table: pd.DataFrame, folder: Path, suffix: str = ".csv", **declared: Any) -> Any:
    path = folder / f"clinic{suffix}"
    if suffix == ".xlsx":
        table.to_excel(path, index=False)
    else:
        table.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return read_recordings(path, "table", Declared(**{**DECLARED, **declared}))


def refusal(table: pd.DataFrame, folder: Path, **declared: Any) -> str:
    with pytest.raises((DataError, UnknownNameError)) as refused:
        read(table, folder, **declared)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx"])
def test_every_kind_of_file_gives_the_same_set(suffix: str, tmp_path: Path) -> None:
    table = frame(age_years=[1.5, np.nan, 30, 40, 0, 60], ear=["L", "right", "", "R", "l", "unknown"])
    r = read(table, tmp_path, suffix).recordings
    np.testing.assert_allclose(r.signal_uv, table[[str(k + 1) for k in range(50)]], atol=1e-6)
    assert r.patient_id.tolist() == [f"clinic:p{k // 2}" for k in range(6)]
    assert r.ear.tolist() == ["L", "R", "unknown", "R", "L", "unknown"]
    assert r.counts()["missing_age"] == 1


def test_the_earlier_layout_is_understood(tmp_path: Path) -> None:
    table = frame(5).rename(columns={"patient_id": "Patient_ID", "level_db": "Intensity"})
    table["Patient_ID"] = [11, 11, 12, 13, 14]
    table["Age"] = [0, 1, 2, 3, 75]
    table["Stimulus Rate"] = 33.1
    table["FMP"] = [0.5, 1.5, 2.5, 3.5, np.nan]
    table["V Latancy"] = [7.1, 6.9, np.nan, 0, 6.5]
    table["V Amplitude"] = [0.2, 0.3, np.nan, 0, 0.25]
    table["Hear_Loss"] = ["NORMAL", "NORMAL", "NÖROPATİ", "TOTAL", "İTİK"]
    table["Stimulus Polarity"] = "Alternate"
    table["Sweeps Rejected"] = 12
    imported = read(table, tmp_path, unmarked_v="absent", polarity=None)
    r = imported.recordings
    assert r.patient_id[0] == "clinic:11"
    assert r.v_present.tolist() == [True, True, False, False, True]
    assert r.v_marked.all()
    assert np.isnan(r.v_latency_ms[2:4]).all()
    assert r.class_counts() == {
        "normal": 2,
        "neuropathy": 1,
        "sensorineural": 0,
        "total": 1,
        "conductive": 1,
    }
    assert set(r.polarity) == {"alternating"}
    assert imported.report.missing["fmp"] == 1
    assert "columns not used: Sweeps Rejected" in imported.report.notes
    unknown = read(table, tmp_path, unmarked_v="unknown", polarity=None).recordings
    assert unknown.v_marked.tolist() == [True, True, False, False, True]
    assert "--unmarked-v absent|unknown" in refusal(table, tmp_path, polarity=None)


def test_columns_classes_and_samples_can_be_named(tmp_path: Path) -> None:
    table = frame(4, prefix="t_").rename(columns={"level_db": "dB", "patient_id": "Hasta"})
    table["Tip"] = ["N", "S", "N", "?"]
    declared = {
        "columns": {"dB": "level_db", "Hasta": "patient_id", "Tip": "hearing_class"},
        "classes": {"N": "normal", "S": "sensorineural", "?": "unknown"},
        "samples": "t_1:t_50",
    }
    r = read(table, tmp_path, **declared).recordings
    assert r.hearing_class.tolist() == [0, 2, 0, -1]
    assert "unknown hearing classes ?, N, S" in refusal(table, tmp_path, **{**declared, "classes": {}})
    assert "--class-name ?=normal|" in refusal(table, tmp_path, **{**declared, "classes": {}})
    wrong = {**declared, "classes": {"N": "normla"}}
    assert "unknown hearing class 'normla'; did you mean 'normal'" in refusal(table, tmp_path, **wrong)
    assert "no sample columns 1, 2, 3" in refusal(table, tmp_path, **{**declared, "samples": None})
    assert "did you mean 't_50'" in refusal(table, tmp_path, **{**declared, "samples": "t_1:t50"})
    assert "must stand before" in refusal(table, tmp_path, **{**declared, "samples": "t_50:t_1"})
    assert "no column 'db'" in refusal(table, tmp_path, **{**declared, "columns": {"db": "level_db"}})
    assert "did you mean 'level_db'" in refusal(table, tmp_path, **{**declared, "columns": {"dB": "levl_db"}})


def test_cells_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    table = frame().astype(object)
    table.loc[2, "level_db"] = "loud"
    assert "row 3, column 'level_db': 'loud' is not a number" in refusal(table, tmp_path)
    comma = tmp_path / "comma.csv"
    comma.write_text("patient_id;level_db;1;2;3\na;20;0,1;-0,2;0,15\nb;30;0,3;0,1;-0,2\n")
    with pytest.raises(DataError, match="'0,1' is not a number; declare --decimal-comma"):
        read_recordings(comma, "table", Declared(**DECLARED))
    read_comma = read_recordings(comma, "table", Declared(**DECLARED, decimal_comma=True))
    np.testing.assert_allclose(read_comma.recordings.signal_uv[0], [0.1, -0.2, 0.15], atol=1e-6)


def test_words_that_are_not_understood_are_named(tmp_path: Path) -> None:
    assert "ear 'both' is not understood; known are L, R, unknown" in refusal(
        frame(ear=["L"] * 5 + ["both"]), tmp_path
    )
    assert "polarity 'sideways'" in refusal(frame(polarity=["sideways"] * 6), tmp_path)
    assert "sex 'x' is not understood; known are unknown, female, male" in refusal(
        frame(sex=["x"] * 6), tmp_path
    )
    assert "neither yes nor no" in refusal(frame(v_present=["yes", "maybe", "no", "1", "0", "1"]), tmp_path)


def test_thresholds_must_say_how_they_were_found(tmp_path: Path) -> None:
    table = frame(threshold_db=[20.0] * 5 + [np.nan])
    assert "--threshold-provenance behavioural|visual|derived" in refusal(table, tmp_path)
    r = read(table, tmp_path, threshold_provenance="behavioural")
    assert r.recordings.threshold_provenance == "behavioural"
    assert r.report.derived_labels == []
    derived = read(table, tmp_path, threshold_provenance="derived").report
    assert derived.derived_labels == ["threshold_db"]
    assert derived.missing["threshold_db_nhl"] == 1


def test_rows_that_cannot_be_used_are_left_out_and_counted(tmp_path: Path) -> None:
    table = frame(7)
    samples = [str(k + 1) for k in range(50)]
    table.loc[0, samples] = np.nan
    table.loc[1, "7"] = np.nan
    table.loc[2, samples] = 0.25
    table.loc[3, "level_db"] = np.nan
    imported = read(table, tmp_path)
    assert imported.report.left_out == {
        "without any number": 1,
        "with missing samples": 1,
        "flat": 1,
        "without a level": 1,
    }
    assert len(imported.recordings) == 3
    table[samples] = np.nan
    assert "no usable recording: 7 without any number" in refusal(table, tmp_path)


def test_a_patient_that_is_not_named_cannot_collide_with_one_that_is(tmp_path: Path) -> None:
    table = frame(4)
    table["patient_id"] = [3, np.nan, 1, np.nan]
    imported = read(table, tmp_path, source_name="ward")
    assert imported.recordings.patient_id.tolist() == ["ward:3", "ward:row 2", "ward:1", "ward:row 4"]
    assert any("2 rows without a patient" in note for note in imported.report.notes)


def test_two_columns_of_one_meaning_need_a_choice(tmp_path: Path) -> None:
    table = frame(age_years=[1.0] * 6, Age=[2.0] * 6)
    assert "'age_years' and 'Age' both are age_years; choose with --map" in refusal(table, tmp_path)
    chosen = read(table, tmp_path, columns={"Age": "age_years"}).recordings
    assert set(chosen.age_years) == {2.0}


def test_rows_longer_than_the_header_and_columns_that_stand_twice_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("patient_id,level_db,1,2,3\na,20,0.1,0.2,0.3,0.4\nb,30,0.1,0.2,0.4,0.5\n")
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_recordings(path, "table", Declared(**DECLARED))
    path.write_text("patient_id,level_db,level_db ,1,2,3\na,20,20,0.1,0.2,0.3\n")
    with pytest.raises(DataError, match="has the column 'level_db' twice"):
        read_recordings(path, "table", Declared(**DECLARED))


def test_header_without_rows_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "holds no recording" in refusal(frame().iloc[:0], tmp_path)
    with pytest.raises(DataError, match="no table at"):
        read_recordings(tmp_path, "table", Declared(**DECLARED))
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 not a workbook")
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_recordings(tmp_path / "broken.xlsx", "table", Declared(**DECLARED))
