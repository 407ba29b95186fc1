"""`neuroprism train`: train an ABR model and watch every component of its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuroprism.cli.options import Assignments, ConfigFile, load_abr

if TYPE_CHECKING:
    from neuroprism.train.trainer import FitResult


def train(
    config: ConfigFile = None,
    experiment: Annotated[
        str | None, typer.Option(help="Name of the run; its folder in logging.log_dir.", metavar="NAME")
    ] = None,
    assignments: Assignments = None,
    epochs: Annotated[int | None, typer.Option(help="training.epochs")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch_size", help="data.dataloader.batch_size")] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning_rate", help="training.optimizer.learning_rate")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="hardware.device: auto, cpu, cuda, cuda:1 or mps", metavar="DEVICE")
    ] = None,
    num_workers: Annotated[
        int | None, typer.Option("--num_workers", help="data.dataloader.num_workers")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log_level", help="logging.level of the console", metavar="LEVEL")
    ] = None,
    *,
    mixed_precision: Annotated[
        bool, typer.Option("--mixed_precision", help="hardware.mixed_precision=true")
    ] = False,
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
    """Train an ABR model; every loss component is shown, recorded and drawn."""
    flags: dict[str, Any] = {
        "training.epochs": epochs,
        "data.dataloader.batch_size": batch_size,
        "training.optimizer.learning_rate": learning_rate,
        "hardware.device": device,
        "data.dataloader.num_workers": num_workers,
        "logging.level": log_level and log_level.upper(),
        "hardware.mixed_precision": True if mixed_precision else None,
    }
    resolved = load_abr(config, flags, assignments)

    # The trainer and the figures are loaded only once the configuration is known to be right.
    from neuroprism.cli.abr_run import train_abr
    from neuroprism.cli.run_mode import RunMode
    from neuroprism.core.launch import is_first_process
    from neuroprism.train.modes import fast_dev_run as cut_short

    if fast_dev_run:
        resolved = resolved.model_copy(update={"training": cut_short(resolved.training)})
    mode = RunMode(
        resume=resume, overwrite=overwrite, quiet=quiet, short=fast_dev_run, one_batch=overfit_batch
    )
    if experiment is None:
        experiment = config.stem if config else "abr"
    result = train_abr(resolved, experiment, mode)
    if not quiet and is_first_process():
        typer.echo(_summary(result))


def _summary(result: FitResult) -> str:
    epochs = f"{result.n_epochs} epoch{'s' * (result.n_epochs != 1)}"
    lines = [f"Trained {epochs}, {result.n_steps:,} steps."]
    if result.stopped_early:
        lines.append("Stopped early: the criterion did not improve any more.")
    if result.best_path is not None:
        folder = result.best_path.parent.parent
        lines.append(f"Best epoch {result.best_epoch}: {result.best_path}")
        figure = folder / "figures" / "training_progress.png"
        if figure.exists():
            lines.append(f"Figure: {figure}")
        if any(folder.glob("events.out.tfevents.*")):
            lines.append(f"TensorBoard: tensorboard --logdir {folder}")
    return "\n".join(lines)
