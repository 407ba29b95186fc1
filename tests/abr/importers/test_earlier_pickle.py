"""The earlier project's joblib file: units given back, derived labels left out, nothing executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from neuroprism.abr.importers import Declared, read_recordings
from neuroprism.core.errors import DataError


class Hostile:
    """Pickles as a call."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


@pytest.fixture
def earlier(write_source: Any) -> Any:
    """The written file, with a way to change its content."""
    written = write_source("joblib")

    def change(edit: Any) -> Any:
        content = joblib.load(written.source)
        edit(content)
        joblib.dump(content, written.source)
        return written

    written.change = change
    return written


def refusal(written: Any, **declared: Any) -> str:
    with pytest.raises(DataError) as refused:
        read_recordings(written.source, "joblib", Declared(**{**written.declared, **declared}))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_conditions_get_their_units_back(earlier: Any) -> None:
    imported = read_recordings(earlier.source, "joblib", Declared(**earlier.declared))
    r = imported.recordings
    np.testing.assert_allclose(r.age_years, [3.0, 4.0, 5.0, 6.0], atol=1e-5)
    np.testing.assert_allclose(r.rate_hz, 21.1, atol=1e-5)
    np.testing.assert_allclose(r.fmp, [1.5, 2.5, 3.5, 4.5], atol=1e-5)
    assert r.signal_unit == "zscore"
    assert r.patient_id.tolist() == ["abrv2:100", "abrv2:100", "abrv2:101", "abrv2:101"]
    assert r.hearing_class.tolist() == [0, 1, 2, 3]
    assert r.v_latency_ms.tolist() == [6.0] * 4
    assert imported.report.patients_in_several_classes == 2


def test_thresholds_computed_from_labels_are_left_out_or_say_so(earlier: Any) -> None:
    imported = read_recordings(earlier.source, "joblib", Declared(**earlier.declared))
    assert np.isnan(imported.recordings.threshold_db_nhl).all()
    assert imported.recordings.threshold_provenance == "none"
    assert imported.report.derived_labels == ["threshold (combined, computed from class, level and wave V)"]
    kept = read_recordings(earlier.source, "joblib", Declared(**earlier.declared, keep_derived=True))
    assert kept.recordings.threshold_db_nhl.tolist() == [20.0] * 4
    assert kept.recordings.threshold_provenance == "synthetic:combined"


def test_gaps_that_were_filled_must_be_explained(earlier: Any) -> None:
    def edit(content: Any) -> None:
        scaler = content["scaler"]
        statics = np.array([[0.0, 0.0, 0.0, 0.0], [2.0, 30.0, 21.1, 1.0]])
        for row, static in zip(content["data"], scaler.transform(statics), strict=False):
            row["static_params"] = static
        content["data"][1]["v_peak_mask"] = np.array([False, False])

    written = earlier.change(edit)
    assert "--unmarked-v absent|unknown" in refusal(written, age_zero="newborn")
    assert "--age-zero newborn|unknown" in refusal(written, unmarked_v="absent")
    declared = {**written.declared, "unmarked_v": "absent", "age_zero": "unknown"}
    imported = read_recordings(written.source, "joblib", Declared(**declared))
    r = imported.recordings
    assert np.isnan([r.age_years[0], r.rate_hz[0], r.fmp[0]]).all()
    assert r.v_present.tolist() == [True, False, True, True]
    assert any("1 levels are 0" in note for note in imported.report.notes)


@pytest.mark.parametrize("place", ["signal", "metadata", "classes"])
def test_hostile_files_are_refused_and_not_executed(
    place: str, earlier: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    def edit(content: Any) -> None:
        if place == "signal":
            content["data"][1]["signal"] = Hostile()
        if place == "metadata":
            content["metadata"]["steps"] = [Hostile()]
        if place == "classes":
            content["label_encoder"].classes_ = np.array(["NORMAL", Hostile()], dtype=object)

    message = refusal(earlier.change(edit))
    assert "nothing was executed" in message
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["data"][2].pop("signal"), "recording 2 has no 'signal'"),
        (
            lambda c: c["data"][2].update(signal=np.zeros(199)),
            "'signal' of recording 2 is float64 of shape (199,), not 200 numbers",
        ),
        (lambda c: c["data"][1].update(target=None), "'target' of recording 1 is not a number"),
        (lambda c: c["data"][1].update(signal="flat"), "'signal' of recording 1 is no array"),
        (lambda c: c["data"][1].update(target=np.int64(5)), "target 5 of recording 1 has no name"),
        (lambda c: c.pop("scaler"), "has no scaler with mean_ and scale_"),
        (lambda c: c.pop("label_encoder"), "say what the class numbers mean, e.g. --class-name 0=normal"),
        (lambda c: c.update(data=[]), "holds no list of recordings under 'data'"),
    ],
)
def test_what_is_missing_is_named(edit: Any, message: str, earlier: Any) -> None:
    assert message in refusal(earlier.change(edit))


def test_class_numbers_can_be_named_where_the_encoder_is_gone(earlier: Any) -> None:
    written = earlier.change(lambda content: content.pop("label_encoder"))
    names = {"0": "normal", "1": "total", "2": "unknown", "3": "conductive"}
    imported = read_recordings(written.source, "joblib", Declared(**written.declared, classes=names))
    assert imported.recordings.hearing_class.tolist() == [0, 3, -1, 4]


def test_pickles_are_read_only_on_demand(earlier: Any) -> None:
    assert "--allow-pickle" in refusal(earlier, allow_pickle=False)
