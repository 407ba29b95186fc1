"""`neuroprism generate`: new recordings from a trained network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuroprism.cli.trained_options import (
    CheckpointArgument,
    DeviceOption,
    ProgressOption,
    WeightsOption,
    read_network,
)
from neuroprism.core.errors import DataError, UserError

if TYPE_CHECKING:
    from neuroprism.abr.conditions import Conditions
    from neuroprism.abr.generation import Generated
    from neuroprism.abr.trained import TrainedAbr

N_DEFAULT = 100
Range = tuple[float, float]
LatencyRange = Annotated[
    Range | None,
    typer.Option("--latency-range", help="Draw again where wave V lies outside.", metavar="MS MS"),
]
AmplitudeRange = Annotated[
    Range | None,
    typer.Option("--amplitude-range", help="Draw again where wave V lies outside.", metavar="UV UV"),
]
Smoothing = Annotated[
    float | None, typer.Option("--smooth-ms", help="SD of a Gaussian to smooth with.", metavar="MS")
]


def generate(
    checkpoint: CheckpointArgument,
    out: Annotated[
        Path, typer.Argument(help="File to write: .npz or .csv.", metavar="OUT", show_default=False)
    ],
    n: Annotated[
        int | None,
        typer.Option("--n", help="Recordings; 100, or one for each row of --conditions.", min=1, metavar="N"),
    ] = None,
    age: Annotated[float | None, typer.Option(help="Age of all, years.", metavar="YEARS")] = None,
    intensity: Annotated[float | None, typer.Option(help="Level of all, dB nHL.", metavar="DB")] = None,
    rate: Annotated[float | None, typer.Option(help="Stimuli per second of all.", metavar="HZ")] = None,
    conditions: Annotated[
        Path | None,
        typer.Option(help="Table (.csv) with the columns age, intensity, rate.", metavar="FILE"),
    ] = None,
    guidance: Annotated[
        float, typer.Option(help="1: as trained; above: the condition counts more; 0: no condition.")
    ] = 1.0,
    sampler: Annotated[str, typer.Option(help="ddim or ddpm.", metavar="NAME")] = "ddim",
    steps: Annotated[
        int | None, typer.Option(help="Steps; 50 for ddim, every noise level for ddpm.", metavar="N")
    ] = None,
    eta: Annotated[float, typer.Option(help="Share of fresh noise in ddim, 0 to 1.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.", min=0, metavar="S")] = 0,
    batch_size: Annotated[
        int, typer.Option("--batch-size", help="Recordings drawn together.", min=1, metavar="N")
    ] = 64,
    latency_range: LatencyRange = None,
    amplitude_range: AmplitudeRange = None,
    smooth_ms: Smoothing = None,
    weights: WeightsOption = "selected",
    device: DeviceOption = "cpu",
    *,
    figure: Annotated[bool, typer.Option("--figure/--no-figure", help="Draw them beside OUT.")] = True,
    progress: ProgressOption = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Generate recordings with a trained network; conditions are drawn like those of the training data."""
    from neuroprism.abr.generated_files import check_target, figure_path
    from neuroprism.abr.generation import Constraints
    from neuroprism.abr.generation import generate as draw
    from neuroprism.abr.sampling import SamplerSettings, check_guidance

    check_target(out, overwrite=overwrite)
    chosen: Any = sampler
    settings = SamplerSettings(sampler=chosen, steps=steps, eta=eta, guidance=guidance)
    limits = Constraints(latency_ms=latency_range, amplitude_uv=amplitude_range, smoothing_ms=smooth_ms)
    trained = read_network(checkpoint, device=device, weights=weights)
    check_guidance(trained, guidance)
    fixed = {"age_years": age, "level_db_nhl": intensity, "rate_hz": rate}
    wanted = _conditions(trained, n, conditions, fixed, seed)
    made = draw(
        trained,
        wanted,
        settings,
        seed=seed,
        constraints=limits,
        batch_size=batch_size,
        progress=progress and sys.stderr.isatty(),
    )
    _write(made, out)
    if limits.to_dict():
        said = ", ".join(f"{name} {value}" for name, value in limits.to_dict().items())
        typer.echo(f"Constraints: {said}; {made.redrawn:,} signals were drawn again")
    if figure:
        _draw(made, figure_path(out))


def _conditions(
    trained: TrainedAbr, n: int | None, table: Path | None, fixed: dict[str, float | None], seed: int
) -> Conditions:
    """Return the conditions to generate under; those outside the training data are told."""
    from neuroprism.abr.conditions import draw_conditions, read_conditions, warnings_about

    given = {name: value for name, value in fixed.items() if value is not None}
    if table is not None and given:
        raise UserError("--conditions names all conditions: leave out --age, --intensity and --rate")
    if table is not None:
        found = read_conditions(table, n)
    else:
        found = draw_conditions(trained, n or N_DEFAULT, seed=seed, fixed=given)
    for line in warnings_about(trained, found):
        typer.echo(f"neuroprism: warning: {line}", err=True)
    return found


def _write(made: Generated, out: Path) -> None:
    from neuroprism.abr.generated_files import side_path, write_generated

    write_generated(out, made)
    recordings = made.recordings
    low, high = recordings.level_db_nhl.min(), recordings.level_db_nhl.max()
    typer.echo(f"{len(recordings):,} recordings at {low:g} to {high:g} dB nHL: {out}")
    typer.echo(f"Where they come from: {side_path(out)}")
    counts = ", ".join(f"{name} {n:,}" for name, n in recordings.class_counts().items())
    n_present = int(recordings.v_present.sum())
    typer.echo(f"Labels as the model reads them: wave V in {n_present:,}; {counts}")


def _draw(made: Generated, path: Path) -> None:
    from neuroprism.abr.pictures import generated_traces
    from neuroprism.figures import save_figure

    if made.recordings.signal_unit != "uV":
        typer.echo("No figure: the training data had lost their scale in microvolt")
        return
    try:
        save_figure(generated_traces(made.recordings), path, dpi=150)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    typer.echo(f"Figure: {path}")
