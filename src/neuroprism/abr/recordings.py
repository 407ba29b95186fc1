"""A set of ABR recordings in columns, with the truth or the labels that belong to them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroprism.abr.columns import COLUMNS, EARS, HEARING_CLASSES, POLARITIES, WAVE_V, WAVES, Column
from neuroprism.core.errors import DataError

# Averaged responses have an SD of some 0.02 to 10 uV; volts would be 1e-7, nanovolts above 50.
PLAUSIBLE_SD_UV = (1e-3, 50.0)
_KINDS = {"float32": "f", "int8": "i", "int32": "i", "int64": "i", "bool": "b", "text": "U"}


@dataclass(frozen=True)
class AbrRecordings:
    """N recordings of T samples each; every array has the recordings on its first axis.

    `neuroprism.abr.columns.COLUMNS` states unit and meaning of each array.
    Waves are in the order I to VII. One ear has one threshold and one class,
    whatever the level.
    """

    signal_uv: NDArray[np.float32]
    level_db_nhl: NDArray[np.float32]
    rate_hz: NDArray[np.float32]
    age_years: NDArray[np.float32]
    fmp: NDArray[np.float32]
    residual_noise_uv: NDArray[np.float32]
    n_sweeps: NDArray[np.int32]
    sex: NDArray[np.int8]
    polarity: NDArray[np.str_]
    patient_id: NDArray[np.str_]
    ear: NDArray[np.str_]
    wave_latency_ms: NDArray[np.float32]
    wave_amplitude_uv: NDArray[np.float32]
    v_marked: NDArray[np.bool_]
    v_present: NDArray[np.bool_]
    hearing_class: NDArray[np.int64]
    threshold_db_nhl: NDArray[np.float32]
    threshold_censored: NDArray[np.bool_]
    air_bone_gap_db: NDArray[np.float32]
    sample_rate_hz: float
    window_ms: float
    clean_uv: NDArray[np.float32] | None = None
    level_db_spl: NDArray[np.float32] | None = None
    start_ms: float = 0.0
    """Time of the first sample after the onset of the stimulus."""
    class_names: tuple[str, ...] = HEARING_CLASSES
    signal_unit: Literal["uV", "zscore"] = "uV"
    """`zscore` where the source lost the scale: then signals and amplitudes cannot be compared."""
    threshold_provenance: str = "none"
    """`simulated`, `behavioural`, `visual`, `synthetic:<method>` or `none`."""
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)
    """Where the set comes from: source, seed, settings."""

    def __len__(self) -> int:
        return int(self.signal_uv.shape[0])

    @property
    def n_times(self) -> int:
        """Samples of one recording."""
        return int(self.signal_uv.shape[1])

    @property
    def n_patients(self) -> int:
        """Number of different patients."""
        return len(np.unique(self.patient_id))

    @property
    def time_ms(self) -> NDArray[np.float64]:
        """Time of each sample after stimulus onset, (T,)."""
        after_ms = np.arange(self.n_times, dtype=np.float64) * (1000.0 / self.sample_rate_hz)
        return after_ms + np.float64(self.start_ms)

    @property
    def ear_id(self) -> NDArray[np.str_]:
        """Patient and ear as one name, (N,)."""
        return np.char.add(np.char.add(self.patient_id, "/"), self.ear)

    @property
    def v_latency_ms(self) -> NDArray[np.float32]:
        """Latency of wave V, (N,); NaN where absent or unmarked."""
        return self.wave_latency_ms[:, WAVE_V]

    @property
    def v_amplitude_uv(self) -> NDArray[np.float32]:
        """Amplitude of wave V from peak to following trough, (N,); NaN where absent or unmarked."""
        return self.wave_amplitude_uv[:, WAVE_V]

    @property
    def v_outside_window(self) -> NDArray[np.bool_]:
        """Where a present wave V peaks before or after the recorded window, (N,)."""
        last_ms = self.time_ms[-1]
        latency_ms = self.v_latency_ms
        outside: NDArray[np.bool_] = (latency_ms < self.start_ms) | (latency_ms > last_ms)
        return self.v_present & outside

    @property
    def v_mask(self) -> NDArray[np.bool_]:
        """Where presence of wave V can be asked: judged, and not hidden behind the window, (N,)."""
        return self.v_marked & ~self.v_outside_window

    @property
    def latency_mask(self) -> NDArray[np.bool_]:
        """Where wave V is judged present, inside the window, with a marked latency, (N,)."""
        return self.v_mask & self.v_present & np.isfinite(self.v_latency_ms)

    @property
    def amplitude_mask(self) -> NDArray[np.bool_]:
        """Where wave V is judged present, inside the window, with a marked amplitude, (N,)."""
        return self.v_mask & self.v_present & np.isfinite(self.v_amplitude_uv)

    @property
    def threshold_mask(self) -> NDArray[np.bool_]:
        """Where the ear's threshold, or a lower bound of it, is known, (N,)."""
        return np.isfinite(self.threshold_db_nhl)

    @property
    def class_mask(self) -> NDArray[np.bool_]:
        """Where the hearing class is known, (N,)."""
        known: NDArray[np.bool_] = self.hearing_class >= 0
        return known

    @property
    def level_unit(self) -> Literal["dB nHL", "dB SPL"]:
        """Unit in which every recording of the set has its level; dB nHL where both would do."""
        return "dB SPL" if np.isnan(self.level_db_nhl).any() else "dB nHL"

    @property
    def level_db(self) -> NDArray[np.float32]:
        """Level in `level_unit`, (N,).

        Raises
        ------
        DataError
            If some recordings have only the one unit, and some only the other.
        """
        if self.level_unit == "dB nHL":
            return self.level_db_nhl
        if self.level_db_spl is None or np.isnan(self.level_db_spl).any():
            raise DataError("some levels are known in dB nHL only and others in dB SPL only")
        return self.level_db_spl

    def counts(self) -> dict[str, int]:
        """Count what is masked or special; for one line of a log and for manifests."""
        present = self.v_present & self.v_marked
        return {
            "recordings": len(self),
            "patients": self.n_patients,
            "missing_class": int((~self.class_mask).sum()),
            "missing_level_nhl": int(np.isnan(self.level_db_nhl).sum()),
            "missing_rate": int(np.isnan(self.rate_hz).sum()),
            "unknown_ear": int((self.ear == "unknown").sum()),
            "missing_age": int(np.isnan(self.age_years).sum()),
            "missing_fmp": int(np.isnan(self.fmp).sum()),
            "unjudged_v": int((~self.v_marked).sum()),
            "absent_v": int((self.v_marked & ~self.v_present).sum()),
            "v_outside_window": int(self.v_outside_window.sum()),
            "unmarked_v_latency": int((present & np.isnan(self.v_latency_ms)).sum()),
            "unmarked_v_amplitude": int((present & np.isnan(self.v_amplitude_uv)).sum()),
            "missing_threshold": int((~self.threshold_mask).sum()),
            "censored_threshold": int((self.threshold_censored & self.threshold_mask).sum()),
        }

    def class_counts(self) -> dict[str, int]:
        """Count the recordings of each hearing class, where it is known."""
        counts = np.bincount(self.hearing_class[self.class_mask], minlength=len(self.class_names))
        return {name: int(count) for name, count in zip(self.class_names, counts, strict=True)}

    def select(self, indices: ArrayLike) -> AbrRecordings:
        """Return the recordings at `indices` (integers or a boolean mask), in that order."""
        index = np.asarray(indices)
        if index.size == 0:
            index = index.astype(np.int64)
        arrays = {column.name: getattr(self, column.name) for column in COLUMNS}
        return replace(self, **{name: array[index] for name, array in arrays.items() if array is not None})

    def validate(self) -> AbrRecordings:
        """Check every array and return the set itself.

        Raises
        ------
        DataError
            With one line that names the array, and the first row where a row is at fault.
        """
        _check_scalars(self)
        for column in COLUMNS:
            _check_column(self, column)
        _check_unit(self)
        _check_labels(self)
        return self


