"""WFDB records: averages, or sweeps one behind the other.

Names as in PhysioNet's earndb and earh are understood by their parts: the
subject (`N1`), `ave` or `raw`, the level in dB, `F4` the frequency in kHz and
`R1` the repetition, in any order between `_` or `-`.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.abr.importers.averaging import average
from neuroprism.abr.importers.declared import MICROVOLT_PER, Declared
from neuroprism.abr.importers.readings import Floats, Importer, Readings, files_of, importers, join
from neuroprism.core.errors import DataError, suggest

_UNITS = {"uv": 1.0, "µv": 1.0, "μv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}
_FAULTS = (
    OSError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    TypeError,
    AttributeError,
    EOFError,
    MemoryError,
)
"""What the package raises on damaged records."""
_LARGEST_HEADER, _LONGEST_LINE = 1 << 20, 4096
_LONGEST_AVERAGE_S = 0.25
"""A longer record can hardly be one average: stimuli come some ten times a second."""
_IN_DB = re.compile(r"(-?\d+(?:\.\d+)?)\s*dB(?:\s*(nHL|SPL|peSPL))?", re.IGNORECASE)


def read_wfdb(source: Path, declared: Declared) -> Readings:
    """Read one record (its `.hea`), or every record of a folder.

    Rate and, where the header has it, the unit come from the record; a level
    from the description of the signal, the comments or the name.

    Raises
    ------
    DataError
        If a record is damaged, or a fact is missing.
    """
    if not source.exists() and source.with_name(source.name + ".hea").exists():
        source = source.with_name(source.name + ".hea")
    paths = files_of(source, "*.hea", declared)
    return join([(path, _read_record(path, declared)) for path in paths])


importers.register("wfdb")(
    Importer(
        title="WFDB records, among them PhysioNet's earndb and earh",
        read=read_wfdb,
        takes=frozenset(
            {
                "sample_rate_hz",
                "unit",
                "level_db",
                "patient",
                "match",
                "channel",
                "samples_per_sweep",
                "reject_uv",
            }
        ),
    )
)


@dataclass(frozen=True)
class _Name:
    subject: str | None
    level_db: float | None
    khz: str | None


def _read_record(path: Path, declared: Declared) -> Readings:
    record = _open(path)
    column = _column(path, [str(name) for name in record.sig_name], declared.channel)
    sample_rate_hz = declared.agree("sample_rate_hz", float(record.fs), path)
    name = _parts(path)
    comments = [str(text) for text in record.comments or []]
    level_db, level_unit = _level(path, [str(record.sig_name[column]), *comments], name, declared)
    trace_uv = record.p_signal[:, column].astype(np.float64) * _scale(
        path, str(record.units[column]), declared
    )
    signal, columns, left_out = _one_average(path, trace_uv, sample_rate_hz, declared)
    prefix = declared.source_name or "wfdb"
    patient = declared.patient or name.subject or path.stem
    columns |= {
        "patient_id": np.array([f"{prefix}:{patient}"] * len(signal)),
        "polarity": np.array([declared.need("polarity", path)] * len(signal)),
    }
    return Readings(
        signal=signal,
        unit="uv",
        sample_rate_hz=sample_rate_hz,
        start_ms=declared.need("window_start_ms", path),
        level_db=np.full(len(signal), level_db),
        level_unit=level_unit,
        columns=columns,
        left_out=left_out,
        provenance={"stimulus": f"tone {name.khz} kHz" if name.khz else "not stated"},
    )


def _open(path: Path) -> Any:
    try:
        _check_header(path.with_suffix(".hea"))
        with warnings.catch_warnings():
            # The package tells its users of what other packages will change.
            warnings.simplefilter("ignore", DeprecationWarning)
            import wfdb

            record = wfdb.rdrecord(str(path.with_suffix("").absolute()))
    except _FAULTS as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as a WFDB record: {text}") from None
    if not (math.isfinite(record.fs) and record.fs > 0):
        raise DataError(f"{path} has the sampling rate {record.fs:g}")
    if record.p_signal is None or record.p_signal.size == 0:
        raise DataError(f"{path} holds no recording")
    return record


def _check_header(path: Path) -> None:
    """Refuse a header on whose lines the package would search for hours."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_HEADER + 1)
    if len(content) > _LARGEST_HEADER or any(len(line) > _LONGEST_LINE for line in content.splitlines()):
        raise DataError(f"{path} is too long for the header of a record, or has a line that is")


