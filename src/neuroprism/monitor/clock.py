"""How long the run and its epochs take, over interruptions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any


class Clock:
    """Time spent on the epoch that runs and on the whole run, in seconds.

    Attributes
    ----------
    last_step
        When the last step was taken, on the clock of `time.monotonic`.
    """

    def __init__(self) -> None:
        self._epoch_began = self._run_began = self.last_step = time.monotonic()

    def epoch_seconds(self) -> float:
        """Return the time since the epoch began."""
        return time.monotonic() - self._epoch_began

    def train_seconds(self) -> float:
        """Return the time from the beginning of the epoch to its last step."""
        return self.last_step - self._epoch_began

    def next_epoch(self) -> None:
        """Begin a new epoch."""
        self._epoch_began = self.last_step = time.monotonic()

    def state_dict(self) -> dict[str, float]:
        """Return the times spent so far."""
        return {"epoch_seconds": self.epoch_seconds(), "seconds": time.monotonic() - self._run_began}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Count on from the times of an earlier attempt."""
        now = time.monotonic()
        self._epoch_began = now - float(state["epoch_seconds"])
        self._run_began = now - float(state["seconds"])
