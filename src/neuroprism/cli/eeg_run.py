"""An EEG fine-tuning run: store, task, monitor and trainer put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader

from neuroprism.cli.finetuning_summary import summarise, summarise_seeds
from neuroprism.cli.run_mode import RunMode
from neuroprism.cli.run_monitor import open_monitor, recorded
from neuroprism.cli.run_start import check_position, check_start, use_hardware
from neuroprism.core import strict_json
from neuroprism.core.config import config_hash, to_dict
from neuroprism.core.errors import ConfigError, DataError, RunError
from neuroprism.core.files import replace_bytes, writing_into
from neuroprism.eeg.backbones import build_model
from neuroprism.eeg.classifier import EegModel
from neuroprism.eeg.config import EegConfig
from neuroprism.eeg.dataset import EegDataset, as_is
from neuroprism.eeg.splits import divide, manifest
from neuroprism.eeg.store import EegStore
from neuroprism.eeg.store_index import SPLITS
from neuroprism.eeg.task import EegTask, TestResults
from neuroprism.eeg.trainer import EegTrainer
from neuroprism.monitor import Monitor
from neuroprism.monitor.layout import PREDICTIONS
from neuroprism.train.checkpoint import Checkpoint, load_weights
from neuroprism.train.data_order import make_loader
from neuroprism.train.modes import RepeatedBatch
from neuroprism.train.plan import steps_per_epoch
from neuroprism.train.processes import Processes, process_group
from neuroprism.train.seed import seed_everything
from neuroprism.train.trainer import FitResult
from neuroprism.train.validation import check_criterion

SPLIT_FILE = "split.json"

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """What a fine-tuning run ends with.

    Attributes
    ----------
    folder
        Run folder.
    store
        The data, divided as configured.
    task
        Dataset and network.
    fit
        How training ended.
    test
        Results on the test split; None where it is empty or nothing was selected.
    """

    folder: Path
    store: EegStore
    task: EegTask
    fit: FitResult
    test: TestResults | None


def finetune_with_seeds(config: EegConfig, folder: Path, mode: RunMode, *, seeds: Sequence[int]) -> str:
    """Fine-tune once, or once per seed in folders of `folder`; return the summary for people."""
    if not seeds:
        return summarise(finetune(config, folder, mode))
    if len(set(seeds)) < len(seeds):
        raise ConfigError("--seeds names a seed twice")
    runs = []
    for seed in seeds:
        chosen = config.reproducibility.model_copy(update={"seed": seed})
        repeat = config.model_copy(update={"reproducibility": chosen})
        runs.append(finetune(repeat, folder / f"seed_{seed}", mode))
    return summarise_seeds(runs)


def finetune(config: EegConfig, folder: Path, mode: RunMode) -> Finetuned:
    """Fine-tune as configured into `folder`.

    Raises
    ------
    UserError
        If configuration, data and folder do not fit together; nothing was trained then.
    TrainingError
        If training could not go on.
    """
    with process_group(config.hardware) as processes:
        with processes.agreeing():
            run = _prepare(config, folder, mode, processes)
        return _train(run, processes)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Everything that a run needs, made and checked before a file is written."""

    config: EegConfig
    folder: Path
    store: EegStore
    data: _Data
    task: EegTask
    model: EegModel
    checkpoint: Checkpoint | None
    monitor: Monitor


def _prepare(config: EegConfig, folder: Path, mode: RunMode, processes: Processes) -> _Run:
    checkpoint = check_start(folder, mode, processes)
    device = use_hardware(config.hardware)
    store = divide(_open(config), config.data)
    config = config.model_copy(update={"training": config.training.selecting(store.spec.criterion)})
    if checkpoint is not None:
        _check_same_run(checkpoint, to_dict(config))
    seed_everything(config.reproducibility)
    model = build_model(config.model, store.spec, pretrained=checkpoint is None)
    task = EegTask(
        store.spec,
        model,
        label_smoothing=config.loss.label_smoothing,
        train_y=store.labels[store.indices("train")],
        val_y=store.labels[store.indices("val")],
        data_fingerprint=store.fingerprint(),
    )
    data = _Data(config, store, mode, device)
    if checkpoint is not None:
        _check_same_data(checkpoint, store)
        check_position(checkpoint, data.train, config.training)
    check_criterion(task, config.training)
    # Everything that the user can have got wrong is known by now: from here on files are written.
    n_steps = steps_per_epoch(data.train, config.training)
    return _Run(
        config=config,
        folder=folder,
        store=store,
        data=data,
        task=task,
        model=model,
        checkpoint=checkpoint,
        monitor=open_monitor(config, folder, task, steps_per_epoch=n_steps, mode=mode, checkpoint=checkpoint),
    )


def _train(run: _Run, processes: Processes) -> Finetuned:
    config = run.config
    with run.monitor as monitor:
        for line in _describe(run.store, config, run.model):
            monitor.note(line, severity="warning" if line.startswith("warning: ") else "info")
        processes.from_first(lambda: _write_split(run))
        trainer = EegTrainer(
            run.task,
            config.training,
            hardware=config.hardware,
            reproducibility=config.reproducibility,
            monitor=monitor,
            folder=run.folder,
            histogram_every_n_epochs=config.logging.histogram_every_n_epochs or None,
            gradients_every_n_steps=config.monitoring.gradients.every_n_steps,
            run_config=recorded(config),
        )
        fit = trainer.fit(run.task, run.data.train, run.data.val, resume=run.checkpoint)
        seed = config.reproducibility.seed
        test = processes.from_first(
            lambda: _test(run.task, run.data.test, fit, monitor, run.store, folder=run.folder, seed=seed)
        )
    return Finetuned(folder=run.folder, store=run.store, task=run.task, fit=fit, test=test)