def _check_scalars(recordings: AbrRecordings) -> None:
    if recordings.signal_uv.ndim != 2 or recordings.signal_uv.size == 0:
        raise DataError(
            "signal_uv must be a non-empty table recordings x samples, "
            f"not of shape {recordings.signal_uv.shape}"
        )
    for name in ("sample_rate_hz", "window_ms"):
        value = getattr(recordings, name)
        if not (math.isfinite(value) and value > 0):
            raise DataError(f"{name} must be positive, not {value}")
    expected_ms = recordings.n_times * 1000.0 / recordings.sample_rate_hz
    if abs(expected_ms - recordings.window_ms) > 0.5 * 1000.0 / recordings.sample_rate_hz:
        raise DataError(
            f"signal_uv has {recordings.n_times} samples at {recordings.sample_rate_hz:g} Hz, "
            f"which is {expected_ms:g} ms, but window_ms says {recordings.window_ms:g}"
        )
    if recordings.signal_unit not in ("uV", "zscore"):
        raise DataError(f"signal_unit must be 'uV' or 'zscore', not '{recordings.signal_unit}'")
    if len(set(recordings.class_names)) != len(recordings.class_names) or len(recordings.class_names) < 2:
        raise DataError(f"class_names must be two or more different names, not {recordings.class_names}")


