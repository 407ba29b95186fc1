"""What a reader of one format returns, before units and gaps are settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import HEARING_CLASSES
from neuroprism.abr.importers.declared import Declared
from neuroprism.core.errors import DataError
from neuroprism.core.registry import Registry

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Readings:
    """N recordings of T samples as a source has them.

    Attributes
    ----------
    signal
        (N, T) in `unit`; NaN where the source has no number.
    unit
        `uv`, `mv`, `v` or `zscore`.
    sample_rate_hz, start_ms
        Of the traces; `start_ms` is the time of the first sample after the onset of the stimulus.
    level_db, level_unit
        (N,) and `nhl`, `spl` or `pespl`.
    threshold_db
        (N,) in the unit of the levels, or None.
    columns
        Other arrays by their names in `neuroprism.abr.columns`, (N, ...);
        only what the source knows.
    class_names
        What `columns["hearing_class"]` counts.
    threshold_provenance
        How the thresholds were found.
    derived
        Labels that were computed rather than measured, in words.
    notes
        What else people should know, in words.
    left_out
        What the reader left out, and how often.
    provenance
        What the source says of itself.
    """

    signal: Floats
    unit: str
    sample_rate_hz: float
    start_ms: float
    level_db: Floats
    level_unit: str
    threshold_db: Floats | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    class_names: tuple[str, ...] = HEARING_CLASSES
    threshold_provenance: str = "none"
    derived: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Importer:
    """A format that can be read.

    Attributes
    ----------
    title
        What it is, in a few words.
    read
        Returns the readings of a file or folder; raises `DataError`.
    takes
        Fields of `Declared` that mean something for this format, besides `COMMON`.
    """

    title: str
    read: Callable[[Path, Declared], Readings]
    takes: frozenset[str]


COMMON = frozenset(
    {
        "window_start_ms",
        "window_ms",
        "polarity",
        "level_unit",
        "nhl_zero_db_spl",
        "source_name",
        "rate_hz",
        "ear",
    }
)
"""Fields of `Declared` that mean something for every format."""

importers: Registry[Importer] = Registry("format of recordings")


def files_of(source: Path, pattern: str, declared: Declared) -> list[Path]:
    """Return the file itself, or the matching files below a folder, sorted.

    Raises
    ------
    DataError
        If there is none.
    """
    if not source.exists():
        raise DataError(f"no recordings at {source}")
    if source.is_file():
        return [source]
    found = sorted(
        path for path in source.rglob(pattern) if path.is_file() and path.match(declared.match or "*")
    )
    if not found:
        extra = f" that match '{declared.match}'" if declared.match else ""
        raise DataError(f"{source} holds no files {pattern}{extra}")
    return found


def join(parts: Sequence[tuple[Path, Readings]]) -> Readings:
    """Return the readings of several files as one set.

    Raises
    ------
    DataError
        If they differ in rate, window, unit or stimulus.
    """
    (first_path, first), *others = parts
    for path, other in others:
        for name in ("sample_rate_hz", "start_ms", "unit", "level_unit"):
            _same(first_path, getattr(first, name), path, getattr(other, name), name)
        _same(first_path, first.signal.shape[1], path, other.signal.shape[1], "n_times")
        _same(
            first_path, first.provenance.get("stimulus"), path, other.provenance.get("stimulus"), "stimulus"
        )
    every = [part for _, part in parts]
    left_out: dict[str, int] = {}
    for part in every:
        for reason, count in part.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count
    return Readings(
        signal=np.concatenate([part.signal for part in every]),
        unit=first.unit,
        sample_rate_hz=first.sample_rate_hz,
        start_ms=first.start_ms,
        level_db=np.concatenate([part.level_db for part in every]),
        level_unit=first.level_unit,
        threshold_db=_stack([part.threshold_db for part in every], [len(part.signal) for part in every]),
        columns={name: np.concatenate([part.columns[name] for part in every]) for name in first.columns},
        class_names=first.class_names,
        threshold_provenance=max(
            (part.threshold_provenance for part in every), key=lambda text: text != "none"
        ),
        derived=tuple(dict.fromkeys(text for part in every for text in part.derived)),
        notes=tuple(dict.fromkeys(text for part in every for text in part.notes)),
        left_out=left_out,
        provenance={**first.provenance, "files": len(parts)},
    )


def _stack(parts: list[Floats | None], sizes: list[int]) -> Floats | None:
    if all(part is None for part in parts):
        return None
    filled = [
        np.full(size, np.nan) if part is None else part for part, size in zip(parts, sizes, strict=True)
    ]
    return np.concatenate(filled)


def _same(one: Path, left: Any, other: Path, right: Any, name: str) -> None:
    if left != right:
        raise DataError(
            f"{one.name} has {name} {left}, {other.name} has {right}: a set has one; "
            "import them apart, a folder with --match PATTERN"
        )
