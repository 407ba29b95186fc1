from __future__ import annotations

from dataclasses import fields

from neuroprism.abr.columns import COLUMNS, HEARING_CLASSES, WAVE_V, WAVES
from neuroprism.abr.recordings import AbrRecordings


def test_every_column_is_an_array_of_a_set_and_has_unit_and_meaning() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    # What is no column describes the whole set.
    whole = {
        "sample_rate_hz",
        "window_ms",
        "start_ms",
        "class_names",
        "signal_unit",
        "threshold_provenance",
        "provenance",
    }
    assert {field.name for field in fields(AbrRecordings)} == set(names) | whole
    assert all(column.unit and column.meaning for column in COLUMNS)


def test_a_unit_in_a_name_is_the_unit_of_the_column() -> None:
    endings = {"_uv": "uV", "_ms": "ms", "_db_nhl": "dB nHL", "_hz": "1/s", "_years": "years", "_db": "dB"}
    for column in COLUMNS:
        said = [unit for ending, unit in endings.items() if column.name.endswith(ending)]
        assert said in ([], [column.unit]), column.name


def test_only_numbers_with_a_fraction_can_be_missing() -> None:
    assert all(column.kind == "float32" for column in COLUMNS if column.missing)
    assert all(column.low is None for column in COLUMNS if column.kind in ("text", "bool"))


def test_waves_and_classes_have_their_order() -> None:
    assert WAVES[WAVE_V] == "V"
    assert HEARING_CLASSES == ("normal", "neuropathy", "sensorineural", "total", "conductive")
