"""The rows that resumes must keep aside, counted independently of the program."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from killing.verdicts import expect, lines
from neuroprism.train import load_checkpoint


@dataclass
class Ledger:
    """What lies aside of one run, and what the resume that runs has to add.

    Attributes
    ----------
    side
        Rows of the side file.
    due
        Rows behind the checkpoint.
    half
        The attempt before died when they were aside already and not yet out of the record.
    """

    side: list[bytes] = field(default_factory=list)
    due: list[bytes] = field(default_factory=list)
    half: bool = False

    def forget(self) -> None:
        """Begin anew: nothing was saved, the run is replaced."""
        self.side, self.due, self.half = [], [], False

    def before_resume(self, folder: Path) -> None:
        """Note the rows behind the checkpoint."""
        saved = load_checkpoint(folder).step
        self.due = [line for line in lines(folder / "steps.jsonl") if json.loads(line)["step"] > saved]

    def after_resume(self, folder: Path, *, n_taken: int) -> None:
        """Compare: all rows that were due went aside once, or none did yet.

        Raises
        ------
        BrokenError
            If a row is lost, or aside twice.
        """
        side = lines(folder / "steps.superseded.jsonl")
        expect(side[: len(self.side)] == self.side, "what lies aside stays there")
        moved = [b"{" + line.partition(b",")[2] for line in side[len(self.side) :]]
        kept = lines(folder / "steps.jsonl")
        if moved:
            expect(moved == self.due, f"{len(self.due)} rows go aside, not {len(moved)}")
            expect(not self.half, "no row lies aside twice")
        elif not self.half:
            expect(kept[-len(self.due) :] == self.due if self.due else True, "no superseded row is lost")
        untouched = bool(self.due) and n_taken == 0 and kept[-len(self.due) :] == self.due
        self.half = untouched and (bool(moved) or self.half)
        self.side = side
