"""What holds for every format: the same recordings come back, gaps are asked for, damage is one line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.abr.importers import Declared, importers, read_recordings, report_path, store
from neuroprism.abr.importers.readings import COMMON
from neuroprism.abr.store import load_recordings
from neuroprism.core.errors import DataError, UnknownNameError, UserError

FORMATS = sorted(importers)
LEVELS_DB = [20.0, 40.0, 60.0, 80.0]
Write = Callable[..., Any]


def refusal(source: Path, name: str, declared: dict[str, Any]) -> str:
    with pytest.raises(UserError) as refused:
        read_recordings(source, name, Declared(**declared))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def files_in(source: Path) -> list[Path]:
    return [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())


def without(declared: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in declared.items() if key != name}


@pytest.mark.parametrize("name", FORMATS)
def test_traces_levels_and_time_come_back_through_the_store(
    name: str, write_source: Write, tmp_path: Path
) -> None:
    written = write_source(name)
    imported = read_recordings(written.source, name, Declared(**written.declared))
    out = tmp_path / "out" / "set.npz"
    store(out, imported)
    r = load_recordings(out)
    expected = written.signal
    if written.centred:
        expected = expected - expected.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(r.signal_uv, expected, atol=written.tolerance)
    assert r.level_db_nhl.tolist() == LEVELS_DB
    assert (r.sample_rate_hz, r.start_ms, r.window_ms) == (20_000.0, 0.0, 10.0)
    assert set(r.polarity) == {"alternating"}
    assert all(":" in patient for patient in r.patient_id)
    assert r.provenance["format"] == name
    assert imported.report.recordings == 4
    assert report_path(out).is_file()
    assert not list(out.parent.glob(".*"))


@pytest.mark.parametrize("name", FORMATS)
def test_each_missing_fact_is_asked_for_by_its_flag(name: str, write_source: Write) -> None:
    written = write_source(name)
    asked = without(without(written.declared, "event_levels"), "allow_pickle")
    assert {"window_start_ms", "polarity", "level_unit"} <= set(asked)
    for fact in asked:
        message = refusal(written.source, name, without(written.declared, fact))
        assert f"--{fact.replace('_', '-')}" in message


@pytest.mark.parametrize("name", FORMATS)
def test_a_fact_that_the_file_states_otherwise_is_refused(name: str, write_source: Write) -> None:
    written = write_source(name)
    for fact, value in written.states.items():
        message = refusal(written.source, name, {**written.declared, fact: value * 2})
        assert f"--{fact.replace('_', '-')} says" in message


@pytest.mark.parametrize("name", FORMATS)
def test_what_means_nothing_for_a_format_is_refused(name: str, write_source: Write) -> None:
    written = write_source(name)
    values: dict[str, Any] = {"channel": "Cz", "rater": "x", "samples": "a:b", "highpass_hz": 100.0}
    for field, value in values.items():
        if field not in importers[name].takes:
            message = refusal(written.source, name, {**written.declared, field: value})
            assert message == f"--{field.replace('_', '-')} means nothing for --format {name}"


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_source_is_one_line(name: str, write_source: Write, tmp_path: Path) -> None:
    assert "nowhere" in refusal(tmp_path / "nowhere.csv", name, write_source(name).declared)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe nonsense \x80" * 40], ids=["empty", "noise"])
def test_an_empty_or_damaged_file_is_one_line(name: str, content: bytes, write_source: Write) -> None:
    written = write_source(name)
    files = files_in(written.source)
    for path in files:
        path.write_bytes(content)
    assert str(written.source) in refusal(written.source, name, written.declared)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_a_file_that_was_cut_is_never_a_traceback(name: str, kept: float, write_source: Write) -> None:
    written = write_source(name)
    files = files_in(written.source)
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content))])
    with contextlib.suppress(UserError):
        imported = read_recordings(written.source, name, Declared(**written.declared))
        # Where the rest is still a whole source, nothing may be invented.
        assert len(imported.recordings) <= 4


@pytest.mark.parametrize("name", FORMATS)
def test_no_damage_escapes_as_another_error(name: str, write_source: Write) -> None:
    written = write_source(name)
    files = files_in(written.source.parent)
    rng = np.random.default_rng(7)
    for _ in range(40):
        path = files[rng.integers(len(files))]
        whole = path.read_bytes()
        damaged = np.frombuffer(whole, np.uint8).copy()
        # Most of the meaning stands at the beginning.
        places = rng.integers(0, min(len(damaged), 1500), size=4)
        damaged[places] = rng.integers(0, 256, size=4)
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(UserError):
            read_recordings(written.source, name, Declared(**written.declared))
        path.write_bytes(whole)


@pytest.mark.parametrize("name", FORMATS)
def test_flat_traces_are_left_out_and_a_source_of_them_is_refused(name: str, write_source: Write) -> None:
    signal = np.zeros((4, 200))
    signal[1:] = write_source(name).signal[1:]
    written = write_source(name, signal)
    imported = read_recordings(written.source, name, Declared(**written.declared))
    assert imported.report.left_out == {"flat": 1}
    assert imported.recordings.level_db_nhl.tolist() == LEVELS_DB[1:]
    nothing = write_source(name, np.zeros((4, 200)))
    assert "no usable recording: 4 flat" in refusal(nothing.source, name, nothing.declared)


@pytest.mark.parametrize("name", ["table", "epl"])
def test_a_unit_that_is_off_by_a_million_is_noticed(name: str, write_source: Write) -> None:
    written = write_source(name)
    message = refusal(written.source, name, {**written.declared, "unit": "v"})
    assert "median SD" in message
    assert message.endswith("is the unit v right?")


def test_every_field_of_what_is_declared_serves_a_format() -> None:
    served = COMMON.union(*(importer.takes for importer in importers.values()))
    assert served == {field.name for field in fields(Declared)}


def test_an_unknown_format_and_unknown_choices_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'table'"):
        read_recordings(tmp_path, "tabel")
    with pytest.raises(
        UnknownNameError, match=r"value of --polarity 'alternate'; did you mean 'alternating'"
    ):
        Declared(polarity="alternate")
    with pytest.raises(UserError, match="--sample-rate-hz must be a positive number, not 0"):
        Declared(sample_rate_hz=0.0)


@pytest.mark.parametrize("name", FORMATS)
def test_levels_of_sound_pressure_stay_what_they_are_unless_a_conversion_is_declared(
    name: str, write_source: Write
) -> None:
    written = write_source(name)
    pressure = {**written.declared, "level_unit": "pespl"}
    r = read_recordings(written.source, name, Declared(**pressure)).recordings
    assert np.isnan(r.level_db_nhl).all()
    assert r.level_unit == "dB SPL"
    assert r.level_db.tolist() == LEVELS_DB
    assert r.provenance["level_unit"] == "dB peSPL"
    imported = read_recordings(written.source, name, Declared(**pressure, nhl_zero_db_spl=30.0))
    assert imported.recordings.level_db_nhl.tolist() == [level - 30.0 for level in LEVELS_DB]
    assert "dB nHL = dB peSPL - 30, as declared" in imported.report.notes


@pytest.mark.parametrize("name", FORMATS)
def test_the_window_can_be_cut_but_not_stretched(name: str, write_source: Write) -> None:
    written = write_source(name)
    declared = {**written.declared, "window_ms": 5.0}
    r = read_recordings(written.source, name, Declared(**declared)).recordings
    assert (r.n_times, r.window_ms) == (100, 5.0)
    if name not in ("brainvision", "psi"):
        assert "--window-ms 11 does not fit" in refusal(
            written.source, name, {**written.declared, "window_ms": 11.0}
        )


def test_nothing_is_left_where_the_set_cannot_be_written(write_source: Write, tmp_path: Path) -> None:
    written = write_source("table")
    imported = read_recordings(written.source, "table", Declared(**written.declared))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        store(tmp_path / "file" / "set.npz", imported)
    folder = tmp_path / "out" / "set.npz"
    folder.mkdir(parents=True)
    with pytest.raises(DataError, match="cannot write"):
        store(folder, imported)
    assert not report_path(folder).exists()
