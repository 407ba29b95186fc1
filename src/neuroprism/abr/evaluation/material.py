"""Which recordings a network is evaluated on, and which ones simple methods are fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.source import obtain, read_file
from neuroprism.abr.splits import SPLIT_FILE, SPLIT_NAMES, Split, SplitName, read_split, split_by_patient
from neuroprism.abr.trained import TrainedAbr
from neuroprism.abr.window_fit import fit_to_window
from neuroprism.core.errors import DataError, UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Material:
    """Recordings of an evaluation.

    Attributes
    ----------
    training
        What the network was trained on; simple methods are fitted on it.
    test
        What everything is measured on, in the window of the network.
    origin
        One line on where the test recordings come from.
    notes
        What was left out or changed.
    """

    training: AbrRecordings
    test: AbrRecordings
    origin: str
    notes: tuple[str, ...] = ()


def gather(
    trained: TrainedAbr, *, data: Path | None = None, split: str = "test", training: Path | None = None
) -> Material:
    """Collect the recordings.

    Parameters
    ----------
    trained
        The network; its configuration names the recordings that it was trained on.
    data
        Other recordings to measure on; those of patients that took part in training or selection are left
        out. None: a split of the network's own ones.
    split
        Of its own recordings: test, val or train.
    training
        File with the network's own recordings, where they are no longer where they were.

    Raises
    ------
    DataError
        If recordings are missing, do not fit or leave nothing to measure on.
    UnknownNameError
        If the split has another name.
    """
    if split not in SPLIT_NAMES:
        raise UnknownNameError("split", split, SPLIT_NAMES)
    own, place = _own(trained, training)
    parts = _split(trained, own)
    fit = own.select(parts.train)
    if data is None:
        chosen: SplitName = next(name for name in SPLIT_NAMES if name == split)
        if not len(parts[chosen]):
            raise DataError(f"the {split} split of this run is empty: choose --split val or give --data")
        test = own.select(parts[chosen])
        return Material(training=fit, test=test, origin=f"{split} split of {place}")
    return _other(trained, data, fit, own.select(np.concatenate([parts.train, parts.val])))


def _other(trained: TrainedAbr, data: Path, fit: AbrRecordings, seen: AbrRecordings) -> Material:
    given, notes = read_file(data), list[str]()
    fresh = ~np.isin(given.patient_id, np.unique(seen.patient_id))
    if not fresh.any():
        raise DataError(f"every patient of {data} took part in training or selection: nothing to measure on")
    if not fresh.all():
        n = int((~fresh).sum())
        notes.append(f"{n:,} recordings of patients that took part in training or selection are left out")
        given = given.select(fresh)
    if _differs(given, trained):
        given, changes = fit_to_window(given, trained.scaler)
        notes += [f"recordings of {data}: {change}" for change in changes]
    return Material(training=fit, test=given, origin=str(data), notes=tuple(notes))


def _differs(recordings: AbrRecordings, trained: TrainedAbr) -> bool:
    # Recordings that fit stay untouched, with their clean traces.
    names = ("n_times", "sample_rate_hz", "start_ms", "signal_unit", "class_names")
    return any(getattr(recordings, name) != getattr(trained.scaler, name) for name in names)


def _own(trained: TrainedAbr, training: Path | None) -> tuple[AbrRecordings, str]:
    """Return all recordings of the run, and their name for people."""
    if training is not None:
        return read_file(training), str(training)
    config = trained.config.data
    if config.dataset_path is not None and not config.dataset_path.is_file():
        raise DataError(
            f"the recordings of this run are not at {config.dataset_path}: name their file with --training"
        )
    source = obtain(config)
    return source.recordings, str(config.dataset_path or "the simulated recordings of the run")


def _split(trained: TrainedAbr, own: AbrRecordings) -> Split:
    """Return the split of the run: as stored beside it, or dealt again, which gives the same."""
    manifest = trained.path.resolve().parent.parent / SPLIT_FILE
    if manifest.is_file():
        return read_split(manifest, own)
    return split_by_patient(own, trained.config.data.splits)


def without_labels(recordings: AbrRecordings) -> AbrRecordings:
    """Return the recordings with every label taken away, as a method gets them."""
    n = len(recordings)
    nothing = np.full(n, np.nan, dtype=np.float32)
    return replace(
        recordings,
        wave_latency_ms=np.full_like(recordings.wave_latency_ms, np.nan),
        wave_amplitude_uv=np.full_like(recordings.wave_amplitude_uv, np.nan),
        v_marked=np.zeros(n, dtype=np.bool_),
        v_present=np.zeros(n, dtype=np.bool_),
        hearing_class=np.full(n, -1, dtype=np.int64),
        threshold_db_nhl=nothing,
        threshold_censored=np.zeros(n, dtype=np.bool_),
        air_bone_gap_db=nothing,
        clean_uv=None,
    )
