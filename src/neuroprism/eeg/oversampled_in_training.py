"""A split rule with extra windows of a rare class that only training sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neuroprism.core.records import Split
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.split_rules import SplitPlan, SplitRule


@dataclass(frozen=True, slots=True)
class OversampledInTraining:
    """Trial 0 as another rule says; trials from 1 are extra windows, used where that rule says training.

    Attributes
    ----------
    base
        The other rule.
    """

    base: SplitRule

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"{self.base.text}; overlapping extra windows in training only"

    def plan(self, recordings: Sequence[Recording]) -> SplitPlan:
        """Use no extra window for validation or test."""
        decide = self.base.plan(recordings)

        def of(recording: Recording, trial: int) -> Split | None:
            split = decide(recording, 0)
            return split if trial == 0 or split == "train" else None

        return of
