"""Giving the columns of a log the names that they have here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from neuroprism.core.errors import DataError
from neuroprism.runs.traces.series_names import renaming
from neuroprism.runs.traces.table import Table

_N_SHOWN = 12
_LOSSES = ("loss/", "train/")


def named(
    table: Table, epochs: Table | None, mapping: Mapping[str, str], *, source: Path
) -> tuple[Table, Table | None]:
    """Return the known columns of the rows of steps and of epochs under their names here.

    Raises
    ------
    UnknownNameError
        If no column has a name in `mapping`.
    DataError
        If there is no loss among the columns.
    """
    names = known_names([*table.columns, *(epochs.columns if epochs else ())], mapping, source=source)
    rows = table.renamed({old: new for old, new in names.items() if old in table})
    if epochs is None:
        return rows, None
    # What rows of epochs call a loss is the mean of the epoch.
    means = {
        old: new.replace("loss/", "train/", 1) if new.startswith("loss/") else new
        for old, new in names.items()
    }
    return rows, epochs.renamed({old: new for old, new in means.items() if old in epochs})


def known_names(names: Iterable[str], mapping: Mapping[str, str], *, source: Path) -> dict[str, str]:
    """Return the names here by names in the log.

    Raises
    ------
    UnknownNameError
        If no series has a name in `mapping`.
    DataError
        If there is no loss among them.
    """
    theirs = list(dict.fromkeys(names))
    if not theirs:
        raise DataError(f"{source} has no column of numbers: no log of a training run")
    found = renaming(theirs, mapping)
    if not any(name.startswith(_LOSSES) for name in found.values()):
        shown = ", ".join(theirs[:_N_SHOWN]) + (", ..." if len(theirs) > _N_SHOWN else "")
        advice = "name one with --map THEIRS=loss/NAME"
        raise DataError(f"{source} has no loss that is recognised; {advice} (it has: {shown})")
    return found
