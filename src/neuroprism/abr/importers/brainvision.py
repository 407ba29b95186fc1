"""BrainVision recordings, alone or in a BIDS folder: epochs around stimuli, averaged."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.abr.importers.averaging import average
from neuroprism.abr.importers.bids import events_beside, participant
from neuroprism.abr.importers.declared import Declared
from neuroprism.abr.importers.labels import sex_numbers
from neuroprism.abr.importers.readings import Floats, Importer, Readings, files_of, importers, join
from neuroprism.core.errors import DataError, suggest


def read_brainvision(source: Path, declared: Declared) -> Readings:
    """Read one `.vhdr`, or every one of a folder; one average for each kind of event.

    Rate and unit come from the header. An epoch begins `window_start_ms` after
    its event and is `window_ms` long; its mean is taken away.

    Raises
    ------
    DataError
        If a file is damaged, or a fact is missing.
    """
    paths = files_of(source, "*.vhdr", declared)
    return join([(path, _read_file(path, declared)) for path in paths])


importers.register("brainvision")(
    Importer(
        title="BrainVision recordings, alone or in a BIDS folder",
        read=read_brainvision,
        takes=frozenset(
            {
                "sample_rate_hz",
                "level_db",
                "patient",
                "match",
                "channel",
                "reject_uv",
                "highpass_hz",
                "events",
                "event_levels",
            }
        ),
    )
)


_LARGEST_HEADER = 1 << 20
_NAMED_FILE = re.compile(r"^[ \t]*(?:DataFile|MarkerFile)[ \t]*[=:](.*)$", re.IGNORECASE | re.MULTILINE)

_FAULTS = (
    configparser.Error,
    OSError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    TypeError,
    AttributeError,
    AssertionError,
    EOFError,
    MemoryError,
)
"""What MNE raises on damaged files."""


@dataclass(frozen=True)
class _Continuous:
    signal_uv: Floats
    sample_rate_hz: float
    onsets_s: dict[str, list[float]]


def _read_file(path: Path, declared: Declared) -> Readings:
    start_ms, window_ms = declared.need("window_start_ms", path), declared.need("window_ms", path)
    recording = _open(path, declared)
    sample_rate_hz = declared.agree("sample_rate_hz", recording.sample_rate_hz, path)
    chosen = _events(path, recording, declared)
    traces, levels, sweeps, noise, rejected = [], [], [], [], 0
    for name in chosen:
        epochs = _epochs(recording, recording.onsets_s[name], start_ms, window_ms)
        result = average(epochs, declared.reject_uv) if len(epochs) else None
        if result is None:
            raise DataError(f"{path}: no epoch of event '{name}' can be used")
        level = declared.event_levels.get(name)
        levels.append(float(declared.need("level_db", path)) if level is None else level)
        traces.append(result.trace_uv)
        sweeps.append(result.n_sweeps)
        noise.append(result.residual_noise_uv)
        rejected += result.n_rejected
    n = len(traces)
    person = participant(path)
    prefix = declared.source_name or "bids"
    return Readings(
        signal=np.stack(traces),
        unit="uv",
        sample_rate_hz=sample_rate_hz,
        start_ms=start_ms,
        level_db=np.array(levels),
        level_unit=declared.need("level_unit", path),
        columns={
            "n_sweeps": np.array(sweeps),
            "residual_noise_uv": np.array(noise),
            "patient_id": np.array([f"{prefix}:{declared.patient or person.name}"] * n),
            "age_years": np.full(n, person.age_years),
            "sex": sex_numbers([person.sex] * n, path),
            "polarity": np.array([declared.need("polarity", path)] * n),
        },
        left_out={"sweeps rejected": rejected} if rejected else {},
        notes=(f"averaged over events {', '.join(chosen)}",),
        provenance={"stimulus": "not stated", "highpass_hz": declared.highpass_hz or 0.0},
    )


def _open(path: Path, declared: Declared) -> _Continuous:
    import mne

    _check_header(path)
    try:
        with np.errstate(all="ignore"):
            raw = mne.io.read_raw_brainvision(path, preload=True, verbose="ERROR")
        names = [str(name) for name in raw.ch_names]
        channel = _channel(path, names, declared.channel)
        if declared.highpass_hz is not None:
            raw.filter(
                declared.highpass_hz, None, picks=[channel], method="iir", phase="forward", verbose="ERROR"
            )
        signal_v: Any = raw.get_data(picks=[channel], verbose="ERROR")[0]
        annotations = raw.annotations
    except DataError:
        raise
    except _FAULTS as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as BrainVision: {text}") from None
    onsets = events_beside(path)
    if onsets is None:
        onsets = {}
        for onset, text in zip(annotations.onset, annotations.description, strict=True):
            onsets.setdefault(_short(str(text)), []).append(float(onset))
    return _Continuous(signal_v * 1e6, float(raw.info["sfreq"]), onsets)


def _check_header(path: Path) -> None:
    """Refuse a header that sends its reader to files outside of its folder."""
    try:
        with path.open("rb") as file:
            head = file.read(_LARGEST_HEADER + 1)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    if len(head) > _LARGEST_HEADER:
        raise DataError(f"{path} is too long for a header of BrainVision")
    for name in _NAMED_FILE.findall(head.decode("latin-1").replace("\r", "\n")):
        if "/" in name or "\\" in name or name.strip() == "..":
            raise DataError(f"{path} names '{name.strip()}', a file of another folder")


def _short(text: str) -> str:
    """Return the name of an event without the kind that MNE puts before it."""
    kind, slash, name = text.partition("/")
    return re.sub(
        r"\s+", " ", name if slash and kind in ("Stimulus", "Response", "Comment") else text
    ).strip()


def _channel(path: Path, names: list[str], wanted: str | None) -> str:
    if wanted is not None and wanted not in names:
        raise DataError(f"{path} has no channel '{wanted}'{suggest(wanted, names)}")
    if wanted is None and len(names) > 1:
        raise DataError(f"{path} has the channels {', '.join(names)}; choose one with --channel")
    return wanted or names[0]


def _events(path: Path, recording: _Continuous, declared: Declared) -> list[str]:
    """Return the kinds of events to average: those named, or the only one there is."""
    found = {
        name: onsets for name, onsets in recording.onsets_s.items() if not name.startswith("New Segment")
    }
    wanted = list(dict.fromkeys((*declared.events, *declared.event_levels)))
    for name in wanted:
        if name not in found:
            raise DataError(f"{path} has no event '{name}'{suggest(name, found)}")
    if wanted:
        return wanted
    if not found:
        raise DataError(f"{path} has no events")
    if len(found) > 1:
        raise DataError(f"{path} has the events {', '.join(found)}; choose with --event or --event-level")
    return list(found)


def _epochs(recording: _Continuous, onsets_s: list[float], start_ms: float, window_ms: float) -> Floats:
    """Return the epochs that lie wholly inside the recording, (n, T)."""
    rate = recording.sample_rate_hz
    n_times = max(2, round(window_ms * rate / 1000.0))
    if n_times > len(recording.signal_uv):
        return np.empty((0, 2))
    first = np.round(np.array(onsets_s) * rate + start_ms * rate / 1000.0).astype(np.int64)
    first = first[(first >= 0) & (first + n_times <= len(recording.signal_uv))]
    epochs: Floats = recording.signal_uv[first[:, None] + np.arange(n_times)]
    return epochs
