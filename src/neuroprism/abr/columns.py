"""What each array of a set of recordings is: type, shape, unit and meaning.

One table serves the checks of a set in memory and the schema file beside a
stored one, so that the two cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HEARING_CLASSES = ("normal", "neuropathy", "sensorineural", "total", "conductive")
WAVES = ("I", "II", "III", "IV", "V", "VI", "VII")
WAVE_V = WAVES.index("V")
SEXES = ("unknown", "female", "male")
EARS = ("L", "R", "unknown")
UNKNOWN_CLASS = -1
POLARITIES = ("alternating", "rarefaction", "condensation", "unknown")

Kind = Literal["float32", "int8", "int32", "int64", "bool", "text"]


@dataclass(frozen=True)
class Column:
    """One array of a set of recordings; its first axis counts recordings."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    axes: tuple[str, ...] = ()
    """Axes after the first: ``"time"`` or ``"wave"``."""
    low: float | None = None
    """Smallest value that makes sense, if there is one."""
    high: float | None = None
    missing: bool = False
    """Whether NaN stands for "not known"; elsewhere NaN is an error."""
    optional: bool = False
    """Whether a set may lack the array altogether."""
    instead: str = ""
    """Array that holds the value where this one has NaN; NaN in both is an error."""


COLUMNS = (
    Column("signal_uv", "float32", "uV", "averaged response as recorded", ("time",)),
    Column("clean_uv", "float32", "uV", "response without noise and artefact", ("time",), optional=True),
    Column(
        "level_db_nhl",
        "float32",
        "dB nHL",
        "stimulus level; NaN: known as sound pressure only",
        low=-20,
        high=130,
        instead="level_db_spl",
    ),
    Column(
        "level_db_spl",
        "float32",
        "dB SPL",
        "stimulus level as sound pressure, as the source gives it; NaN: not given",
        low=-20,
        high=170,
        missing=True,
        optional=True,
    ),
    Column(
        "rate_hz", "float32", "1/s", "stimuli per second; NaN: not known", low=0.1, high=1000, missing=True
    ),
    Column("age_years", "float32", "years", "age from birth; NaN: not known", low=0, high=120, missing=True),
    Column("fmp", "float32", "1", "variance ratio Fmp; NaN: not measured", low=0, missing=True),
    Column("residual_noise_uv", "float32", "uV", "SD of the noise left in the average", low=0, missing=True),
    Column("n_sweeps", "int32", "1", "sweeps averaged; 0: not known", low=0),
    Column("sex", "int8", "code", "0 unknown, 1 female, 2 male", low=0, high=2),
    Column("polarity", "text", "name", "click polarity: " + ", ".join(POLARITIES)),
    Column("patient_id", "text", "name", "patient, with its source in front of a colon"),
    Column("ear", "text", "name", ", ".join(EARS)),
    Column(
        "wave_latency_ms", "float32", "ms", "peak latency; NaN: absent or unmarked", ("wave",), missing=True
    ),
    Column(
        "wave_amplitude_uv",
        "float32",
        "uV",
        "wave V: peak to following trough, other waves: peak height; NaN: absent or unmarked",
        ("wave",),
        missing=True,
    ),
    Column("v_marked", "bool", "flag", "wave V was judged, present or absent"),
    Column("v_present", "bool", "flag", "wave V is present"),
    Column("hearing_class", "int64", "index", "index into class_names; -1: not known", low=UNKNOWN_CLASS),
    Column(
        "threshold_db_nhl",
        "float32",
        "dB nHL",
        "lowest level with a wave V in this ear; NaN: not known",
        low=-20,
        high=140,
        missing=True,
    ),
    Column("threshold_censored", "bool", "flag", "no response up to threshold_db_nhl: a lower bound"),
    Column("air_bone_gap_db", "float32", "dB", "air-bone gap; NaN: not known", low=0, high=80, missing=True),
)
