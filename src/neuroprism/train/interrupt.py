"""Ctrl-C: noted when it comes, obeyed between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from neuroprism.core.errors import NeuroprismError


class TrainingInterrupted(NeuroprismError):  # noqa: N818 - an interruption is no error
    """Training was interrupted from the keyboard; its state was saved."""

    exit_code = 130


class InterruptFlag:
    """Turns the first Ctrl-C into a flag, so that no step is cut in half.

    The second Ctrl-C raises KeyboardInterrupt at once. Outside the main thread,
    where Python delivers no signals, the flag is never set.

    Parameters
    ----------
    on_termination
        Note SIGTERM too, which a launcher sends to every process when one of
        them has ended, and with which it leaves them time to close.
    """

    def __init__(self, *, on_termination: bool = False) -> None:
        self.requested = False
        self._signals = [signal.SIGINT, signal.SIGTERM] if on_termination else [signal.SIGINT]
        self._former: list[Any] = []

    def __enter__(self) -> InterruptFlag:
        self.requested = False
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
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
