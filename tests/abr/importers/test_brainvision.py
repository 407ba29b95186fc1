"""BrainVision recordings: events, BIDS tables, rejection and damage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuroprism.abr.importers import Declared, read_recordings
from neuroprism.core.errors import DataError


def read(written: Any, **declared: Any) -> Any:
    return read_recordings(written.source, "brainvision", Declared(**{**written.declared, **declared}))


def refusal(written: Any, **declared: Any) -> str:
    with pytest.raises(DataError) as refused:
        read(written, **declared)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_sweeps_and_person_come_from_the_files(write_source: Any) -> None:
    written = write_source("brainvision")
    written.source.with_name("participants.tsv").write_text(
        "participant_id\tage\tsex\nsub-01\t30\tM\nsub-03\t25.5\tF\n"
    )
    r = read(written).recordings
    assert set(r.patient_id) == {"bids:03"}
    assert r.n_sweeps.tolist() == [5] * 4
    assert set(r.age_years) == {25.5}
    assert set(r.sex) == {1}
    assert (r.residual_noise_uv < 1e-4).all()


def test_events_of_the_table_beat_the_markers(write_source: Any) -> None:
    written = write_source("brainvision")
    rows = [f"{(k * 500 + 300) / 20_000.0}\t0\t{'loud' if k % 4 == 3 else 'soft'}" for k in range(20)]
    table = written.source.with_name("sub-03_task-click_events.tsv")
    table.write_text("onset\tduration\ttrial_type\n" + "\n".join(rows) + "\n")
    r = read(written, event_levels={"loud": 80.0}).recordings
    assert r.level_db_nhl.tolist() == [80.0]
    np.testing.assert_allclose(r.signal_uv[0], written.signal[3] - written.signal[3].mean(), atol=1e-3)
    table.write_text("onset\tduration\ttrial_type\nsoon\t0\tloud\n")
    assert "onset is 'soon', not a number" in refusal(written, event_levels={"loud": 80.0})


def test_events_and_levels_are_asked_for(write_source: Any) -> None:
    written = write_source("brainvision")
    assert "has the events S1, S2, S3, S4; choose with --event or --event-level" in refusal(
        written, event_levels={}
    )
    assert "--level-db" in refusal(written, event_levels={}, events=("S2",))
    r = read(written, event_levels={}, events=("S2",), level_db=40.0).recordings
    assert r.level_db_nhl.tolist() == [40.0]
    assert "has no event 'S9'" in refusal(written, event_levels={"S9": 20.0})
    assert "has no channel 'Pz'" in refusal(written, channel="Pz")
    assert read(written, channel="Cz").recordings.n_times == 200


def test_epochs_beyond_the_recording_and_large_ones_are_left_out(write_source: Any) -> None:
    written = write_source("brainvision")
    r = read(written, window_ms=12.0).recordings
    # Behind the last event there is nothing more to cut.
    assert r.n_sweeps.tolist() == [5, 5, 5, 4]
    assert "no epoch of event 'S1' can be used" in refusal(written, reject_uv=0.001)
    assert "no epoch" in refusal(written, window_start_ms=-10_000.0)


def test_drift_is_filtered_before_averaging(write_source: Any) -> None:
    written = write_source("brainvision")
    clean = read(written, highpass_hz=50.0).recordings.signal_uv
    path = written.source.with_suffix(".eeg")
    signal = np.frombuffer(path.read_bytes(), "<f4")
    drift = 40.0 * np.sin(2 * np.pi * 2.0 * np.arange(len(signal)) / 20_000.0)
    path.write_bytes((signal + drift).astype("<f4").tobytes())
    plain, filtered = (read(written, **extra).recordings.signal_uv for extra in ({}, {"highpass_hz": 50.0}))
    assert np.abs(filtered - clean).max() < 0.1 * np.abs(plain - clean).max()
    assert np.corrcoef(filtered[3], clean[3])[0, 1] > 0.95


@pytest.mark.parametrize("suffix", [".eeg", ".vmrk"])
def test_a_file_that_is_gone_is_one_line(suffix: str, write_source: Any) -> None:
    written = write_source("brainvision")
    written.source.with_suffix(suffix).unlink()
    assert str(written.source) in refusal(written)
