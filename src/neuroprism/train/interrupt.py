"""Ctrl-C and SIGTERM: noted when they come, obeyed between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from neuroprism.core.errors import NeuroprismError


class TrainingInterrupted(NeuroprismError):  # noqa: N818 - an interruption is no error
    """Training was interrupted from the keyboard; its state was saved."""

    exit_code = 130


class TrainingTerminated(TrainingInterrupted):
    """Training was ended by SIGTERM, as batch systems and launchers send it; its state was saved."""

    exit_code = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM came, which is obeyed as Ctrl-C is."""


class InterruptFlag:
    """Turns the first Ctrl-C, or SIGTERM, into a flag, so that no step is cut in half.

    SIGTERM is what a batch system sends when the time of a job is nearly over,
    and a launcher to every process when one of them has ended. A second Ctrl-C
    raises KeyboardInterrupt at once. Outside the main thread, where Python
    delivers no signals, the flag is never set.

    Attributes
    ----------
    requested
        Whether training shall end.
    terminated
        Whether it shall because of SIGTERM.
    """

    def __init__(self) -> None:
        self.requested = self.terminated = False
        self._signals = [signal.SIGINT, signal.SIGTERM]
        self._former: list[Any] = []

    def __enter__(self) -> InterruptFlag:
        self.requested = self.terminated = False
        if threading.current_thread() is threading.main_thread():
            self._former = [signal.signal(number, self._note) for number in self._signals]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        former, self._former = self._former, []
        for number, handler in zip(self._signals, former, strict=False):
            signal.signal(number, handler)

    def obey(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed, or Terminated if SIGTERM came."""
        if self.requested:
            raise Terminated if self.terminated else KeyboardInterrupt

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.terminated = number == signal.SIGTERM
        self.requested = True
