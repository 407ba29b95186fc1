"""What loading a file of weights did, for the screen and for the record of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadReport:
    """Weights that were loaded, with their provenance.

    Attributes
    ----------
    path
        The file.
    sha256
        Of its content.
    origin
        In words: who wrote it, as far as the file tells.
    matched
        Tensors that were loaded.
    missing, unexpected
        Names that only the network, only the file has. Loading is strict, so both are empty
        wherever it succeeded; they are kept for the record.
    left_out
        Names in the file that belong to a part which this network does not have or keeps as it is:
        the reconstruction layer of pretraining, or the head of another task.
    notes
        What else a reader should know, a sentence each.
    """

    path: Path
    sha256: str
    origin: str
    matched: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report for the screen."""
        counts = f"{self.matched} matched, {len(self.missing)} missing, {len(self.unexpected)} unexpected"
        if self.left_out:
            counts += f", {len(self.left_out)} left out ({_parts(self.left_out)})"
        return [
            f"weights: {self.path}, {self.origin}, sha256 {self.sha256}",
            f"tensors: {counts}",
            *self.notes,
        ]


def _parts(names: tuple[str, ...]) -> str:
    """Return the first components of `names`, each once."""
    return ", ".join(dict.fromkeys(name.partition(".")[0] for name in names))
