"""Which checkpoint is written when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from neuroprism.core.config import config_hash
from neuroprism.train.checkpoint import Checkpoint, save_checkpoint
from neuroprism.train.config import CheckpointingConfig
from neuroprism.train.state import TrainingState

if TYPE_CHECKING:
    from neuroprism.monitor import Monitor

Reason = Literal["last", "best", "periodic", "interrupted"]


class CheckpointKeeper:
    """Writes `best.pt`, `last.pt` and `epoch_0010.pt` below the run folder, and tells the monitor.

    Parameters
    ----------
    folder
        Run folder.
    config
        What is kept.
    monitor
        Its state goes into every checkpoint.
    run_config
        Resolved configuration of the run, stored with the weights.
    """

    def __init__(
        self,
        folder: Path,
        config: CheckpointingConfig,
        *,
        monitor: Monitor,
        run_config: Mapping[str, Any] | None,
    ) -> None:
        self._config = config
        self._monitor = monitor
        self._run_config = dict(run_config or {})
        self.last = folder / "checkpoints" / "last.pt"
        self.best = folder / "checkpoints" / "best.pt"

    def after_epoch(self, state: TrainingState, *, is_best: bool) -> None:
        """Write what is due after a complete epoch."""
        checkpoint = self._checkpoint(state)
        if is_best and self._config.save_best:
            self._save(self.best, checkpoint, "best")
        if self._config.save_last:
            self._save(self.last, checkpoint, "last")
        frequency = self._config.save_frequency
        if frequency and state.epoch % frequency == 0:
            self._save(self.last.with_name(f"epoch_{state.epoch:04d}.pt"), checkpoint, "periodic")

    def interrupted(self, state: TrainingState) -> None:
        """Write `last.pt` as of the last complete step, wherever in the epoch that is."""
        self._save(self.last, self._checkpoint(state), "interrupted")

    def _checkpoint(self, state: TrainingState) -> Checkpoint:
        return state.checkpoint(
            config=self._run_config,
            config_hash=config_hash(self._run_config) if self._run_config else "",
            monitor=self._monitor.state_dict(),
        )

    def _save(self, path: Path, checkpoint: Checkpoint, reason: Reason) -> None:
        save_checkpoint(path, checkpoint)
        self._monitor.checkpoint(path, reason=reason)
