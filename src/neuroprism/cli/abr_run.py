"""An ABR training run: data, task, monitor and trainer put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from neuroprism.abr.config import AbrConfig
from neuroprism.abr.dataset import AbrDataset, as_is
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.scaler import AbrScaler
from neuroprism.abr.source import Source, describe_masks, obtain
from neuroprism.abr.splits import (
    SPLIT_FILE,
    Manifest,
    Split,
    make_manifest,
    split_by_patient,
    write_manifest,
)
from neuroprism.abr.task import AbrTask
from neuroprism.cli.run_mode import RunMode
from neuroprism.cli.run_monitor import open_monitor, recorded
from neuroprism.cli.run_start import check_position, check_start, use_hardware
from neuroprism.core.config import config_hash, to_dict
from neuroprism.core.errors import DataError, RunError
from neuroprism.core.files import writing_into
from neuroprism.monitor import Monitor
from neuroprism.train.checkpoint import Checkpoint, load_weights
from neuroprism.train.data_order import make_loader
from neuroprism.train.modes import FirstBatches, RepeatedBatch
from neuroprism.train.plan import steps_per_epoch
from neuroprism.train.processes import Processes, process_group
from neuroprism.train.seed import seed_everything
from neuroprism.train.trainer import FitResult, Trainer
from neuroprism.train.validation import check_criterion


def train_abr(config: AbrConfig, experiment: str, mode: RunMode) -> FitResult:
    """Train as configured into ``<logging.log_dir>/<experiment>``.

    Raises
    ------
    UserError
        If configuration, data and folder do not fit together; nothing was trained then.
    TrainingError
        If training could not go on.
    """
    folder = run_folder(config.logging.log_dir, experiment)
    with process_group(config.hardware) as processes:
        with processes.agreeing():
            run = _prepare(config, folder, mode, processes)
        return _train(config, run, processes)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Everything that a run needs, made and checked before a file is written."""

    folder: Path
    source: Source
    manifest: Manifest
    data: _Data
    task: AbrTask
    checkpoint: Checkpoint | None
    monitor: Monitor


def _prepare(config: AbrConfig, folder: Path, mode: RunMode, processes: Processes) -> _Run:
    checkpoint = check_start(folder, mode, processes)
    if checkpoint is not None:
        _check_same_run(checkpoint, to_dict(config))
    device = use_hardware(config.hardware)
    seed_everything(config.reproducibility)
    source = obtain(config.data)
    split = split_by_patient(source.recordings, config.data.splits)
    scaler = AbrScaler.fit(source.recordings.select(split.train))
    data = _Data(config, source.recordings, split, scaler, mode, device)
    if checkpoint is not None:
        _check_same_data(checkpoint, scaler)
        check_position(checkpoint, data.train_batches, config.training)
    task = AbrTask(config, scaler, training=data.train.everything, validation=data.val.everything)
    check_criterion(task, config.training)
    # Everything that the user can have got wrong is known by now: from here on files are written.
    if processes.first:
        source.keep()
    n_steps = steps_per_epoch(data.train_batches, config.training)
    return _Run(
        folder=folder,
        source=source,
        manifest=make_manifest(split, source.recordings, config.data.splits),
        data=data,
        task=task,
        checkpoint=checkpoint,
        monitor=open_monitor(config, folder, task, steps_per_epoch=n_steps, mode=mode, checkpoint=checkpoint),
    )


def _train(config: AbrConfig, run: _Run, processes: Processes) -> FitResult:
    task, data = run.task, run.data
    with run.monitor as monitor:
        lines = (run.source.origin, _describe(run.manifest), describe_masks(run.source.recordings))
        for line in (*lines, _describe_model(task), *_describe_balancing(config)):
            monitor.note(line)
        processes.from_first(lambda: _write_split(run))
        trainer = Trainer(
            config.training,
            hardware=config.hardware,
            reproducibility=config.reproducibility,
            monitor=monitor,
            folder=run.folder,
            histogram_every_n_epochs=config.logging.histogram_every_n_epochs or None,
            gradients_every_n_steps=config.monitoring.gradients.every_n_steps,
            run_config=recorded(config),
        )
        result = trainer.fit(task, data.train_batches, data.val_batches, resume=run.checkpoint)
        processes.from_first(lambda: _test(task, data.test_batches, result, monitor))
    return result


def _write_split(run: _Run) -> None:
    with writing_into(run.folder):
        write_manifest(run.folder / SPLIT_FILE, run.manifest)


