"""What a user says about recordings where their files do not say it.

Nothing is guessed: what a file does not state and nobody has declared is an
error that names the flag.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from neuroprism.abr.columns import EARS, POLARITIES
from neuroprism.core.errors import DataError, UnknownNameError, UserError

MICROVOLT_PER = {"uv": 1.0, "mv": 1e3, "v": 1e6}
LEVEL_UNITS = ("nhl", "spl", "pespl")
PROVENANCES = ("behavioural", "visual", "derived")
CHOICES: dict[str, tuple[str, ...]] = {
    "unit": (*MICROVOLT_PER, "zscore"),
    "polarity": POLARITIES,
    "level_unit": LEVEL_UNITS,
    "ear": EARS,
    "threshold_provenance": PROVENANCES,
    "unmarked_v": ("absent", "unknown"),
    "age_zero": ("newborn", "unknown"),
}
_MEANING = {
    "sample_rate_hz": "the sampling rate",
    "unit": "the unit of the samples",
    "window_start_ms": "when the first sample was taken, counted from the onset of the stimulus",
    "window_ms": "how long a recording is",
    "polarity": "the polarity of the stimulus",
    "level_unit": "the unit of the levels",
    "level_db": "the level",
    "threshold_provenance": "how the thresholds were found",
    "unmarked_v": "what a missing latency of wave V means",
    "age_zero": "what an age of 0 means",
}
_POSITIVE = ("sample_rate_hz", "window_ms", "rate_hz", "samples_per_sweep", "reject_uv", "highpass_hz")


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Facts about recordings; None: not declared.

    Attributes
    ----------
    sample_rate_hz, unit, window_start_ms
        Of the traces; `unit` is one of `uv, mv, v, zscore`, and the window
        starts with the first sample, counted from the onset of the stimulus.
    window_ms
        Length to keep, from the first sample.
    polarity, rate_hz, level_db, level_unit
        Of the stimulus; `level_unit` is one of `nhl, spl, pespl`.
    nhl_zero_db_spl
        Sound pressure level of 0 dB nHL, with which levels in dB SPL are
        converted; without it they stay what they are.
    ear, patient, source_name
        Whose recordings; `source_name` stands before the name of each patient.
    columns, classes
        Names of the source and what they are called here.
    threshold_provenance, unmarked_v, age_zero
        What labels mean.
    keep_derived
        Keep labels that were computed from other labels.
    """

    sample_rate_hz: float | None = None
    unit: str | None = None
    window_start_ms: float | None = None
    window_ms: float | None = None
    polarity: str | None = None
    rate_hz: float | None = None
    level_db: float | None = None
    level_unit: str | None = None
    nhl_zero_db_spl: float | None = None
    ear: str | None = None
    patient: str | None = None
    source_name: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    samples: str | None = None
    decimal_comma: bool = False
    threshold_provenance: str | None = None
    unmarked_v: str | None = None
    age_zero: str | None = None
    keep_derived: bool = False
    allow_pickle: bool = False
    match: str | None = None
    rater: str | None = None
    channel: str | None = None
    samples_per_sweep: int | None = None
    reject_uv: float | None = None
    highpass_hz: float | None = None
    events: tuple[str, ...] = ()
    event_levels: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise UnknownNameError(f"value of {flag(name)}", value, allowed)
        for name, value in self._numbers().items():
            if not math.isfinite(value) or (name in _POSITIVE and value <= 0):
                raise UserError(
                    f"{flag(name)} must be a {'positive ' * (name in _POSITIVE)}number, not {value:g}"
                )

    def _numbers(self) -> dict[str, float]:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, int | float)}

    def given(self) -> tuple[str, ...]:
        """Return the names of what was declared."""
        return tuple(
            item.name for item in fields(self) if getattr(self, item.name) not in (None, False, (), {})
        )

    def need(self, name: str, source: Path | str) -> Any:
        """Return a fact that `source` does not state.

        Raises
        ------
        DataError
            If it was not declared; the message names the flag.
        """
        value = getattr(self, name)
        if value is None:
            raise DataError(
                f"{source} does not say {_MEANING[name]}; declare it with {flag(name)}{_choices(name)}"
            )
        return value

    def agree(self, name: str, stated: Any, source: Path | str) -> Any:
        """Return what `source` states.

        Raises
        ------
        DataError
            If something else was declared.
        """
        value = getattr(self, name)
        if value not in (None, stated):
            raise DataError(f"{source} says {_MEANING[name]} is {stated}, but {flag(name)} says {value}")
        return stated


_FLAGS = {"columns": "--map", "classes": "--class-name", "events": "--event", "event_levels": "--event-level"}


def flag(name: str) -> str:
    """Return the flag of a field."""
    return _FLAGS.get(name, "--" + name.replace("_", "-"))


def _choices(name: str) -> str:
    return f" {'|'.join(CHOICES[name])}" if name in CHOICES else ""
