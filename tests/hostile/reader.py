"""What a reader of files is, for the tests that hand it hostile ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One way in which the project reads what others wrote.

    Attributes
    ----------
    name
        In the identifiers of tests.
    modules
        Modules below `neuroprism` that read the files, dotted.
    write
        Writes a valid source into an empty folder; returns the path to read.
    read
        Reads it to its end: everything that is lazy is asked for.
    command
        Words of a command that reads it and writes nothing when it fails.
    takes
        Hostile files, by their names in `corpus`, that are valid for this reader or of which it keeps
        what is whole, and why in a comment at its place.
    optional
        Names of files of the source that only add to it: damaged, they may become a note.
    """

    name: str
    modules: tuple[str, ...]
    write: Callable[[Path], Path]
    read: Callable[[Path], object]
    command: Callable[[Path], list[str]] | None = None
    takes: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    def source(self, folder: Path) -> Path:
        """Write a valid source into a new folder; return the path to read."""
        folder.mkdir(parents=True)
        return self.write(folder)


def files_of(folder: Path) -> list[Path]:
    """Return the files that a reader wrote into a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
