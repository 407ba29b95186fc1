"""The report of an import names what is missing, odd, doubled or derived."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from neuroprism.abr.importers.assemble import Assembled
from neuroprism.abr.importers.quality import QualityReport, judge
from neuroprism.abr.recordings import AbrRecordings


def judged(recordings: AbrRecordings) -> QualityReport:
    return judge(Assembled(recordings.validate(), {}, {}, ()), source="here", name="table", derived=())


def test_a_clean_set_has_nothing_to_say(small_set: AbrRecordings) -> None:
    report = judged(small_set)
    assert report.duplicated_recordings == report.patients_in_several_classes == 0
    assert report.recordings == len(small_set)
    assert sum(report.classes.values()) == len(small_set)
    assert "wave V latency" not in {one.quantity for one in report.outside_physiology}


def test_doubled_recordings_and_patients_of_two_classes_are_found(small_set: AbrRecordings) -> None:
    signal, label = small_set.signal_uv.copy(), small_set.hearing_class.copy()
    signal[7] = signal[3]
    signal[9] = signal[3]
    patient = small_set.patient_id[0]
    label[0] = (label[0] + 1) % 5
    report = judged(replace(small_set, signal_uv=signal, hearing_class=label))
    assert report.duplicates == [[3, 7, 9]]
    assert report.duplicated_recordings == 2
    assert report.examples_in_several_classes == [str(patient)]
    text = report.text()
    assert "Duplicated recordings: 2 (same trace: 3, 7, 9)" in text
    assert f"Patients in several classes: 1 ({patient})" in text


def test_unlikely_values_are_kept_and_named(small_set: AbrRecordings) -> None:
    latency = small_set.wave_latency_ms.copy()
    row = int(np.flatnonzero(small_set.v_present)[0])
    latency[row, 4] = 2.0
    rate = small_set.rate_hz.copy()
    rate[[1, 2]] = 900.0
    report = judged(replace(small_set, wave_latency_ms=latency, rate_hz=rate))
    found = {one.quantity: one for one in report.outside_physiology}
    assert found["wave V latency"].count == 1
    assert found["wave V latency"].first_recording == row
    assert found["stimuli per second"].count == 2
    assert "stimuli per second beyond 5 to 100 1/s in 2 recordings, the first is 1" in report.text()


def test_the_report_is_strict_json(small_set: AbrRecordings) -> None:
    content = msgspec.json.encode(judged(small_set))
    assert b"NaN" not in content
    assert msgspec.json.decode(content, type=QualityReport).recordings == len(small_set)
