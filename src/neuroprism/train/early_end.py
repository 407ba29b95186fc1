"""Training that ends before its last epoch: what is saved, recorded and said."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from neuroprism.core.errors import TrainingError, TrainingStopped
from neuroprism.train.checkpoint_keeper import CheckpointKeeper
from neuroprism.train.interrupt import Terminated, TrainingInterrupted, TrainingTerminated
from neuroprism.train.out_of_memory import is_out_of_memory
from neuroprism.train.processes import AgreedInterrupt, Processes
from neuroprism.train.state import TrainingState
from neuroprism.train.step_recorder import StepRecorder

if TYPE_CHECKING:
    from neuroprism.monitor import Monitor


class EarlyEnd:
    """Saves the last complete step where it is sound, closes the record, says how to go on, and leaves.

    Parameters
    ----------
    monitor
        Its record is closed.
    keeper
        Writes the checkpoint.
    processes
        Those that train together.
    """

    def __init__(self, monitor: Monitor, keeper: CheckpointKeeper, processes: Processes) -> None:
        self._monitor = monitor
        self._keeper = keeper
        self._processes = processes

    def interrupted(self, state: TrainingState, recorder: StepRecorder, error: KeyboardInterrupt) -> NoReturn:
        """Leave after Ctrl-C or SIGTERM.

        One of several processes that was interrupted by itself can save
        nothing: the others are elsewhere.
        """
        together = isinstance(error, AgreedInterrupt)
        terminated = error.terminated if isinstance(error, AgreedInterrupt) else isinstance(error, Terminated)
        orderly = together or self._processes.alone
        if orderly:
            recorder.settle()
        if orderly and not state.torn:
            self._keeper.ended_early(state, reason="interrupted")
        self._monitor.close("interrupted", "stopped by SIGTERM" if terminated else "stopped by Ctrl-C")
        kind, verb = (
            (TrainingTerminated, "ended by SIGTERM") if terminated else (TrainingInterrupted, "interrupted")
        )
        interrupted = kind(f"{verb} after step {state.step}; {self._keeper.how_to_go_on()}")
        if together:
            interrupted.said_by = 0
            self._processes.wait()
        raise interrupted from None

    def failed(self, state: TrainingState, error: TrainingError) -> NoReturn:
        """Leave because training cannot go on, or shall not."""
        together = error.said_by is not None
        if isinstance(error, TrainingStopped):
            if (together or self._processes.alone) and not state.torn:
                self._save(state)
            error = error.followed_by(self._keeper.how_to_go_on())
        self._monitor.close("failed", str(error))
        if together:
            # A launcher ends the others as soon as one process has failed.
            self._processes.wait()
        raise error

    def _save(self, state: TrainingState) -> None:
        """Write the checkpoint, unless memory is not enough for that either."""
        try:
            self._keeper.ended_early(state, reason="stopped")
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
