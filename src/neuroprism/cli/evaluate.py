"""`neuroprism evaluate`: how good a trained ABR network is, beside simple methods and the ceiling."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuroprism.cli.trained_options import (
    CheckpointArgument,
    DeviceOption,
    ProgressOption,
    WeightsOption,
    read_network,
)
from neuroprism.core.errors import DataError
from neuroprism.core.text_table import text_table

if TYPE_CHECKING:
    from neuroprism.abr.evaluation import Evaluated
    from neuroprism.abr.evaluation.material import Material

DATA = "evaluation.json"
REPORT = "report.md"
FIGURES = "figures"


def evaluate(
    checkpoint: CheckpointArgument,
    out: Annotated[
        Path,
        typer.Argument(help="Folder for report, numbers and figures.", metavar="OUT", show_default=False),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Recordings (.npz) to measure on instead of the run's own; patients of training and "
            "selection are left out.",
            metavar="FILE",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Of the run's own recordings: test, val or train.", metavar="NAME")
    ] = "test",
    training: Annotated[
        Path | None,
        typer.Option(help="The run's own recordings, where they are no longer in place.", metavar="FILE"),
    ] = None,
    ceiling: Annotated[
        int,
        typer.Option(
            help="Recordings that the ideal observer answers for (simulated recordings only); 0: none.",
            min=0,
            metavar="N",
        ),
    ] = 100,
    generate: Annotated[
        int, typer.Option(help="Recordings to generate and judge; 0: none.", min=0, metavar="N")
    ] = 512,
    denoise: Annotated[
        int,
        typer.Option(
            help="Recordings to denoise at stated ratios of noise (simulated recordings only); 0: none.",
            min=0,
            metavar="N",
        ),
    ] = 200,
    steps: Annotated[int, typer.Option(help="DDIM steps to generate with.", min=1, metavar="N")] = 50,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.", min=0, metavar="S")] = 0,
    weights: WeightsOption = "selected",
    device: DeviceOption = "cpu",
    *,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures.")] = True,
    progress: ProgressOption = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier evaluation.")] = False,
) -> None:
    """Evaluate a trained ABR network: every number beside simple methods, with its interval."""
    from neuroprism.abr.evaluation import EvaluationSettings, GenerationSettings, gather
    from neuroprism.abr.evaluation import evaluate as measure
    from neuroprism.abr.sampling import SamplerSettings

    _require_place(out, overwrite=overwrite)
    trained = read_network(checkpoint, device=device, weights=weights)
    wanted = None
    if generate:
        wanted = GenerationSettings(n=generate, sampler=SamplerSettings(steps=steps), seed=seed)
    material = gather(trained, data=data, split=split, training=training)
    evaluated = measure(
        trained,
        material,
        EvaluationSettings(n_ceiling=ceiling, n_denoising=denoise, generation=wanted, seed=seed),
        progress=progress and sys.stderr.isatty(),
        say=lambda line: typer.echo(line, err=True),
    )
    _write(evaluated, material, out, figures=figures)
    _show(evaluated, out)


def _require_place(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that cannot be written as asked, before anything is computed."""
    try:
        if out.exists() and not out.is_dir():
            raise DataError(f"{out} is a file; name a folder for the evaluation, e.g. evaluation")
        if (out / DATA).exists() and not overwrite:
            raise DataError(f"{out / DATA} exists; replace it with --overwrite")
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror or error}") from None


def _write(evaluated: Evaluated, material: Material, out: Path, *, figures: bool) -> None:
    from neuroprism.abr.evaluation.drawings import drawings
    from neuroprism.abr.evaluation.report import report
    from neuroprism.core import strict_json
    from neuroprism.core.output_file import write_output
    from neuroprism.figures import save_figure

    drawn = {}
    if figures:
        for drawing in drawings(evaluated, material.test):
            place = f"{FIGURES}/{drawing.name}.png"
            try:
                save_figure(drawing.figure, out / place)
            except OSError as error:
                raise DataError(f"cannot write {out / place}: {error.strerror or error}") from None
            drawn[drawing.text] = place
    write_output(out / REPORT, report(evaluated.result, drawn).encode())
    write_output(out / DATA, strict_json.encode_pretty(evaluated.result))


def _show(evaluated: Evaluated, out: Path) -> None:
    from neuroprism.abr.evaluation.report import OVERVIEW, overview

    typer.echo(text_table(OVERVIEW, overview(evaluated.result)))
    typer.echo(f"\nReport: {out / REPORT}")
    typer.echo(f"Numbers: {out / DATA}")
    typer.echo(evaluated.result.statement)