def _check_column(recordings: AbrRecordings, column: Column) -> None:
    array = getattr(recordings, column.name)
    if array is None and column.optional:
        return
    sizes = {"time": recordings.n_times, "wave": len(WAVES)}
    shape = (len(recordings), *(sizes[axis] for axis in column.axes))
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise DataError(f"{column.name} must have shape {shape}, not {np.shape(array)}")
    if array.dtype.kind != _KINDS[column.kind]:
        raise DataError(f"{column.name} must hold {column.kind} values, not {array.dtype}")
    if column.kind == "float32":
        wrong = np.isinf(array) if column.missing else ~np.isfinite(array)
        other = getattr(recordings, column.instead) if column.instead else None
        if other is not None:
            wrong &= np.isinf(array) | ~np.isfinite(other)
        if wrong.any():
            row = _first_row(wrong)
            raise DataError(
                f"{column.name}: {int(wrong.sum())} non-finite values, the first in recording {row}"
            )
    _check_range(array, column)


def _check_range(array: NDArray[np.generic], column: Column) -> None:
    for limit, sign, word in ((column.low, 1.0, "below"), (column.high, -1.0, "above")):
        if limit is None:
            continue
        wrong = sign * array.astype(np.float64) < sign * limit
        if wrong.any():
            row = _first_row(wrong)
            unit = "" if column.unit in ("1", "code", "index") else f" {column.unit}"
            raise DataError(
                f"{column.name} is {array[wrong][0]:g}{unit} in recording {row}, "
                f"{word} the plausible {limit:g}"
            )


def _first_row(wrong: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))[0])


def _check_unit(recordings: AbrRecordings) -> None:
    if recordings.signal_unit != "uV":
        return
    sd = float(np.median(recordings.signal_uv.std(axis=1)))
    low, high = PLAUSIBLE_SD_UV
    if sd == 0.0:
        raise DataError("signal_uv is constant in most recordings")
    if not low <= sd <= high:
        guess = "volts or millivolts" if sd < low else "nanovolts or raw counts"
        raise DataError(
            f"signal_uv has a median SD of {sd:.3g} uV, outside {low:g} to {high:g}: "
            f"the values look like {guess}"
        )


def _check_labels(recordings: AbrRecordings) -> None:
    top = int(recordings.hearing_class.max())
    if top >= len(recordings.class_names):
        row = _first_row(recordings.hearing_class == top)
        raise DataError(
            f"hearing_class is {top} in recording {row}, "
            f"but there are {len(recordings.class_names)} class names"
        )
    for name, allowed in (("ear", EARS), ("polarity", POLARITIES)):
        values = getattr(recordings, name)
        wrong = ~np.isin(values, allowed)
        if wrong.any():
            row = _first_row(wrong)
            raise DataError(f"{name} is '{values[row]}' in recording {row}; allowed: {', '.join(allowed)}")
    if (recordings.patient_id == "").any():
        raise DataError(f"patient_id is empty in recording {_first_row(recordings.patient_id == '')}")
    wrong = recordings.v_present & ~recordings.v_marked
    if wrong.any():
        raise DataError(
            f"v_present is set where wave V was not judged, first in recording {_first_row(wrong)}"
        )
