"""From files of others to a stored set with its quality report."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from neuroprism.abr.importers.assemble import assemble
from neuroprism.abr.importers.declared import Declared, flag
from neuroprism.abr.importers.quality import QualityReport, judge
from neuroprism.abr.importers.readings import COMMON, importers
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.store import save_recordings
from neuroprism.core import strict_json
from neuroprism.core.errors import DataError, UserError
from neuroprism.core.files import replace_bytes


@dataclass(frozen=True)
class Imported:
    """A set that was read, and what it is like."""

    recordings: AbrRecordings
    report: QualityReport


def read_recordings(source: Path, name: str, declared: Declared | None = None) -> Imported:
    """Read recordings of a format and judge them.

    Parameters
    ----------
    source
        File or folder.
    name
        Format, a name of `importers`.
    declared
        What the files do not say.

    Raises
    ------
    UnknownNameError
        If there is no such format.
    UserError
        If something is declared that means nothing for the format.
    DataError
        If the source is missing, damaged or leaves a fact open that nobody declared.
    """
    importer = importers[name]
    declared = declared or Declared()
    for field in declared.given():
        if field not in importer.takes | COMMON:
            raise UserError(f"{flag(field)} means nothing for --format {name}")
    try:
        readings = importer.read(source, declared)
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror or error}") from None
    said = {"source": "neuroprism import abr", "format": name, "file": source.name, "unit": readings.unit}
    assembled = assemble(readings, declared, source, said)
    report = judge(assembled, source=str(source), name=name, derived=readings.derived)
    return Imported(assembled.recordings, report)


def report_path(out: Path) -> Path:
    """Return where the quality report of the set at `out` lies."""
    return out.with_suffix(".import.json")


def store(out: Path, imported: Imported) -> None:
    """Write a set and its report; on failure neither is left.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    path = report_path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, strict_json.encode_pretty(imported.report))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    try:
        save_recordings(out, imported.recordings)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
