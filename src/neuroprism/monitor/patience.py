"""Leaving a call that does not come back.

A timer of the operating system interrupts what the main thread waits for: a
lock, a socket, a program, a pipe. The call stays in its thread, so that order,
Ctrl-C and whatever belongs to a thread are as without it. What cannot be
interrupted is waited for: a disk that does not answer, native code, any call
outside of the main thread or on Windows. A program that uses the timer itself
keeps it, and then nothing is interrupted.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

AGAIN_SECONDS = 0.1


@contextlib.contextmanager
def at_most(seconds: float | None) -> Iterator[None]:
    """Interrupt the block with TimeoutError after `seconds`; None waits for ever.

    A block that catches the error is interrupted again until it ends.
    """
    if seconds is None or not _timer_is_free():
        yield
        return
    waiting = True

    def ring(number: int, frame: FrameType | None) -> None:
        if waiting:
            raise TimeoutError(f"it did not answer within {seconds:g} s")

    former = signal.signal(signal.SIGALRM, ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
            yield
        finally:
            waiting = False
    finally:
        # Reached even where the alarm comes between the two.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _timer_is_free() -> bool:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return False
    unused = signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN)
    return unused and signal.getitimer(signal.ITIMER_REAL)[0] == 0
