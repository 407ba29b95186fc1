"""`neuroprism finetune`: fine-tune an EEG network and log everything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neuroprism.cli.options import Assignments, ConfigFile, load_config
from neuroprism.core.errors import ConfigError
from neuroprism.eeg.released_weights import RELEASED_NAME

DEFAULT_WEIGHTS = Path("pretrained_weights") / RELEASED_NAME
"""Where the released weights are looked for when only `--use_pretrained_weights` is given."""

KEYS = {
    "downstream_dataset": "data.dataset",
    "datasets_dir": "data.store",
    "backbone": "model.backbone",
    "classifier": "model.classifier",
    "frozen": "model.frozen",
    "dropout": "model.dropout",
    "seed": "reproducibility.seed",
    "epochs": "training.epochs",
    "batch_size": "data.dataloader.batch_size",
    "num_workers": "data.dataloader.num_workers",
    "lr": "training.optimizer.learning_rate",
    "weight_decay": "training.optimizer.weight_decay",
    "label_smoothing": "loss.label_smoothing",
}
"""Configuration key that a flag of the same meaning sets."""

Name = Annotated[str | None, typer.Option("--downstream_dataset", help="data.dataset", metavar="NAME")]
Store = Annotated[str | None, typer.Option("--datasets_dir", help="data.store, of `neuroprism prepare`")]
Folder = Annotated[Path | None, typer.Option("--model_dir", help="Folder of the run.", metavar="DIR")]
Backbone = Annotated[str | None, typer.Option(help="eegmamba, eegnet or package.module:Class")]
Classifier = Annotated[str | None, typer.Option(help="model.classifier", metavar="HEAD")]
Classes = Annotated[int | None, typer.Option("--num_of_classes", help="Checked against the declaration.")]
Weights = Annotated[Path | None, typer.Option("--foundation_dir", help="Weights of the backbone.")]
Seed = Annotated[int | None, typer.Option(help="reproducibility.seed")]
Seeds = Annotated[list[int] | None, typer.Option(help="Repeat with these seeds, in folders of DIR.")]
Device = Annotated[str | None, typer.Option(help="hardware.device: auto, cpu, cuda, cuda:1, mps")]
Cuda = Annotated[int | None, typer.Option(help="Number of the GPU: hardware.device=cuda:N.")]
Epochs = Annotated[int | None, typer.Option(help="training.epochs")]
BatchSize = Annotated[int | None, typer.Option("--batch_size", help="data.dataloader.batch_size")]
Rate = Annotated[float | None, typer.Option(help="training.optimizer.learning_rate")]
Decay = Annotated[float | None, typer.Option("--weight_decay", help="training.optimizer.weight_decay")]
Optimizer = Annotated[str | None, typer.Option(help="training.optimizer.type: AdamW, SGD or Adam")]
Clip = Annotated[float | None, typer.Option("--clip_value", help="training.gradient_clip; 0 = not clipped")]
Dropout = Annotated[float | None, typer.Option(help="model.dropout")]
Smoothing = Annotated[float | None, typer.Option("--label_smoothing", help="loss.label_smoothing")]
Workers = Annotated[int | None, typer.Option("--num_workers", help="data.dataloader.num_workers")]
Level = Annotated[str | None, typer.Option("--log_level", help="logging.level", metavar="LEVEL")]
MultiRate = Annotated[
    bool | None, typer.Option("--multi_lr/--no-multi_lr", help="Head at 5 times the rate, or the same.")
]
Frozen = Annotated[bool | None, typer.Option("--frozen/--no-frozen", help="Train the head only.")]
UseWeights = Annotated[
    bool | None,
    typer.Option(
        "--use_pretrained_weights/--no-use_pretrained_weights",
        help=f"Weights from --foundation_dir, or {DEFAULT_WEIGHTS}.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run from its last checkpoint.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing run.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print warnings and alerts only.")]
Fast = Annotated[bool, typer.Option("--fast_dev_run", help="Two epochs of two steps: does it run?")]
OneBatch = Annotated[bool, typer.Option("--overfit_batch", help="One batch again and again: is it learnt?")]


def finetune(
    context: typer.Context,
    config: ConfigFile = None,
    downstream_dataset: Name = None,
    datasets_dir: Store = None,
    model_dir: Folder = None,
    backbone: Backbone = None,
    classifier: Classifier = None,
    num_of_classes: Classes = None,
    foundation_dir: Weights = None,
    seed: Seed = None,
    seeds: Seeds = None,
    device: Device = None,
    cuda: Cuda = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: Rate = None,
    weight_decay: Decay = None,
    optimizer: Optimizer = None,
    clip_value: Clip = None,
    dropout: Dropout = None,
    label_smoothing: Smoothing = None,
    num_workers: Workers = None,
    log_level: Level = None,
    assignments: Assignments = None,
    *,
    multi_lr: MultiRate = None,
    frozen: Frozen = None,
    use_pretrained_weights: UseWeights = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    fast_dev_run: Fast = False,
    overfit_batch: OneBatch = False,
) -> None:
    """Fine-tune an EEG network on a prepared dataset; everything is logged in `--model_dir`."""
    from neuroprism.cli.run_mode import RunMode
    from neuroprism.eeg.config import EegConfig

    # The type first: the options of another optimizer would not survive it.
    flags: dict[str, Any] = {"training.optimizer.type": optimizer and optimizer.lower()}
    flags |= {key: context.params[name] for name, key in KEYS.items()}
    flags |= {
        "hardware.device": _device(device, cuda),
        "logging.level": log_level and log_level.upper(),
        "model.head_lr_factor": 1.0 if multi_lr is False else None,
    }
    further = [*_clip(clip_value), *_weights(foundation_dir, use=use_pretrained_weights)]
    resolved = load_config(EegConfig, config, flags, [*(assignments or ()), *further])
    mode = RunMode(
        resume=resume, overwrite=overwrite, quiet=quiet, short=fast_dev_run, one_batch=overfit_batch
    )
    _run(resolved, mode, folder=model_dir, seeds=seeds or [], n_classes=num_of_classes)


def _run(config: Any, mode: Any, *, folder: Path | None, seeds: list[int], n_classes: int | None) -> None:
    # The trainer and the readers are loaded only once the configuration is known to be right.
    from neuroprism.cli.eeg_run import finetune_with_seeds
    from neuroprism.core.launch import is_first_process
    from neuroprism.eeg.catalog import datasets
    from neuroprism.train.modes import fast_dev_run

    name = config.data.dataset
    _check_classes(n_classes, name, datasets[name].spec)
    if mode.short:
        config = config.model_copy(update={"training": fast_dev_run(config.training)})
    summary = finetune_with_seeds(config, folder or Path(config.logging.log_dir) / name, mode, seeds=seeds)
    if not mode.quiet and is_first_process():
        typer.echo(summary)


def _device(device: str | None, cuda: int | None) -> str | None:
    if cuda is None:
        return device
    if device is not None:
        raise ConfigError("--device and --cuda name the device twice; give one")
    return f"cuda:{cuda}"


def _clip(limit: float | None) -> list[str]:
    return [] if limit is None else [f"training.gradient_clip={limit or 'null'}"]


def _weights(path: Path | None, *, use: bool | None) -> list[str]:
    """Return the setting of model.pretrained that the two flags stand for."""
    if use is False:
        if path is not None:
            raise ConfigError("--foundation_dir names weights that --use_pretrained_weights false declines")
        return ["model.pretrained=null"]
    if use is None and path is None:
        return []
    return [f"model.pretrained={path or DEFAULT_WEIGHTS}"]


def _check_classes(given: int | None, name: str, spec: Any) -> None:
    if given is None:
        return
    declared = len(spec.class_names)
    # Earlier scripts give 1 for regression and either 1 or 2 for binary tasks.
    if given not in {"multiclass": {declared}, "binary": {1, 2}, "regression": {1}}[spec.task]:
        raise ConfigError(f"--num_of_classes {given}: {name} is {spec.task} with {declared or 'no'} classes")
