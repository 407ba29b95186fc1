"""Recordings and events of the TUH EEG corpus: referential EDF files, derivations, annotation rows."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from neuroprism.core.errors import DataError
from neuroprism.eeg.checks import check_rate, check_signal
from neuroprism.eeg.readers.edf import read_edf
from neuroprism.eeg.signal import Signal, bipolar, condition, derivations
from neuroprism.eeg.spec import DatasetSpec

EVENT_LABELS = ("SPSW", "GPED", "PLED", "EYEM", "ARTF", "BCKG")
"""Types 1 to 6 of an annotation row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TuhEvent:
    """One annotation row.

    Attributes
    ----------
    channel
        As in the file: a number in ``.rec`` files, a derivation in ``.csv`` files.
    start_s, stop_s
        Seconds from the start of the recording.
    label
        0 to 5, index of `EVENT_LABELS`.
    """

    channel: str
    start_s: float
    stop_s: float
    label: int


def electrode(label: str) -> str:
    """Return ``"FP1"`` for ``"EEG FP1-REF"``; other labels as they are."""
    if label.startswith("EEG ") and label.endswith("-REF"):
        return label[4:-4]
    return label


def electrodes(spec: DatasetSpec) -> list[str]:
    """Return the electrodes that the channels of a dataset are formed from."""
    return list(dict.fromkeys(name for pair in derivations(spec.channels) for name in pair))


def read_derivations(path: Path, spec: DatasetSpec) -> Signal:
    """Read a recording and return its derivations at 200 Hz: (C, T) float64 microvolt.

    Raises
    ------
    DataError
        If the file, its rate, an electrode or the amplitudes are not as declared.
    """
    pairs, wanted = derivations(spec.channels), electrodes(spec)
    recording = read_edf(path, wanted, name_of=electrode)
    check_rate(recording.sample_rate_hz, spec, str(path))
    check_signal(recording.signal_uv, wanted, str(path))
    formed = bipolar(recording.signal_uv, wanted, pairs, where=str(path))
    return condition(formed, recording.sample_rate_hz, spec.preprocessing, where=str(path))


def read_tuh_events(path: Path) -> list[TuhEvent]:
    """Read annotation rows ``channel, start_s, stop_s, label``.

    Labels are numbers 1 to 6 or names (``spsw`` ... ``bckg``). Lines that begin
    with ``#`` and a line of column names are skipped.

    Raises
    ------
    DataError
        If a row is not of this form, or there is none.
    """
    try:
        with path.open(encoding="latin-1", newline="") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if row]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except csv.Error as error:
        raise DataError(f"{path}: no rows of events: {error}") from error
    rows = [(n, row) for n, row in rows if not row[0].lstrip().startswith(("#", "channel"))]
    if not rows:
        raise DataError(f"{path}: no events")
    return [_event(path, number, row) for number, row in rows]


def _event(path: Path, number: int, row: list[str]) -> TuhEvent:
    try:
        channel, start, stop, label = (field.strip() for field in row[:4])
        times = float(start), float(stop)
    except ValueError as error:
        raise DataError(f"{path}: line {number} is not 'channel, start, end, label'") from error
    names = dict(zip(map(str.casefold, EVENT_LABELS), range(6), strict=True))
    names |= {str(k + 1): k for k in range(6)}
    if label.casefold() not in names:
        raise DataError(
            f"{path}: line {number}: unknown event '{label}'; 1 to 6 are {', '.join(EVENT_LABELS)}"
        )
    if not 0 <= times[0] < times[1]:
        raise DataError(f"{path}: line {number}: an event from {start} s to {stop} s")
    return TuhEvent(channel=channel, start_s=times[0], stop_s=times[1], label=names[label.casefold()])
