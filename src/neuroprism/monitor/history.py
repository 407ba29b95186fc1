"""What a rule looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from neuroprism.core.records import Alert, Component, EpochRecord
from neuroprism.monitor.window import StepWindow


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The newest record of a run and what came before it.

    Attributes
    ----------
    components
        The components of the loss.
    window
        The steps just flushed; None when an epoch was closed.
    epoch
        The epoch just closed; None when steps were flushed.
    epochs
        Earlier epochs, oldest first; the latest 1,000 are kept.
    skipped_before
        Steps skipped without a break just before the window.
    """

    components: tuple[Component, ...]
    window: StepWindow | None = None
    epoch: EpochRecord | None = None
    epochs: tuple[EpochRecord, ...] = ()
    skipped_before: int = 0


Rule = Callable[[History], Iterable[Alert]]
