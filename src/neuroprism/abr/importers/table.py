"""Tables: CSV, TSV or XLSX with one recording a row."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import WAVE_V, WAVES
from neuroprism.abr.importers.declared import Declared
from neuroprism.abr.importers.labels import class_numbers, ear_names, polarity_names, sex_numbers
from neuroprism.abr.importers.readings import Floats, Importer, Readings, importers
from neuroprism.abr.importers.table_columns import flags, named_columns, numbers, sample_columns, texts
from neuroprism.core.errors import DataError
from neuroprism.core.workbook_faults import WORKBOOK_FAULTS

if TYPE_CHECKING:
    import pandas as pd

_EXCEL = (".xlsx", ".xlsm")
_MARKED = {"i": 0, "iii": 2, "v": WAVE_V}


def read_table(source: Path, declared: Declared) -> Readings:
    """Read a table.

    Sample columns are called 1, 2, 3, ... or lie between two named ones; other
    columns have the names of `table_columns.OURS`, those of the earlier
    project, or names that are mapped.

    Raises
    ------
    DataError
        If the file is damaged, a cell is no number, or a fact is missing.
    """
    table = _open(source, declared)
    present = [str(name).strip() for name in table.columns]
    twice = sorted({name for name in present if present.count(name) > 1})
    if twice:
        raise DataError(f"{source} has the column '{twice[0]}' twice")
    table.columns = present
    samples = sample_columns(present, declared.samples, source)
    others = [name for name in present if name not in set(samples)]
    found = named_columns(others, declared.columns, source)
    if table.empty:
        raise DataError(f"{source} holds no recording")
    level_db = _levels(table, found, declared, source)
    sample_rate_hz = declared.need("sample_rate_hz", source)
    unit = declared.need("unit", source)
    start_ms = declared.need("window_start_ms", source)
    level_unit = declared.need("level_unit", source)
    columns = _simple_columns(table, found, source)
    columns |= {"polarity": _polarity(table, found, declared, source)}
    columns |= _waves(table, found, declared, source)
    patients, notes = _patients(table, found, declared.source_name or source.stem)
    threshold = provenance = None
    if "threshold_db" in found:
        provenance = declared.need("threshold_provenance", source)
        threshold = _column(table, found["threshold_db"], source)
    return Readings(
        signal=numbers(table, samples, source),
        unit=unit,
        sample_rate_hz=sample_rate_hz,
        start_ms=start_ms,
        level_db=level_db,
        level_unit=level_unit,
        threshold_db=threshold,
        columns={**columns, "patient_id": patients},
        threshold_provenance=provenance or "none",
        derived=("threshold_db",) if provenance == "derived" else (),
        notes=(*notes, *_ignored(others, found)),
        provenance={"sample_columns": f"{samples[0]}..{samples[-1]}"},
    )


importers.register("table")(
    Importer(
        title="CSV, TSV or XLSX, one recording a row",
        read=read_table,
        takes=frozenset(
            {
                "sample_rate_hz",
                "unit",
                "level_db",
                "columns",
                "classes",
                "samples",
                "decimal_comma",
                "threshold_provenance",
                "unmarked_v",
            }
        ),
    )
)


def _open(source: Path, declared: Declared) -> pd.DataFrame:
    import pandas as pd

    if not source.is_file():
        raise DataError(f"no table at {source}")
    try:
        if source.suffix.lower() in _EXCEL:
            return pd.read_excel(source, dtype=object)
        with source.open(encoding="utf-8-sig") as file:
            header = file.readline()
        if not header.strip():
            raise DataError(f"{source} holds no recording")
        separator = max("\t;,", key=header.count)
        decimal = "," if declared.decimal_comma else "."
        with warnings.catch_warnings():
            # Rows longer than the header would be cut.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                source,
                sep=separator,
                decimal=decimal,
                encoding="utf-8-sig",
                low_memory=False,
                index_col=False,
            )
    except (*WORKBOOK_FAULTS, pd.errors.ParserWarning) as error:
        text = " ".join(str(error).split())
        raise DataError(f"{source} cannot be read as a table: {text}") from None


def _column(table: pd.DataFrame, name: str, source: Path) -> Floats:
    return numbers(table, [name], source)[:, 0]


def _levels(table: pd.DataFrame, found: dict[str, str], declared: Declared, source: Path) -> Floats:
    if "level_db" in found:
        return _column(table, found["level_db"], source)
    if declared.level_db is None:
        raise DataError(
            f"{source} has no column 'level_db'; say which one is the level with --map THEIRS=level_db, "
            "or declare one level for all with --level-db"
        )
    return np.full(len(table), declared.level_db)


def _polarity(
    table: pd.DataFrame, found: dict[str, str], declared: Declared, source: Path
) -> NDArray[np.str_]:
    if "polarity" in found:
        return polarity_names(texts(table, found["polarity"]), source)
    return np.full(len(table), declared.need("polarity", source))


def _simple_columns(table: pd.DataFrame, found: dict[str, str], source: Path) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in ("age_years", "rate_hz", "fmp", "residual_noise_uv", "air_bone_gap_db"):
        if name in found:
            columns[name] = _column(table, found[name], source)
    if "n_sweeps" in found:
        columns["n_sweeps"] = np.nan_to_num(_column(table, found["n_sweeps"], source), nan=0.0)
    if "ear" in found:
        columns["ear"] = ear_names(texts(table, found["ear"]), source)
    if "sex" in found:
        columns["sex"] = sex_numbers(texts(table, found["sex"]), source)
    if "threshold_censored" in found:
        columns["threshold_censored"] = flags(table, found["threshold_censored"], source)
    return columns


def _waves(table: pd.DataFrame, found: dict[str, str], declared: Declared, source: Path) -> dict[str, Any]:
    """Return marks of waves I, III and V, and the class."""
    latency = np.full((len(table), len(WAVES)), np.nan)
    amplitude = latency.copy()
    for wave, place in _MARKED.items():
        if f"{wave}_latency_ms" in found:
            latency[:, place] = _column(table, found[f"{wave}_latency_ms"], source)
        if f"{wave}_amplitude_uv" in found:
            amplitude[:, place] = _column(table, found[f"{wave}_amplitude_uv"], source)
    # A wave at the onset of the stimulus is an empty cell that was filled with a number.
    amplitude[latency == 0] = np.nan
    latency[latency == 0] = np.nan
    columns: dict[str, Any] = {"wave_latency_ms": latency, "wave_amplitude_uv": amplitude}
    if "v_present" in found:
        columns["v_present"] = flags(table, found["v_present"], source)
        columns["v_marked"] = np.ones(len(table), dtype=np.bool_)
    elif "v_latency_ms" in found:
        columns |= presence(latency[:, WAVE_V], declared, source)
    if "hearing_class" in found:
        columns["hearing_class"] = class_numbers(
            texts(table, found["hearing_class"]), declared.classes, source
        )
    return columns


def presence(latency_ms: Floats, declared: Declared, source: Path) -> dict[str, NDArray[np.bool_]]:
    """Return presence of wave V where only its latency is given.

    Raises
    ------
    DataError
        If some latencies are missing and nobody said what that means.
    """
    present = np.isfinite(latency_ms)
    if present.all() or declared.need("unmarked_v", source) == "absent":
        return {"v_present": present, "v_marked": np.ones(len(present), dtype=np.bool_)}
    return {"v_present": present, "v_marked": present}


def _patients(
    table: pd.DataFrame, found: dict[str, str], prefix: str
) -> tuple[NDArray[np.str_], tuple[str, ...]]:
    """Return names of patients; a row without one is a patient of its own, whose name cannot collide."""
    given = texts(table, found["patient_id"]) if "patient_id" in found else [""] * len(table)
    names = [f"{prefix}:{name}" if name else f"{prefix}:row {n + 1}" for n, name in enumerate(given)]
    missing = given.count("")
    note = (f"{missing:,} rows without a patient: each counts as a patient of its own",) if missing else ()
    return np.array(names), note


def _ignored(others: list[str], found: dict[str, str]) -> tuple[str, ...]:
    unused = [name for name in others if name not in found.values()]
    if not unused:
        return ()
    shown = ", ".join(unused[:8]) + (f" and {len(unused) - 8} more" if len(unused) > 8 else "")
    return (f"columns not used: {shown}",)