def run_folder(log_dir: str, experiment: str) -> Path:
    """Return the folder of a run.

    Raises
    ------
    RunError
        If the name of the experiment would lead elsewhere.
    """
    if not experiment or experiment != Path(experiment).name or experiment.startswith("."):
        raise RunError(f"--experiment {experiment!r} must be a plain name without folders")
    if experiment != experiment.strip():
        raise RunError(f"--experiment '{experiment}' must not begin or end with a space")
    return Path(log_dir) / experiment


class _Data:
    """The three splits, as data sets and as batches."""

    def __init__(
        self,
        config: AbrConfig,
        recordings: AbrRecordings,
        split: Split,
        scaler: AbrScaler,
        mode: RunMode,
        device: str,
    ) -> None:
        target = config.data.signal_target
        self._config, self._mode, self._device = config, mode, device
        self.train = AbrDataset(recordings, split.train, scaler, signal_target=target)
        self.val = AbrDataset(recordings, split.val, scaler, signal_target=target)
        self.train_batches = self._train_loader()
        self.val_batches = self._whole(self.val)
        self.test_batches: Iterable[Any] | None = None
        if len(split.test):
            self.test_batches = self._whole(AbrDataset(recordings, split.test, scaler, signal_target=target))

    def _train_loader(self) -> Any:
        loader = self._loader(self.train, training=True)
        return RepeatedBatch(loader) if self._mode.one_batch else loader

    def _whole(self, dataset: AbrDataset) -> Iterable[Any]:
        loader = self._loader(dataset, training=False)
        return FirstBatches(loader, 2) if self._mode.short else loader

    def _loader(self, dataset: AbrDataset, *, training: bool) -> DataLoader[Any]:
        return make_loader(
            dataset,
            self._config.data.dataloader,
            training=training,
            seed=self._config.reproducibility.seed,
            collate=as_is,
            device=self._device,
        )


def _check_same_run(checkpoint: Checkpoint, resolved: dict[str, Any]) -> None:
    """Refuse to go on with other data or another network; everything else may change."""
    for section in ("data", "model", "diffusion"):
        before, now = checkpoint.config.get(section), resolved[section]
        if section == "data":
            before = {k: v for k, v in (before or {}).items() if k not in ("cache_dir", "dataloader")}
            now = {k: v for k, v in now.items() if k not in ("cache_dir", "dataloader")}
        if config_hash({"": before}) != config_hash({"": now}):
            raise RunError(f"cannot resume: the section '{section}' differs from that of the run")
    optimizer = checkpoint.config["training"]["optimizer"]["type"]
    if optimizer != resolved["training"]["optimizer"]["type"]:
        raise RunError(f"cannot resume: training.optimizer.type is not '{optimizer}' as in the run")
    if checkpoint.task != resolved["project"]["name"]:
        raise RunError(f"cannot resume: project.name is not '{checkpoint.task}' as in the run")


def _check_same_data(checkpoint: Checkpoint, scaler: AbrScaler) -> None:
    """Refuse a data file that was replaced since."""
    if checkpoint.task_state.get("scaler") != scaler.state_dict():
        raise RunError("cannot resume: the recordings differ from those of the run")


def _describe(manifest: Manifest) -> str:
    parts = [
        f"{name} {manifest.recordings[name]:,} recordings of {len(patients):,} patients"
        for name, patients in manifest.patients.items()
        if patients
    ]
    return "Split by patient: " + ", ".join(parts)


def _describe_model(task: AbrTask) -> str:
    n_parameters = sum(parameter.numel() for parameter in task.model.parameters())
    return f"Model: {type(task.model).__name__}, {n_parameters:,} parameters"


def _describe_balancing(config: AbrConfig) -> list[str]:
    name = config.loss.balancing
    if name == "fixed":
        return []
    return [f"Weights of the loss follow the training ({name}); validation totals have those of loss.weights"]


def _test(task: AbrTask, batches: Iterable[Any] | None, result: FitResult, monitor: Monitor) -> None:
    """Evaluate the selected weights on the test split, once, after every choice was made."""
    if batches is None or result.best_path is None:
        return
    try:
        load_weights(task.model, result.selected())
    except DataError as error:
        monitor.note(f"No test results: {error}", severity="warning")
        return
    task.model.cpu().eval()
    with torch.no_grad():
        evaluation = task.evaluate(task.model, batches)
    monitor.test(losses=evaluation.losses, metrics=evaluation.metrics, best_epoch=result.best_epoch)
