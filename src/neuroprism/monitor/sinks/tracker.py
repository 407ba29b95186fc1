"""An experiment tracker: Weights & Biases or trackio behind one sink."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from neuroprism.core import yaml_text
from neuroprism.core.files import replace_bytes
from neuroprism.core.records import (
    Alert,
    EpochRecord,
    Finished,
    Gradients,
    Resumed,
    RunRecord,
    TestRecord,
    epoch_series,
)
from neuroprism.core.strict_json import encode_pretty
from neuroprism.monitor import layout
from neuroprism.monitor.scalar_series import epoch_scalars, gradient_scalars, step_scalars
from neuroprism.monitor.sinks.protocol import Record
from neuroprism.monitor.sinks.tracker_backends import BACKENDS, Backend
from neuroprism.monitor.window import StepWindow

STATE_FILE = "tracker.json"

Mode = Literal["offline", "online", "disabled"]


class _State(msgspec.Struct):
    """What a tracker has got so far: the last step and the last epoch."""

    backend: str
    run_id: str
    step: int = 0
    epoch: int = 0


class Tracker:
    """Sends the record of a run to an experiment tracker.

    Series: ``step/...`` over the optimizer step (``global_step``), for the
    first step and every `log_frequency` steps; ``train/...``, ``val/...`` and
    ``loss_breakdown/<component>`` (weighted training mean, with
    ``loss_breakdown/<component>_share`` of the total) over ``epoch``; the
    gradients by component over the optimizer step.

    A tracker cannot take back what it has got. After a resume the steps and
    epochs that it already has are therefore not sent again, so that no axis
    goes backwards; `tracker.json` in the run folder remembers how far it got.

    Parameters
    ----------
    backend
        ``"wandb"`` or ``"trackio"``.
    project, entity, tags
        Where the run is filed; `entity` is an account at Weights & Biases.
    mode
        ``"offline"`` needs neither account nor network, ``"disabled"`` does
        nothing. trackio has no online mode here.
    log_frequency
        Rows of `steps.jsonl` that are sent: multiples of this number.

    Raises
    ------
    UnknownNameError
        If there is no such backend.
    UserError
        If the backend cannot do what is asked.
    """

    name = "tracker"

    def __init__(
        self,
        backend: str = "wandb",
        *,
        project: str = "neuroprism",
        entity: str | None = None,
        tags: Sequence[str] = (),
        mode: Mode = "offline",
        log_frequency: int = 100,
    ) -> None:
        start = BACKENDS[backend]
        self._backend_name, self.mode, self.log_frequency = backend, mode, log_frequency
        self._backend: Backend | None = None
        self._status = "interrupted"
        self._start = (
            None if mode == "disabled" else start(project=project, entity=entity, tags=tuple(tags), mode=mode)
        )

    def open(self, run: RunRecord, folder: Path) -> None:
        """Start the tracker's run, or continue the one with the same id.

        Raises
        ------
        UserError
            If the backend's package is not installed; the message names the extra.
        """
        self._run, self._folder = run, folder
        if self._start is None:
            return
        config_file = folder / layout.CONFIG
        text = config_file.read_text(encoding="utf-8") if config_file.exists() else ""
        self._state = _State(backend=self._backend_name, run_id=run.id)
        self._gradients_until = 0
        self._earlier = self._read_state()
        self._backend = self._start(run, folder, yaml_text.parse(text, source=str(config_file)) or {})

    def write(self, record: Record) -> None:
        """Send the numbers of `record`."""
        if self._backend is None:
            return
        match record:
            case Resumed():
                # Steps come by window and are marked by epoch: the monitor knows how many there were.
                if self._earlier is not None:
                    self._state.step = max(self._earlier.step, record.step + record.superseded_steps)
                    self._state.epoch = self._earlier.epoch
                    self._gradients_until = self._state.step
            case StepWindow():
                self._send_steps(self._backend, record)
            case Gradients():
                self._send_gradients(self._backend, record)
            case EpochRecord():
                self._send_epoch(self._backend, record)
            case TestRecord():
                numbers = record.losses | record.metrics
                self._backend.summary({epoch_series("test", name): value for name, value in numbers.items()})
            case Alert() if record.is_news:
                self._backend.alert(record)
            case Finished():
                self._status = record.status
            case _:
                pass

    def close(self) -> None:
        """End the tracker's run."""
        backend, self._backend = self._backend, None
        if backend is not None:
            self._save_state()
            backend.finish(failed=self._status != "finished")

    def _send_steps(self, backend: Backend, window: StepWindow) -> None:
        wanted = (window.step % self.log_frequency == 0) | (window.step == 1)
        for index in (wanted & (window.step > self._state.step)).nonzero()[0]:
            i = int(index)
            step = int(window.step[i])
            backend.log({"global_step": step, **step_scalars(window, i)}, step=step)
        if len(window):
            self._state.step = max(self._state.step, int(window.step[-1]))

    def _send_gradients(self, backend: Backend, record: Gradients) -> None:
        if record.step > self._gradients_until:
            numbers = gradient_scalars(self._run, record)
            backend.log({"global_step": record.step, **numbers}, step=record.step)

    def _send_epoch(self, backend: Backend, record: EpochRecord) -> None:
        if record.epoch > self._state.epoch:
            numbers = {_grouped(tag): value for tag, value in epoch_scalars(self._run, record).items()}
            backend.log({"epoch": record.epoch, **numbers}, step=record.step)
            self._state.epoch = record.epoch
            self._save_state()

    def _save_state(self) -> None:
        replace_bytes(self._folder / STATE_FILE, encode_pretty(self._state))

    def _read_state(self) -> _State | None:
        """Return how far the same tracker got in an earlier attempt, None where there was none."""
        try:
            state = msgspec.json.decode((self._folder / STATE_FILE).read_bytes(), type=_State)
        except (OSError, msgspec.DecodeError):
            return None
        same = (state.backend, state.run_id) == (self._state.backend, self._state.run_id)
        return state if same else None


def _grouped(tag: str) -> str:
    """Return the tag with the shares beside the weighted values."""
    group, _, name = tag.partition("/")
    return f"loss_breakdown/{name}_share" if group == "loss_share" else tag
