"""Marks of waves that lie beside an EPL file, as its analysis program writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroprism.core.errors import DataError, suggest

_END = "analyzed.txt"
_WAVES = range(1, 6)


@dataclass(frozen=True)
class Mark:
    """One wave at one level; NaN where it is marked as absent.

    Attributes
    ----------
    latency_ms
        Counted from the first sample.
    height, to_trough
        Of the peak above zero, and down to the following trough, in the unit of the trace.
    """

    latency_ms: float
    height: float
    to_trough: float


@dataclass(frozen=True)
class Marks:
    """Marks of one level series.

    Attributes
    ----------
    path
        The file.
    threshold_db
        In the unit of the levels; None where it was not set.
    waves
        By level and number of the wave, 1 to 5.
    """

    path: Path
    threshold_db: float | None
    waves: dict[float, dict[int, Mark]]


def is_marks(path: Path) -> bool:
    """Return whether a file is one of marks, by its name."""
    return path.name.endswith(_END)


def find_marks(path: Path, rater: str | None) -> Marks | None:
    """Return the marks beside a file of traces, of one rater or of none that is named.

    Raises
    ------
    DataError
        If there are several raters and none is chosen, or the file is damaged.
    """
    by_rater = {_rater(path, beside): beside for beside in sorted(path.parent.glob(f"{path.name}-*{_END}"))}
    if not by_rater:
        return None
    if rater is not None:
        if rater not in by_rater:
            named = [name for name in by_rater if name]
            raise DataError(f"{path}: no marks of rater '{rater}' beside it{suggest(rater, named)}")
        return _read(by_rater[rater])
    if "" not in by_rater and len(by_rater) > 1:
        raise DataError(f"{path}: marks of raters {', '.join(by_rater)}; choose one with --rater")
    return _read(by_rater.get("", next(iter(by_rater.values()))))


def _rater(path: Path, beside: Path) -> str:
    """Return who marked: what stands between the frequency and the end of the name."""
    parts = beside.name.removeprefix(f"{path.name}-").removesuffix(_END).strip("-").split("-")
    return "-".join(parts[1:])


def _read(path: Path) -> Marks:
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    threshold = None
    for k, line in enumerate(lines):
        name, _, value = line.partition(":")
        if name.startswith("Threshold"):
            threshold = _number(value, path) if value.strip() not in ("", "None") else None
        if line.startswith("Level\t"):
            names = line.rstrip("\t").split("\t")
            return Marks(
                path, threshold, dict(_row(names, row, path) for row in lines[k + 1 :] if row.strip())
            )
    raise DataError(f"{path} is damaged: it has no table of marks")


def _row(names: list[str], line: str, path: Path) -> tuple[float, dict[int, Mark]]:
    values = [_number(word, path) for word in line.rstrip("\t").split("\t")]
    if len(values) != len(names):
        raise DataError(f"{path} is damaged: {len(values)} values for {len(names)} columns")
    cell = dict(zip(names, values, strict=True))
    waves = {}
    for k in _WAVES:
        latency = cell.get(f"P{k} Latency")
        if latency is None:
            continue
        # A negative latency says that there is no peak.
        height = cell.get(f"P{k} Amplitude", np.nan) if latency >= 0 else np.nan
        trough = cell.get(f"N{k} Amplitude", np.nan) if cell.get(f"N{k} Latency", -1.0) >= 0 else np.nan
        waves[k] = Mark(latency if latency >= 0 else np.nan, height, height - trough)
    return cell["Level"], waves


def _number(text: str, path: Path) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{path} is damaged: '{text.strip()}' is not a number") from None