def _column(path: Path, names: list[str], wanted: str | None) -> int:
    if wanted is not None:
        if wanted not in names:
            raise DataError(f"{path} has no channel '{wanted}'{suggest(wanted, names)}")
        return names.index(wanted)
    if len(names) > 1:
        raise DataError(f"{path} has the channels {', '.join(names)}; choose one with --channel")
    return 0


def _scale(path: Path, stated: str, declared: Declared) -> float:
    """Return microvolt per unit; the header's word counts, and without one the user's."""
    stated_uv = _UNITS.get(stated.casefold())
    if stated_uv is None:
        unit = declared.need("unit", path)
        if unit not in MICROVOLT_PER:
            raise DataError(f"{path}: --unit {unit} means nothing for --format wfdb")
        return MICROVOLT_PER[unit]
    if declared.unit is not None and MICROVOLT_PER.get(declared.unit) != stated_uv:
        raise DataError(f"{path} is in {stated}, but --unit says {declared.unit}")
    return stated_uv


def _parts(path: Path) -> _Name:
    tokens = re.split(r"[_\-.]", path.stem)
    subject = next((found[0] for t in tokens if (found := re.match(r"N\d+(?=\D|$)", t))), None)
    if subject is None and re.fullmatch(r"[A-Z]+\d+", path.parent.name):
        subject = path.parent.name
    level = next((float(found[1]) for t in tokens if (found := re.fullmatch(r"L?(\d+)(?:dB)?", t))), None)
    khz = next((found[1] for t in tokens if (found := re.fullmatch(r"F(\d+)", t))), None)
    return _Name(subject, level, khz)


def _level(path: Path, told: list[str], name: _Name, declared: Declared) -> tuple[float, str]:
    """Return level and unit; words beat the name of the file, and the flags say what neither does."""
    for text in told:
        found = _IN_DB.search(text)
        if found:
            unit = found[2].lower() if found[2] else declared.need("level_unit", path)
            return declared.agree("level_db", float(found[1]), path), declared.agree("level_unit", unit, path)
    if name.level_db is not None:
        return declared.agree("level_db", name.level_db, path), declared.need("level_unit", path)
    return float(declared.need("level_db", path)), declared.need("level_unit", path)


def _one_average(
    path: Path, trace_uv: Floats, sample_rate_hz: float, declared: Declared
) -> tuple[Floats, dict[str, Any], dict[str, int]]:
    """Return the trace (1, T), averaged over sweeps where they lie one behind the other."""
    size = declared.samples_per_sweep
    if size is None:
        if len(trace_uv) / sample_rate_hz > _LONGEST_AVERAGE_S:
            raise DataError(
                f"{path} has {len(trace_uv) / sample_rate_hz:.3g} s, too long for one average; "
                "declare the samples from one stimulus to the next with --samples-per-sweep"
            )
        return trace_uv[None, :], {}, {}
    n = len(trace_uv) // size
    if n == 0:
        raise DataError(f"{path} has {len(trace_uv)} samples, fewer than --samples-per-sweep {size}")
    result = average(trace_uv[: n * size].reshape(n, size), declared.reject_uv)
    if result is None:
        raise DataError(f"{path}: every sweep reaches beyond --reject-uv {declared.reject_uv:g}")
    columns = {
        "n_sweeps": np.array([result.n_sweeps]),
        "residual_noise_uv": np.array([result.residual_noise_uv]),
    }
    return (
        result.trace_uv[None, :],
        columns,
        {"sweeps rejected": result.n_rejected} if result.n_rejected else {},
    )
