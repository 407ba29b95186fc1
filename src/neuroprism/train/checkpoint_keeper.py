"""Which checkpoint is written when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroprism.core.config import config_hash
from neuroprism.core.errors import RunError, TrainingError
from neuroprism.core.records import Alert, CheckpointReason
from neuroprism.train.checkpoint import Checkpoint, save_checkpoint
from neuroprism.train.config import CheckpointingConfig
from neuroprism.train.processes import Processes
from neuroprism.train.state import TrainingState

if TYPE_CHECKING:
    from neuroprism.monitor import Monitor


class CheckpointKeeper:
    """Writes `best.pt`, `last.pt` and `epoch_0010.pt` below the run folder, and tells the monitor.

    Training goes on where one cannot be written, as on a full disk: the file that was there before
    stays, one alert lasts until everything can be written again, and `expect_saved` tells at the end.

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
        self._unsaved: dict[Path, str] = {}
        self._alert: Alert | None = None

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

    def expect_saved(self, best_epoch: int | None) -> None:
        """Make sure that what training led to is on the disk.

        Parameters
        ----------
        best_epoch
            The epoch that was selected.

        Raises
        ------
        TrainingError
            If the last weights or the selected ones could not be written.
        """
        lost = {self.best: f"the best weights, of epoch {best_epoch},", self.last: "the last weights"}
        for path, what in lost.items():
            if path in self._unsaved:
                raise TrainingError(
                    f"training reached its end, but {what} were not saved: {self.how_to_go_on(path)}"
                )

    def how_to_go_on(self, path: Path | None = None) -> str:
        """Return where a resume begins, and why not later; by default that of the last weights."""
        failure = self._unsaved.get(path or self.last)
        if not self.last.exists():
            way = "nothing was saved"
        else:
            older = ", which is older" if self.last in self._unsaved else ""
            way = f"continue with --resume {self.last}{older}"
        return f"{failure}; {way}" if failure else way

    def _save(self, state: TrainingState, targets: list[tuple[Path, CheckpointReason]]) -> None:
        if not targets:
            return
        checkpoint = state.checkpoint(
            config=self._run_config,
            config_hash=config_hash(self._run_config) if self._run_config else "",
            monitor=self._monitor.state_dict(),
        )
        with self._processes.agreeing():
            if self._processes.first:
                self._write(checkpoint, targets)

    def _write(self, checkpoint: Checkpoint, targets: list[tuple[Path, CheckpointReason]]) -> None:
        failure = ""
        for path, reason in targets:
            try:
                save_checkpoint(path, checkpoint)
            except RunError as error:
                self._unsaved[path] = failure = str(error)
            else:
                self._unsaved.pop(path, None)
                self._monitor.checkpoint(path, reason=reason)
        if failure:
            self._tell(failure, checkpoint)
        elif self._alert is not None:
            self._alert.state = "closed"
            self._monitor.alert(self._alert)
            self._alert = None

    def _tell(self, failure: str, checkpoint: Checkpoint) -> None:
        """Raise the alert, or count that it lasts."""
        if self._alert is not None:
            self._alert.count += 1
            self._alert.last_seen = checkpoint.step
            return
        self._alert = Alert(
            rule="checkpoint",
            kind="checkpoint_failed",
            severity="critical",
            step=checkpoint.step,
            epoch=checkpoint.epoch + bool(checkpoint.batch),
            message=f"the weights after step {checkpoint.step} were not saved: {failure}",
            evidence={"reason": failure},
            advice="make room or give write permission; training goes on and saves again when it is due",
        )
        self._monitor.alert(self._alert)
