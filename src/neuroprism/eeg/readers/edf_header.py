"""The header of EDF, EDF+ and BDF files, and whether the file is as long as it says.

Kemp et al. 1992, Electroencephalography and Clinical Neurophysiology 82:391
(EDF); Kemp and Olivan 2003, Clinical Neurophysiology 114:1755 (EDF+).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from neuroprism.core.errors import DataError

_FIXED_BYTES = 256
_FIELD_BYTES = {"label": 16, "transducer": 80, "unit": 8, "ranges": 32, "filter": 80, "samples": 8}


@dataclass(frozen=True, kw_only=True, slots=True)
class EdfHeader:
    """What an EDF or BDF file says about itself.

    Attributes
    ----------
    labels
        Of all signals but annotations, as in the file, blanks stripped.
    rates_hz, units
        Of these signals.
    duration_s
        Of the recording.
    is_bdf
        Whether samples have 24 bits.
    """

    labels: tuple[str, ...]
    rates_hz: tuple[float, ...]
    units: tuple[str, ...]
    duration_s: float
    is_bdf: bool


def read_edf_header(path: Path) -> EdfHeader:
    """Read the header and compare the length of the file with it.

    Raises
    ------
    DataError
        If this is no EDF or BDF file, if it is truncated or longer than its
        header says, or if the recording was interrupted (EDF+D with gaps).
    """
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(f"{path}: not an EDF file, or its header is damaged") from error


def _read(file: BinaryIO, path: Path) -> EdfHeader:
    fixed = file.read(_FIXED_BYTES)
    is_bdf = fixed[:8] == b"\xffBIOSEMI"
    if len(fixed) < _FIXED_BYTES or not (is_bdf or fixed[:8].strip() == b"0"):
        raise DataError(f"{path}: not an EDF file")
    text = fixed[8:].decode("latin-1")
    n_header, reserved = int(text[176:184]), text[184:228]
    n_records, record_s, n_signals = int(text[228:236]), float(text[236:244]), int(text[244:248])
    fields = {name: _fields(file, size, n_signals) for name, size in _FIELD_BYTES.items()}
    n_samples = [int(value) for value in fields["samples"]]
    record_bytes = sum(n_samples) * (3 if is_bdf else 2)
    n_found = _check_size(path, n_header, n_records, record_bytes)
    annotations = ("EDF Annotations", "BDF Annotations")
    if reserved[3:5] == "+D":
        first = next(k for k, label in enumerate(fields["label"]) if label in annotations)
        offset = n_header + sum(n_samples[:first]) * (3 if is_bdf else 2)
        _check_continuous(file, path, [offset + k * record_bytes for k in range(n_found)], record_s)
    kept = [k for k, label in enumerate(fields["label"]) if label not in annotations]
    return EdfHeader(
        labels=tuple(fields["label"][k] for k in kept),
        rates_hz=tuple(n_samples[k] / record_s for k in kept),
        units=tuple(fields["unit"][k] for k in kept),
        duration_s=n_found * record_s,
        is_bdf=is_bdf,
    )


def _fields(file: BinaryIO, size: int, n_signals: int) -> list[str]:
    return [file.read(size).decode("latin-1").strip() for _ in range(n_signals)]


def _check_size(path: Path, n_header: int, n_records: int, record_bytes: int) -> int:
    """Return the number of records; MNE would go by the file's length without a word."""
    n_bytes = path.stat().st_size
    if n_records == -1:  # the recorder was not stopped; the length of the file is all there is
        n_records, rest = divmod(n_bytes - n_header, record_bytes)
        if rest or n_records < 1:
            raise DataError(f"{path}: truncated within a record, and the header gives no length")
        return n_records
    declared = n_header + n_records * record_bytes
    if n_bytes < declared:
        raise DataError(f"{path}: truncated: {n_bytes:,} of {declared:,} bytes")
    if n_bytes > declared:
        raise DataError(f"{path}: damaged: {n_bytes:,} bytes, but its header describes {declared:,}")
    return n_records


def _check_continuous(file: BinaryIO, path: Path, offsets: list[int], record_s: float) -> None:
    """Refuse gaps between the records of a file that allows for them."""
    first: float | None = None
    for k, offset in enumerate(offsets):
        file.seek(offset)
        onset = float(file.read(32).split(b"\x14", 1)[0].split(b"\x15", 1)[0])
        first = onset if first is None else first
        if abs(onset - first - k * record_s) > 1e-3:
            raise DataError(f"{path}: the recording is interrupted after {k * record_s:g} s")
