"""`neuroprism finetune`: fine-tune an EEG network and log everything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neuroprism.cli.options import Assignments, ConfigFile, load_config
from neuroprism.core.errors import ConfigError

DEFAULT_WEIGHTS = Path("pretrained_weights/pretrained_EEGMamba.pth")
"""Where the released weights are looked for when only `--use_pretrained_weights` is given."""


def finetune(
    config: ConfigFile = None,
    downstream_dataset: Annotated[
        str | None, typer.Option("--downstream_dataset", help="data.dataset", metavar="NAME")
    ] = None,
    datasets_dir: Annotated[
        Path | None, typer.Option("--datasets_dir", help="data.store: folder of `neuroprism prepare`")
    ] = None,
    model_dir: Annotated[
        Path | None, typer.Option("--model_dir", help="Folder of the run.", metavar="DIR")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="model.backbone: eegmamba, eegnet or package.module:Class")
    ] = None,
    classifier: Annotated[str | None, typer.Option(help="model.classifier", metavar="HEAD")] = None,
    num_of_classes: Annotated[
        int | None, typer.Option("--num_of_classes", help="Checked against the declared classes.")
    ] = None,
    foundation_dir: Annotated[
        Path | None, typer.Option("--foundation_dir", help="model.pretrained: weights of the backbone")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="reproducibility.seed")] = None,
    seeds: Annotated[
        list[int] | None, typer.Option(help="Repeat with these seeds, in folders of MODEL_DIR.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="hardware.device: auto, cpu, cuda, cuda:1, mps")] = None,
    cuda: Annotated[int | None, typer.Option(help="Number of the GPU, as hardware.device=cuda:N.")] = None,
    epochs: Annotated[int | None, typer.Option(help="training.epochs")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch_size", help="data.dataloader.batch_size")] = None,
    lr: Annotated[float | None, typer.Option(help="training.optimizer.learning_rate")] = None,
    weight_decay: Annotated[
        float | None, typer.Option("--weight_decay", help="training.optimizer.weight_decay")
    ] = None,
    optimizer: Annotated[str | None, typer.Option(help="training.optimizer.type: AdamW, SGD, Adam")] = None,
    clip_value: Annotated[
        float | None, typer.Option("--clip_value", help="training.gradient_clip; 0 = not clipped")
    ] = None,
    dropout: Annotated[float | None, typer.Option(help="model.dropout")] = None,
    label_smoothing: Annotated[
        float | None, typer.Option("--label_smoothing", help="loss.label_smoothing")
    ] = None,
    num_workers: Annotated[
        int | None, typer.Option("--num_workers", help="data.dataloader.num_workers")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log_level", help="logging.level of the console", metavar="LEVEL")
    ] = None,
    assignments: Assignments = None,
    *,
    multi_lr: Annotated[
        bool | None,
        typer.Option("--multi_lr/--no-multi_lr", help="Head at 5 times the rate, or the same."),
    ] = None,
    frozen: Annotated[
        bool | None, typer.Option("--frozen/--no-frozen", help="model.frozen: train the head only.")
    ] = None,
    use_pretrained_weights: Annotated[
        bool | None,
        typer.Option(
            "--use_pretrained_weights/--no-use_pretrained_weights",
            help=f"Weights from --foundation_dir, or {DEFAULT_WEIGHTS}.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run from its last checkpoint.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing run.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print warnings and alerts only.")] = False,
    fast_dev_run: Annotated[
        bool, typer.Option("--fast_dev_run", help="Two epochs of two steps: does everything run?")
    ] = False,
    overfit_batch: Annotated[
        bool, typer.Option("--overfit_batch", help="Train on one batch again and again: can it be learnt?")
    ] = False,
) -> None:
    """Fine-tune an EEG network on a prepared dataset; everything is logged in `--model_dir`."""
    from neuroprism.eeg.config import EegConfig

    flags: dict[str, Any] = {
        "data.dataset": downstream_dataset,
        "data.store": None if datasets_dir is None else str(datasets_dir),
        "model.backbone": backbone,
        "model.classifier": classifier,
        "model.frozen": frozen,
        "model.dropout": dropout,
        "model.head_lr_factor": 1.0 if multi_lr is False else None,
        "reproducibility.seed": seed,
        "hardware.device": _device(device, cuda),
        "training.epochs": epochs,
        "data.dataloader.batch_size": batch_size,
        "data.dataloader.num_workers": num_workers,
        "training.optimizer.type": optimizer and optimizer.lower(),
        "training.optimizer.learning_rate": lr,
        "training.optimizer.weight_decay": weight_decay,
        "loss.label_smoothing": label_smoothing,
        "logging.level": log_level and log_level.upper(),
    }
    assignments = list(assignments or ())
    if clip_value is not None:
        assignments.append(f"training.gradient_clip={clip_value if clip_value else 'null'}")
    weights = _weights(foundation_dir, use=use_pretrained_weights)
    if weights is not None:
        assignments.append(f"model.pretrained={weights}")
    resolved = load_config(EegConfig, config, flags, assignments)

    # The trainer and the readers are loaded only once the configuration is known to be right.
    from neuroprism.cli.eeg_run import finetune_with_seeds
    from neuroprism.cli.run_mode import RunMode
    from neuroprism.core.launch import is_first_process
    from neuroprism.eeg.catalog import datasets
    from neuroprism.train.modes import fast_dev_run as cut_short

    _check_classes(num_of_classes, resolved.data.dataset, datasets[resolved.data.dataset].spec)
    if fast_dev_run:
        resolved = resolved.model_copy(update={"training": cut_short(resolved.training)})
    mode = RunMode(
        resume=resume, overwrite=overwrite, quiet=quiet, short=fast_dev_run, one_batch=overfit_batch
    )
    folder = model_dir or Path(resolved.logging.log_dir) / resolved.data.dataset
    summary = finetune_with_seeds(resolved, folder, mode, seeds=seeds or ())
    if not quiet and is_first_process():
        typer.echo(summary)


def _device(device: str | None, cuda: int | None) -> str | None:
    if cuda is None:
        return device
    if device is not None:
        raise ConfigError("--device and --cuda name the device twice; give one")
    return f"cuda:{cuda}"


def _weights(path: Path | None, *, use: bool | None) -> str | None:
    """Return the value of model.pretrained that the two flags stand for; None: neither was given."""
    if use is False:
        if path is not None:
            raise ConfigError("--foundation_dir names weights that --use_pretrained_weights false declines")
        return "null"
    if use is None and path is None:
        return None
    return str(path or DEFAULT_WEIGHTS)


def _check_classes(given: int | None, name: str, spec: Any) -> None:
    if given is None:
        return
    declared = len(spec.class_names)
    # Earlier scripts give 1 for regression and either 1 or 2 for binary tasks.
    if given not in {"multiclass": {declared}, "binary": {1, 2}, "regression": {1}}[spec.task]:
        raise ConfigError(f"--num_of_classes {given}: {name} is {spec.task} with {declared or 'no'} classes")
