"""What a rule looks at."""

from __future__ import annotations

from dataclasses import dataclass, field

from neuroprism.core.records import Component, EpochRecord, Gradients
from neuroprism.monitor.facts import RunFacts
from neuroprism.monitor.history.stream import Stream
from neuroprism.monitor.window import StepWindow


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The newest record of a run and what came before it, in bounded memory.

    Attributes
    ----------
    facts
        What the run declares about itself.
    stream
        The steps: course of the whole run, latest values, excursions.
    window
        The steps just flushed; None at other moments.
    epoch
        The epoch just closed; None at other moments.
    epochs
        Earlier epochs, oldest first; the latest 1,000 are kept.
    gradients
        Gradients taken apart, oldest first; the latest 64 are kept.
    skipped_before
        Steps skipped without a break just before the window.
    ended
        The run has ended: nothing comes after this.
    """

    facts: RunFacts
    stream: Stream
    window: StepWindow | None = None
    epoch: EpochRecord | None = None
    epochs: tuple[EpochRecord, ...] = ()
    gradients: tuple[Gradients, ...] = ()
    skipped_before: int = 0
    ended: bool = field(default=False)

    @property
    def components(self) -> tuple[Component, ...]:
        """The components of the loss."""
        return self.facts.components

    @property
    def all_epochs(self) -> tuple[EpochRecord, ...]:
        """Every kept epoch, the one just closed included."""
        return self.epochs if self.epoch is None else (*self.epochs, self.epoch)
