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
    """

    def __init__(self) -> None:
        self.requested = False
        self._former: Any = None
        self._installed = False

    def __enter__(self) -> InterruptFlag:
        self.requested = False
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._note)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._former)
            self._installed = False

    def obey(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
