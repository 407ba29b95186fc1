"""Recordings of psiexperiment: the continuous EEG and a table of stimuli, averaged level by level.

A recording is a folder with `eeg.zarr`, the raw EEG with its sampling rate
`fs`, and `erp_metadata.csv`, one stimulus a row: its time `t0` (s), and
`target_tone_level`, `target_tone_frequency` (Hz) and `target_tone_polarity`
(1 or -1); of clicks `target_click_level`. The data of ABRpresto (Zenodo
13987792) lie in it, with samples in volt and levels in dB SPL.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from neuroprism.abr.importers.averaging import Average, average
from neuroprism.abr.importers.declared import MICROVOLT_PER, Declared
from neuroprism.abr.importers.labels import ear_names
from neuroprism.abr.importers.psi_stimuli import CLICK, Stimuli, read_stimuli
from neuroprism.abr.importers.readings import Floats, Importer, Readings, importers, join
from neuroprism.abr.importers.zarr_array import ZarrSignal, open_zarr
from neuroprism.core.errors import DataError, suggest

_TABLE = "erp_metadata.csv"
# As the acquisition program names folders, and as those of ABRpresto are named.
_NAMES = (
    re.compile(r"^\d{8}-\d{6} \w+ (?P<animal>[-\w]+) (?:(?P<ear>left|right) )?"),
    re.compile(r"^(?P<animal>[^\W_]+)_timepoint\d+_(?P<ear>left|right)\b"),
)


def read_psi(source: Path, declared: Declared) -> Readings:
    """Read one recording, or every recording below a folder; one average a level.

    Rate, levels, repetition rate and the frequencies of the tones come from the
    recording. It does not state the unit of the samples or of the levels.

    Raises
    ------
    DataError
        If a file is damaged, or a fact is missing.
    UserError
        If the package that reads compressed samples is not installed.
    """
    return join([(folder, _read_folder(folder, declared)) for folder in _folders(source, declared)])


importers.register("psi")(
    Importer(
        title="recordings of psiexperiment in zarr, among them those of ABRpresto",
        read=read_psi,
        takes=frozenset(
            {
                "sample_rate_hz",
                "unit",
                "patient",
                "match",
                "channel",
                "reject_uv",
                "highpass_hz",
                "events",
            }
        ),
    )
)


def _folders(source: Path, declared: Declared) -> list[Path]:
    if not source.exists():
        raise DataError(f"no recordings at {source}")
    if source.is_file():
        raise DataError(f"{source} is a file; a recording is the folder of {_TABLE} and eeg.zarr, unpacked")
    pattern = declared.match or "*"
    found = sorted(table.parent for table in source.rglob(_TABLE) if table.parent.match(pattern))
    if not found:
        extra = f" in a folder that matches '{declared.match}'" if declared.match else ""
        raise DataError(f"{source} holds no {_TABLE}{extra}")
    return found


def _read_folder(folder: Path, declared: Declared) -> Readings:
    start_ms, window_ms = declared.need("window_start_ms", folder), declared.need("window_ms", folder)
    unit = declared.need("unit", folder)
    if unit not in MICROVOLT_PER:
        raise DataError(f"{folder}: --unit {unit} means nothing for --format psi")
    eeg = open_zarr(folder / "eeg.zarr")
    sample_rate_hz = declared.agree("sample_rate_hz", _rate(eeg), folder)
    everything = read_stimuli(folder / _TABLE)
    name = _chosen(folder, everything, declared)
    stimuli = everything.of(name)
    polarity = _polarity(folder, stimuli, declared)
    uv_per_unit = MICROVOLT_PER[unit]
    eeg_uv = eeg.read(_channel(eeg, declared.channel))
    eeg_uv *= uv_per_unit
    if declared.highpass_hz is not None:
        eeg_uv = _highpass(eeg_uv, sample_rate_hz, declared.highpass_hz)
    first = np.round((stimuli.time_s + start_ms / 1000.0) * sample_rate_hz)
    n_times = max(2, round(window_ms * sample_rate_hz / 1000.0))
    levels, averages, left_out = _averages(folder, eeg_uv, first, n_times, stimuli.level_db, declared)
    n = len(levels)
    animal, ear = _whose(folder)
    return Readings(
        signal=np.stack([one.trace_uv for one in averages]) / uv_per_unit,
        unit=unit,
        sample_rate_hz=sample_rate_hz,
        start_ms=start_ms,
        level_db=levels,
        level_unit=declared.need("level_unit", folder),
        columns={
            "n_sweeps": np.array([one.n_sweeps for one in averages]),
            "residual_noise_uv": np.array([one.residual_noise_uv for one in averages]),
            "rate_hz": np.full(n, np.median(stimuli.rate_hz)),
            "patient_id": np.array([f"{declared.source_name or 'psi'}:{declared.patient or animal}"] * n),
            "ear": ear_names([declared.ear or ear] * n, folder),
            "polarity": np.array([polarity] * n),
        },
        left_out=left_out,
        provenance={
            "stimulus": name if name == CLICK else f"tone {name} Hz",
            "highpass_hz": declared.highpass_hz or 0.0,
        },
    )


def _rate(eeg: ZarrSignal) -> float:
    """Return the sampling rate; corrections that may or may not be in the samples are refused."""
    rate = eeg.attributes.get("fs")
    if not isinstance(rate, int | float) or not (math.isfinite(rate) and rate > 0):
        raise DataError(f"{eeg.folder} does not say its sampling rate fs")
    for name, neutral in (("gain_correction", 1), ("latency_correction", 0)):
        stated = eeg.attributes.get(name, neutral)
        if stated != neutral:
            raise DataError(
                f"{eeg.folder} states {name} {stated}, but not whether the samples have it already"
            )
    return float(rate)


def _chosen(folder: Path, stimuli: Stimuli, declared: Declared) -> str:
    """Return the stimulus to average: the one that was named, or the only one there is."""
    found = sorted(set(stimuli.name), key=lambda name: (name == CLICK, name != CLICK and float(name)))
    if len(declared.events) > 1:
        raise DataError(f"{folder}: a set has one stimulus; import {' and '.join(declared.events)} apart")
    if declared.events:
        (wanted,) = declared.events
        if wanted not in found:
            raise DataError(f"{folder} has no stimulus '{wanted}'{suggest(wanted, found)}")
        return wanted
    if len(found) > 1:
        raise DataError(f"{folder} has tones of {', '.join(found)} Hz; choose one with --event")
    return found[0]


def _polarity(folder: Path, stimuli: Stimuli, declared: Declared) -> str:
    """Return the polarity; the table tells alternating stimuli, but not what 1 and -1 are."""
    signs = set(np.sign(stimuli.polarity[np.isfinite(stimuli.polarity)]))
    if len(signs) > 1:
        return str(declared.agree("polarity", "alternating", folder))
    polarity = str(declared.need("polarity", folder))
    if signs and polarity == "alternating":
        raise DataError(f"{folder} has stimuli of one polarity only, but --polarity says alternating")
    return polarity


def _channel(eeg: ZarrSignal, wanted: str | None) -> int:
    names = [str(number) for number in range(1, eeg.n_channels + 1)]
    if wanted is None and len(names) > 1:
        raise DataError(
            f"{eeg.folder} has {len(names)} channels; choose one with --channel, 1 to {len(names)}"
        )
    if wanted is not None and wanted not in names:
        raise DataError(f"{eeg.folder} has no channel '{wanted}'; its channels are 1 to {len(names)}")
    return 0 if wanted is None else names.index(wanted)


def _highpass(eeg_uv: Floats, sample_rate_hz: float, corner_hz: float) -> Floats:
    from scipy.signal import butter, sosfilt

    if corner_hz >= sample_rate_hz / 2:
        raise DataError(f"--highpass-hz {corner_hz:g} is not below half of the sampling rate")
    gap = np.isnan(eeg_uv)
    sections = butter(4, corner_hz, "highpass", fs=sample_rate_hz, output="sos")
    # What a gap hides must not reach what comes after it.
    filtered: Floats = sosfilt(sections, np.where(gap, 0.0, eeg_uv))
    filtered[gap] = np.nan
    return filtered


def _averages(
    folder: Path, eeg_uv: Floats, first: Floats, n_times: int, level_db: Floats, declared: Declared
) -> tuple[Floats, list[Average], dict[str, int]]:
    """Return the levels, the average of each, and which sweeps were left out.

    Parameters
    ----------
    folder
        For messages.
    eeg_uv
        (T,).
    first
        First sample of each sweep, (n,), not always inside the recording.
    n_times
        Samples of a sweep.
    level_db
        Of each sweep, (n,).
    declared
        Says what is rejected.
    """
    if n_times > len(eeg_uv):
        raise DataError(f"{folder}: a window of {n_times:.3g} samples is longer than the recording")
    inside = (first >= 0) & (first + n_times <= len(eeg_uv))
    found, left_out = [], {"sweeps outside the recording": int((~inside).sum())}
    levels = np.unique(level_db)
    for level in levels:
        places = first[inside & (level_db == level)].astype(np.int64)
        sweeps = eeg_uv[places[:, None] + np.arange(n_times)]
        missing = np.isnan(sweeps).any(axis=1)
        flat = ~missing & (np.ptp(sweeps, axis=1) == 0)
        # Sweeps that were never recorded would dilute the average; a level of nothing else is judged as flat.
        unused = missing | flat if not (missing | flat).all() else missing
        result = average(sweeps[~unused], declared.reject_uv) if not unused.all() else None
        if result is None:
            raise DataError(f"{folder}: no sweep at {level:g} dB can be used")
        found.append(result)
        for reason, count in (("without a signal", unused.sum()), ("rejected", result.n_rejected)):
            left_out[f"sweeps {reason}"] = left_out.get(f"sweeps {reason}", 0) + int(count)
    return levels, found, {reason: count for reason, count in left_out.items() if count}


def _whose(folder: Path) -> tuple[str, str]:
    """Return animal and ear (or nothing) by the name of the folder."""
    for pattern in _NAMES:
        if found := pattern.match(folder.name):
            return found["animal"], found["ear"] or ""
    return folder.name, ""
