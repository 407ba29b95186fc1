"""Text files of the EPL cochlear function test suite: one level series of averages a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroprism.abr.columns import WAVE_V, WAVES
from neuroprism.abr.importers.declared import MICROVOLT_PER, Declared
from neuroprism.abr.importers.epl_marks import Marks, find_marks, is_marks
from neuroprism.abr.importers.readings import Floats, Importer, Readings, files_of, importers, join
from neuroprism.core.errors import DataError

_START = ":RUN-"
_HEAD_BYTES = 4096


def read_epl(source: Path, declared: Declared) -> Readings:
    """Read one file, or every such file of a folder.

    The format states rate, levels, averages, repetition rate, ear and the
    frequency of the tone. It does not state the unit of the samples, the unit
    of the levels, the polarity, or when the first sample was taken. Marks of a
    companion file `NAME-...analyzed.txt` are taken over.

    Raises
    ------
    DataError
        If a file is damaged, or a fact is missing.
    """
    paths = [path for path in files_of(source, "*", declared) if source.is_file() or _is_epl(path)]
    if not paths:
        raise DataError(f"{source} holds no EPL files, which begin with {_START}")
    return join([(path, _read_file(path, declared)) for path in paths])


importers.register("epl")(
    Importer(
        title="text files of the EPL cochlear function test suite",
        read=read_epl,
        takes=frozenset({"sample_rate_hz", "unit", "patient", "match", "rater", "threshold_provenance"}),
    )
)


@dataclass(frozen=True)
class _Header:
    run: str
    levels_db: Floats
    sample_us: float | None
    n_averages: int
    rate_hz: float
    ear: str
    khz: str


def _is_epl(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_START)) == _START.encode()


def _read_file(path: Path, declared: Declared) -> Readings:
    if is_marks(path):
        raise DataError(f"{path} holds marks, not traces: name the file of traces beside it")
    header, content = _split(path)
    signal = _samples(path, content, len(header.levels_db))
    if header.sample_us is None:
        sample_rate_hz = declared.need("sample_rate_hz", path)
    else:
        sample_rate_hz = declared.agree("sample_rate_hz", 1e6 / header.sample_us, path)
    unit = declared.need("unit", path)
    start_ms = declared.need("window_start_ms", path)
    n = len(header.levels_db)
    marks = find_marks(path, declared.rater)
    waves, threshold = _marked(header, marks, MICROVOLT_PER.get(unit, np.nan), start_ms, path)
    provenance = declared.threshold_provenance or "visual"
    return Readings(
        signal=signal,
        unit=unit,
        sample_rate_hz=sample_rate_hz,
        start_ms=start_ms,
        level_db=header.levels_db,
        level_unit=declared.need("level_unit", path),
        threshold_db=threshold,
        columns={
            "rate_hz": np.full(n, header.rate_hz),
            "n_sweeps": np.full(n, header.n_averages),
            "ear": np.full(n, header.ear),
            "patient_id": np.full(n, f"{declared.source_name or 'epl'}:{_patient(path, header, declared)}"),
            "polarity": np.full(n, declared.need("polarity", path)),
            **waves,
        },
        threshold_provenance="none" if threshold is None else provenance,
        notes=() if marks is None else (f"marks of waves from {marks.path.name}",),
        provenance={"stimulus": f"tone {header.khz} kHz" if header.khz else "not stated"},
    )


def _split(path: Path) -> tuple[_Header, str]:
    """Return the header and the text of the samples."""
    try:
        text = path.read_bytes().decode("latin-1")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if not text.startswith(_START):
        raise DataError(f"{path} is no EPL file: it does not begin with {_START}")
    head, found, content = text.partition(":DATA")
    if not found:
        raise DataError(f"{path} is damaged: it has no :DATA")
    levels = _floats(_entry(head, r":LEVELS:([^:\r\n]*)").split(";"), path, "LEVELS")
    if not levels:
        raise DataError(f"{path} is damaged: it states no LEVELS")
    sample_us = _floats([_entry(head, r"SAMPLE \(.sec\):[ \t]*([^\s]*)")], path, "SAMPLE")
    rate_hz = _floats([_entry(head, r"REP RATE \(/sec\):[ \t]*([^\s]*)")], path, "REP RATE")
    return (
        _Header(
            run=_entry(head, r":RUN-(\d+)"),
            levels_db=np.array(levels),
            sample_us=sample_us[0] if sample_us and sample_us[0] > 0 else None,
            n_averages=int(_entry(head, r"# AVERAGES:\s*(\d+)") or 0),
            rate_hz=rate_hz[0] if rate_hz else np.nan,
            ear=_entry(head, r"SW EAR:\s*([LR])\b") or "unknown",
            khz=_entry(head, r"SW FREQ:\s*([\d.]+)"),
        ),
        content,
    )


def _entry(head: str, pattern: str) -> str:
    found = re.search(pattern, head)
    return found[1] if found else ""


def _floats(words: list[str], path: Path, what: str) -> list[float]:
    try:
        return [float(word) for word in words if word.strip()]
    except ValueError:
        raise DataError(f"{path} is damaged: {what} is {';'.join(words)}") from None


def _samples(path: Path, content: str, n_levels: int) -> Floats:
    """Return the traces, (levels, T)."""
    rows = [line.split() for line in content.splitlines()]
    rows = [row for row in rows if row]
    for k, row in enumerate(rows):
        if len(row) != n_levels:
            raise DataError(f"{path} is damaged: sample {k + 1} has {len(row)} values for {n_levels} levels")
    if len(rows) < 2:
        raise DataError(f"{path} holds no samples")
    try:
        return np.array(rows, dtype=np.float64).T
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from None


def _patient(path: Path, header: _Header, declared: Declared) -> str:
    """Return the name of the animal: what stands before the number of the run in the name of the file."""
    if declared.patient is not None:
        return declared.patient
    named = re.fullmatch(r"(?:ABR|CAP)-(.+)-(\d+)", path.stem)
    return named[1] if named and named[2] == header.run else path.stem


def _marked(
    header: _Header, marks: Marks | None, microvolt: float, start_ms: float, path: Path
) -> tuple[dict[str, Floats], Floats | None]:
    """Return marks in the order of the levels: ms after the stimulus, amplitudes in microvolt."""
    n = len(header.levels_db)
    latency, amplitude = np.full((2, n, len(WAVES)), np.nan)
    judged = np.zeros(n, dtype=np.bool_)
    if marks is None:
        return {"wave_latency_ms": latency, "wave_amplitude_uv": amplitude}, None
    for row, level in enumerate(header.levels_db):
        if level not in marks.waves:
            continue
        for wave, mark in marks.waves[level].items():
            place = wave - 1
            # The suite counts latencies from the first sample.
            latency[row, place] = mark.latency_ms + start_ms
            height = mark.to_trough if place == WAVE_V else mark.height
            amplitude[row, place] = height * microvolt
            judged[row] |= place == WAVE_V
    present = judged & np.isfinite(latency[:, WAVE_V])
    columns: dict[str, Floats] = {"wave_latency_ms": latency, "wave_amplitude_uv": amplitude}
    columns |= {"v_marked": judged, "v_present": present}  # type: ignore[dict-item]
    return columns, None if marks.threshold_db is None else np.full(n, marks.threshold_db)
