"""Which checkpoint is written when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroprism.core.config import config_hash
from neuroprism.core.records import CheckpointReason
from neuroprism.train.checkpoint import save_checkpoint
from neuroprism.train.config import CheckpointingConfig
from neuroprism.train.processes import Processes
from neuroprism.train.state import TrainingState

if TYPE_CHECKING:
    from neuroprism.monitor import Monitor


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
    processes
        Those that train together; the first one writes, the others wait for it.
    """

    def __init__(
        self,
        folder: Path,
        config: CheckpointingConfig,
        *,
        monitor: Monitor,
        run_config: Mapping[str, Any] | None,
        processes: Processes | None = None,
    ) -> None:
        self._config = config
        self._monitor = monitor
        self._run_config = dict(run_config or {})
        self._processes = processes or Processes()
        self.last = folder / "checkpoints" / "last.pt"
        self.best = folder / "checkpoints" / "best.pt"

    def after_epoch(self, state: TrainingState, *, is_best: bool) -> None:
        """Write what is due after a complete epoch."""
        targets: list[tuple[Path, CheckpointReason]] = []
        if is_best and self._config.save_best:
            targets.append((self.best, "best"))
        if self._config.save_last:
            targets.append((self.last, "last"))
        frequency = self._config.save_frequency
        if frequency and state.epoch % frequency == 0:
            targets.append((self.last.with_name(f"epoch_{state.epoch:04d}.pt"), "periodic"))
        self._save(state, targets)

    def ended_early(self, state: TrainingState, *, reason: CheckpointReason) -> None:
        """Write `last.pt` as of the last complete step, wherever in the epoch that is."""
        self._save(state, [(self.last, reason)])

    def _save(self, state: TrainingState, targets: list[tuple[Path, CheckpointReason]]) -> None:
        if not targets:
            return
        checkpoint = state.checkpoint(
            config=self._run_config,
            config_hash=config_hash(self._run_config) if self._run_config else "",
            monitor=self._monitor.state_dict(),
        )
        with self._processes.agreeing():
            for path, reason in targets if self._processes.first else []:
                save_checkpoint(path, checkpoint)
                self._monitor.checkpoint(path, reason=reason)
