"""The joblib file of the earlier project: one dict for each recording, z-scored signals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import WAVE_V, WAVES
from neuroprism.abr.importers.declared import Declared
from neuroprism.abr.importers.labels import class_numbers
from neuroprism.abr.importers.readings import Floats, Importer, Readings, importers
from neuroprism.abr.importers.table import presence
from neuroprism.core.errors import DataError
from neuroprism.core.restricted_joblib import load_restricted_joblib

_SCIKIT = {
    ("sklearn.preprocessing._data", "StandardScaler"),
    ("sklearn.preprocessing._label", "LabelEncoder"),
}
_SIZES = {"static_params": 4, "v_peak": 2, "v_peak_mask": 2}


def read_joblib(source: Path, declared: Declared) -> Readings:
    """Read the earlier project's file; nothing that it asks for is executed.

    Age, level, rate and Fmp are given back their units by the scaler in the
    file. Thresholds there were computed from the class and other labels: they
    are left out unless they are asked for, and say so.

    Raises
    ------
    DataError
        If the file asks for anything but plain data, is damaged, or a fact is missing.
    """
    if not declared.allow_pickle:
        raise DataError(f"{source} is a pickle; --allow-pickle has its plain data read, and nothing executed")
    content = _load(source)
    rows = content["data"]
    sample_rate_hz = declared.need("sample_rate_hz", source)
    start_ms = declared.need("window_start_ms", source)
    polarity = declared.need("polarity", source)
    level_unit = declared.need("level_unit", source)
    age, level, rate, fmp = _conditions(rows, content, source)
    peaks, marked = _stack(rows, "v_peak", source), _stack(rows, "v_peak_mask", source).astype(bool)
    latency, amplitude = np.full((2, len(rows), len(WAVES)), np.nan)
    latency[:, WAVE_V] = np.where(marked[:, 0], peaks[:, 0], np.nan)
    amplitude[:, WAVE_V] = np.where(marked[:, 1], peaks[:, 1], np.nan)
    threshold, method = _thresholds(rows, content, declared, source)
    prefix = declared.source_name or "abrv2"
    return Readings(
        signal=_stack(rows, "signal", source),
        unit="zscore",
        sample_rate_hz=sample_rate_hz,
        start_ms=start_ms,
        level_db=level,
        level_unit=level_unit,
        threshold_db=threshold,
        columns={
            "age_years": _ages(age, declared, source),
            "rate_hz": np.where(rate > 0, rate, np.nan),
            "fmp": np.where(fmp > 0, fmp, np.nan),
            "wave_latency_ms": latency,
            "wave_amplitude_uv": amplitude,
            **presence(latency[:, WAVE_V], declared, source),
            "hearing_class": _classes(rows, content, declared, source),
            "patient_id": np.array(
                [f"{prefix}:{_field(row, 'patient_id', n, source)}" for n, row in enumerate(rows)]
            ),
            "polarity": np.full(len(rows), polarity),
        },
        threshold_provenance=f"synthetic:{method}" if threshold is not None else "none",
        derived=(f"threshold ({method}, computed from class, level and wave V)",) if method else (),
        notes=_notes(level, method, kept=threshold is not None),
    )


importers.register("joblib")(
    Importer(
        title="the joblib pickle of the earlier project",
        read=read_joblib,
        takes=frozenset(
            {"sample_rate_hz", "allow_pickle", "unmarked_v", "age_zero", "classes", "keep_derived"}
        ),
    )
)


def _load(source: Path) -> dict[str, Any]:
    try:
        with source.open("rb") as file:
            content = load_restricted_joblib(file, as_dict=_SCIKIT)
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror}") from None
    if isinstance(content, list):
        content = {"data": content}
    rows = content.get("data") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{source} holds no list of recordings under 'data'")
    return {str(key): value for key, value in content.items()}


def _field(row: dict[Any, Any], name: str, n: int, source: Path) -> Any:
    if name not in row:
        raise DataError(f"{source}: recording {n} has no '{name}'")
    return row[name]


def _number(row: dict[Any, Any], name: str, n: int, source: Path) -> float:
    value = _field(row, name, n, source)
    if not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise DataError(f"{source}: '{name}' of recording {n} is not a number")
    return float(value)


def _stack(rows: list[dict[Any, Any]], name: str, source: Path) -> Floats:
    """Return an array of all recordings, (N, size)."""
    values = [_field(row, name, n, source) for n, row in enumerate(rows)]
    for n, value in enumerate(values):
        if not isinstance(value, np.ndarray):
            raise DataError(f"{source}: '{name}' of recording {n} is no array")
    arrays: list[NDArray[Any]] = values
    expected = (_SIZES.get(name) or arrays[0].size,)
    for n, array in enumerate(arrays):
        if array.shape != expected or array.dtype.kind not in "fiub":
            raise DataError(
                f"{source}: '{name}' of recording {n} is {array.dtype} of shape {array.shape}, "
                f"not {expected[0]} numbers"
            )
    return np.stack(arrays).astype(np.float64)


def _conditions(rows: list[dict[Any, Any]], content: dict[str, Any], source: Path) -> Floats:
    """Return age, level, rate and Fmp in their units, (4, N)."""
    scaler = content.get("scaler")
    if not isinstance(scaler, dict) or not {"mean_", "scale_"} <= set(scaler):
        raise DataError(f"{source} has no scaler with mean_ and scale_: age, level and rate cannot be told")
    mean, scale = (np.asarray(scaler[name]) for name in ("mean_", "scale_"))
    if mean.shape != (4,) or scale.shape != (4,) or {mean.dtype.kind, scale.dtype.kind} != {"f"}:
        raise DataError(f"{source}: its scaler does not hold 4 numbers")
    values: Floats = (_stack(rows, "static_params", source) * scale + mean).T
    # What was stored in double precision comes back with errors of rounding.
    return np.round(values, 6)


def _ages(age: Floats, declared: Declared, source: Path) -> Floats:
    """Return ages; 0 stood for newborns and for what was not known."""
    if not (age == 0).any() or declared.need("age_zero", source) == "newborn":
        return age
    return np.where(age == 0, np.nan, age)


def _thresholds(
    rows: list[dict[Any, Any]], content: dict[str, Any], declared: Declared, source: Path
) -> tuple[Floats | None, str]:
    """Return thresholds if they are wanted, and how they were made; an empty text where there are none."""
    if not any("clinical_threshold" in row for row in rows):
        return None, ""
    method = str(content.get("threshold_method", "unknown method"))
    if not declared.keep_derived:
        return None, method
    thresholds = [_number(row, "clinical_threshold", n, source) for n, row in enumerate(rows)]
    return np.array(thresholds), method


def _classes(rows: list[dict[Any, Any]], content: dict[str, Any], declared: Declared, source: Path) -> Any:
    targets = [int(_number(row, "target", n, source)) for n, row in enumerate(rows)]
    encoder = content.get("label_encoder")
    if not isinstance(encoder, dict) or "classes_" not in encoder:
        if not declared.classes:
            raise DataError(
                f"{source} has no label_encoder: say what the class numbers mean, e.g. --class-name 0=normal"
            )
        return class_numbers([str(target) for target in targets], declared.classes, source)
    names = [str(name) for name in np.asarray(encoder["classes_"]).ravel().tolist()]
    for n, target in enumerate(targets):
        if not 0 <= target < len(names):
            raise DataError(f"{source}: target {target} of recording {n} has no name")
    return class_numbers([names[target] for target in targets], declared.classes, source)


def _notes(level: Floats, method: str, *, kept: bool) -> tuple[str, ...]:
    notes = ["signals are z-scores: their scale in microvolt is lost, amplitudes of waves are not"]
    if (level == 0).any():
        notes.append(f"{int((level == 0).sum()):,} levels are 0, which also stood for a missing level")
    if method and not kept:
        notes.append(
            "thresholds left out, because they were computed from other labels (--keep-derived keeps them)"
        )
    return tuple(notes)
