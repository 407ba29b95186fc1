"""What the tracker sink asks of Weights & Biases and of trackio."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from neuroprism.core.errors import UserError
from neuroprism.core.records import Alert, RunRecord
from neuroprism.core.registry import Registry
from neuroprism.monitor.scalar_series import GRADIENT_GROUPS

FINISH_SECONDS = 60.0


class Backend(Protocol):
    """A run that a tracker has open."""

    def log(self, numbers: Mapping[str, float], *, step: int) -> None:
        """Send numbers; `step` is the optimizer step at which they arose."""

    def summary(self, numbers: Mapping[str, float]) -> None:
        """Send numbers that belong to the run as a whole."""

    def alert(self, alert: Alert) -> None:
        """Send an alert."""

    def finish(self, *, failed: bool) -> None:
        """End the run."""


class Start(Protocol):
    """Opens a run of a tracker."""

    def __init__(self, *, project: str, entity: str | None, tags: tuple[str, ...], mode: str) -> None: ...

    def __call__(self, run: RunRecord, folder: Path, config: Mapping[str, Any]) -> Backend:
        """Open the run, or continue the one with the same id."""


BACKENDS: Registry[type[Start]] = Registry("tracker")


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise UserError(f'logging.tracker: {package} is not installed; pip install "neuroprism[{package}]"')


def _card(run: RunRecord, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with what identifies the run."""
    weights = {component.name: component.weight for component in run.components}
    card = {"run_id": run.id, "task": run.task, "seed": run.seed, "git_revision": run.git_revision}
    return {**config, "neuroprism": {**card, "loss_weights": weights}}


@BACKENDS.register("wandb")
class StartWandb:
    """Opens a run of Weights & Biases inside the run folder."""

    def __init__(self, *, project: str, entity: str | None, tags: tuple[str, ...], mode: str) -> None:
        self._settings: dict[str, Any] = {
            "project": project,
            "entity": entity,
            "tags": list(tags),
            "mode": mode,
        }
        self._is_online = mode == "online"

    def __call__(self, run: RunRecord, folder: Path, config: Mapping[str, Any]) -> Backend:
        """Open the run, or continue the one with the same id."""
        _require("wandb")
        if not self._is_online:
            # Its error reports go over the network in offline mode too; this is read on import.
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        theirs = wandb.init(
            **self._settings,
            dir=str(folder),
            id=run.id,
            name=run.name,
            config=_card(run, config),
            resume="allow" if self._is_online else None,
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )
        for axis, groups in (
            ("global_step", ("step/*", *(f"{group}*" for group in GRADIENT_GROUPS))),
            ("epoch", ("train/*", "val/*", "loss_breakdown/*")),
        ):
            theirs.define_metric(axis, hidden=True)
            for group in groups:
                theirs.define_metric(group, step_metric=axis)
        return _Wandb(theirs, is_online=self._is_online)


@dataclass(frozen=True)
class _Wandb:
    run: Any
    is_online: bool

    def log(self, numbers: Mapping[str, float], *, step: int) -> None:
        # Without a step of our own: the service drops rows whose step is not new.
        self.run.log(dict(numbers))

    def summary(self, numbers: Mapping[str, float]) -> None:
        self.run.summary.update(dict(numbers))

    def alert(self, alert: Alert) -> None:
        if self.is_online:
            level = {"info": "INFO", "warning": "WARN", "critical": "ERROR"}[alert.severity]
            self.run.alert(title=_title(alert), text=alert.message, level=level)
        else:
            self.run.summary.update({f"alerts/{_title(alert)}": alert.message})

    def finish(self, *, failed: bool) -> None:
        """End the run; a service that does not answer is left after a minute."""
        _within(FINISH_SECONDS, lambda: self.run.finish(exit_code=int(failed)))


@BACKENDS.register("trackio")
class StartTrackio:
    """Opens a run of trackio in its data folder on this machine (``TRACKIO_DIR``)."""

    def __init__(self, *, project: str, entity: str | None, tags: tuple[str, ...], mode: str) -> None:
        if mode == "online" or entity is not None:
            raise UserError(
                "logging.wandb: trackio records on this machine only; leave out entity and mode: online"
            )
        self._project, self._tags = project, tags

    def __call__(self, run: RunRecord, folder: Path, config: Mapping[str, Any]) -> Backend:
        """Open the run, or continue the one with the same name and id."""
        _require("trackio")
        with contextlib.redirect_stdout(io.StringIO()):
            import trackio

            theirs = trackio.init(
                project=self._project,
                name=f"{run.name}-{run.id[:8]}",
                config={**_card(run, config), "tags": list(self._tags)},
                resume="allow",
                embed=False,
                auto_log_cpu=False,
                auto_log_gpu=False,
            )
        return _Trackio(theirs, trackio)


@dataclass
class _Trackio:
    run: Any
    module: Any
    last_step: int = 0

    def log(self, numbers: Mapping[str, float], *, step: int) -> None:
        self.last_step = step
        self.run.log(dict(numbers), step=step)

    def summary(self, numbers: Mapping[str, float]) -> None:
        self.run.log(dict(numbers), step=self.last_step)

    def alert(self, alert: Alert) -> None:
        levels = self.module.AlertLevel
        level = {"info": levels.INFO, "warning": levels.WARN, "critical": levels.ERROR}[alert.severity]
        with contextlib.redirect_stdout(io.StringIO()):
            self.run.alert(title=_title(alert), text=alert.message, level=level, step=alert.step)

    def finish(self, *, failed: bool) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self.module.finish()


def _title(alert: Alert) -> str:
    return f"{alert.kind} in {alert.component}" if alert.component else alert.kind


def _within(seconds: float, action: Any) -> None:
    """Run `action` for at most `seconds`, then leave it behind.

    Raises
    ------
    TimeoutError
        If it has not ended; whatever it raises itself otherwise.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, name="neuroprism-tracker-finish", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(
            f"the tracker did not finish within {seconds:g} s; what it lacks is in the run folder"
        )
    if errors:
        raise errors[0]