def _write_split(run: _Run) -> None:
    with writing_into(run.folder):
        replace_bytes(run.folder / SPLIT_FILE, strict_json.encode_pretty(manifest(run.store)))


def _open(config: EegConfig) -> EegStore:
    """Open the store, given as its own folder or as the folder above one named like the dataset.

    Raises
    ------
    ConfigError
        If none is configured.
    DataError
        If the folder holds no usable store.
    """
    name, path = config.data.dataset, config.data.store
    if path is None:
        raise ConfigError(
            "no data: give --datasets_dir (data.store), the folder that `neuroprism prepare` wrote"
        )
    inner = path / name
    return EegStore.open(inner if (inner / "card.json").is_file() else path, name)


class _Data:
    """The three splits as batches."""

    def __init__(self, config: EegConfig, store: EegStore, mode: RunMode, device: Any) -> None:
        self._config, self._store, self._device = config, store, device
        train = self._loader(store.indices("train"), training=True)
        self.train: Any = RepeatedBatch(train) if mode.one_batch else train
        self.val = self._whole(store.indices("val"), mode)
        self.test = self._whole(store.indices("test"), mode) if len(store.indices("test")) else None

    def _whole(self, rows: Rows, mode: RunMode) -> Iterable[Any]:
        if mode.short:
            # Spread over the split: the first windows alone often are of one class.
            n = min(len(rows), 2 * self._config.data.dataloader.batch_size)
            rows = rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)]
        return self._loader(rows, training=False)

    def _loader(self, rows: Rows, *, training: bool) -> DataLoader[Any]:
        return make_loader(
            EegDataset(self._store, rows, scaling=self._config.data.scaling),
            self._config.data.dataloader,
            training=training,
            seed=self._config.reproducibility.seed,
            collate=as_is,
            device=self._device,
        )


def _describe(store: EegStore, config: EegConfig, model: EegModel) -> list[str]:
    spec = store.spec
    parts = [
        f"{name} {len(rows):,} windows of {len(set(store.subjects[rows].tolist())):,} subjects"
        for name, rows in ((name, store.indices(name)) for name in SPLITS)
    ]
    scaling = (
        f"microvolt / {spec.preprocessing.scale_uv:g}"
        if config.data.scaling == "declared"
        else "each window standardised"
    )
    kind = "published split" if store.card.is_published_split else "not the published split"
    return [
        f"The downstream dataset is {spec.name}: {spec.task}, {spec.n_channels} channels, "
        f"{spec.n_patches} s windows, {scaling}",
        f"Split {store.card.split_rule} ({kind}): " + ", ".join(parts),
        f"Selection: highest {config.training.early_stopping.monitor}; the first of equal epochs",
        *model.describe(),
    ]


def _check_same_run(checkpoint: Checkpoint, resolved: dict[str, Any]) -> None:
    """Refuse to go on with other data or another network; everything else may change."""
    for section in ("data", "model", "loss"):
        before, now = (
            {k: v for k, v in (content or {}).items() if k not in ("store", "dataloader", "pretrained")}
            for content in (checkpoint.config.get(section), resolved[section])
        )
        if config_hash(before) != config_hash(now):
            raise RunError(f"cannot resume: the section '{section}' differs from that of the run")
    optimizer = checkpoint.config["training"]["optimizer"]["type"]
    if optimizer != resolved["training"]["optimizer"]["type"]:
        raise RunError(f"cannot resume: training.optimizer.type is not '{optimizer}' as in the run")


def _check_same_data(checkpoint: Checkpoint, store: EegStore) -> None:
    """Refuse a store that was replaced since."""
    if checkpoint.task_state.get("store") != store.fingerprint():
        raise RunError("cannot resume: the prepared windows differ from those of the run")


def _test(
    task: EegTask,
    batches: Iterable[Any] | None,
    fit: FitResult,
    monitor: Monitor,
    store: EegStore,
    *,
    folder: Path,
    seed: int,
) -> TestResults | None:
    """Evaluate the selected weights on the test split, once, after every choice was made."""
    if batches is None:
        monitor.note("No test results: no window belongs to the test split", severity="warning")
        return None
    if fit.best_path is None:
        monitor.note("No test results: no epoch was selected", severity="warning")
        return None
    try:
        load_weights(task.model, fit.selected())
    except DataError as error:
        monitor.note(f"No test results: {error}", severity="warning")
        return None
    task.model.cpu().eval()
    with torch.no_grad():
        results = task.test(task.model, batches, subjects=store.subjects, seed=seed)
    try:
        replace_bytes(folder / PREDICTIONS, results.predictions.lines(store))
    except OSError as error:
        monitor.note(f"{PREDICTIONS} was not written: {error.strerror or error}", severity="warning")
    monitor.test(
        losses=results.evaluation.losses,
        metrics=results.evaluation.metrics,
        confusion_matrix=results.confusion_matrix,
        best_epoch=fit.best_epoch,
        intervals={name: (span.low, span.high) for name, span in results.intervals.items()},
        per_subject=results.per_subject,
    )
    return results
