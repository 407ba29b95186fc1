"""Signals and events of EDF, EDF+ and BDF files, whatever their extension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.eeg.checks import pick
from neuroprism.eeg.readers.edf_header import EdfHeader, read_edf_header

_UNITS = {"uV", "\u00b5V", "\u03bcV", "mV", "V", ""}
"""Units that are understood; an absent one is read as microvolt and judged by its amplitude."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EdfEvent:
    """An annotation.

    Attributes
    ----------
    onset_s, duration_s
        Seconds from the start of the recording.
    text
        E.g. ``"T1"``.
    """

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EdfRecording:
    """What was read from a file.

    Attributes
    ----------
    signal_uv
        (C, T) float64 microvolt, channels as asked for.
    sample_rate_hz
        Of the signal.
    events
        In the order of time.
    """

    signal_uv: npt.NDArray[np.float64]
    sample_rate_hz: float
    events: tuple[EdfEvent, ...]


def read_edf(path: Path, wanted: Sequence[str], *, name_of: Callable[[str], str] = str) -> EdfRecording:
    """Read channels by name.

    Parameters
    ----------
    path
        File with EDF or BDF content; the extension does not matter.
    wanted
        Channels in the order of the result.
    name_of
        Turns a label of the file into the name that `wanted` uses.

    Raises
    ------
    DataError
        If the file is damaged or truncated, a channel is missing, or the
        channels differ in rate or have a unit that is no voltage.
    """
    header = read_edf_header(path)
    rows = pick([name_of(label) for label in header.labels], wanted, str(path))
    rates = sorted({header.rates_hz[row] for row in rows})
    if len(rates) > 1:
        raise DataError(f"{path}: channels of different rates: {', '.join(f'{r:g}' for r in rates)} Hz")
    for row in rows:
        if header.units[row] not in _UNITS:
            raise DataError(
                f"{path}: channel {header.labels[row]} has the unit '{header.units[row]}', not microvolt"
            )
    signal, events = _read(path, header, rows)
    return EdfRecording(signal_uv=signal, sample_rate_hz=rates[0], events=events)


def misfit(
    path: Path, wanted: Sequence[str], rates_hz: Sequence[float], *, name_of: Callable[[str], str] = str
) -> str:
    """Say by the header alone why a file does not fit: a channel is missing, or the rate is another.

    Without `wanted` channels, the rate of every signal is judged. The text is
    empty where the file fits, and where the header is damaged: such a file
    fails when it is read, as an error of its own.
    """
    try:
        header = read_edf_header(path)
    except DataError:
        return ""
    try:
        rows = pick([name_of(label) for label in header.labels], wanted, path.name)
        rows = rows or list(range(len(header.labels)))
    except DataError as error:
        return str(error).removeprefix(f"{path.name}: ")
    others = sorted({header.rates_hz[row] for row in rows} - set(rates_hz))
    return f"sampled at {others[0]:g} Hz, not {' or '.join(f'{r:g}' for r in rates_hz)} Hz" if others else ""


def _read(
    path: Path, header: EdfHeader, rows: Sequence[int]
) -> tuple[npt.NDArray[np.float64], tuple[EdfEvent, ...]]:
    """Read these rows and the events; other signals are excluded, so that MNE resamples none of them."""
    import mne

    labels = {header.labels[row] for row in rows}
    kept = [k for k, label in enumerate(header.labels) if label in labels]
    read = mne.io.read_raw_bdf if header.is_bdf else mne.io.read_raw_edf
    try:
        with path.open("rb") as file:
            raw = read(
                file,
                exclude=sorted(set(header.labels) - labels),
                stim_channel=None,
                preload=True,
                encoding="latin1",  # event names are ASCII; free text of any encoding must not stop a file
                verbose="ERROR",
            )
        signal = raw.get_data(picks=[kept.index(row) for row in rows], verbose="ERROR")
    except (ValueError, OSError, RuntimeError, AssertionError, IndexError, UnicodeError) as error:
        raise DataError(f"{path}: cannot be read as EDF: {str(error).splitlines()[0]}") from error
    # MNE gives volts and takes a value without a unit for volts.
    signal *= np.array([[1.0 if header.units[row] == "" else 1e6] for row in rows])
    return signal, tuple(
        EdfEvent(onset_s=float(onset), duration_s=float(duration), text=str(text))
        for onset, duration, text in zip(
            raw.annotations.onset, raw.annotations.duration, raw.annotations.description, strict=True
        )
    )
