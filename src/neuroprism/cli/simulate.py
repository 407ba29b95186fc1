"""`neuroprism simulate`: make recordings with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroprism.cli.free_path import free_path
from neuroprism.core.config import load
from neuroprism.core.errors import DataError

app = typer.Typer(help="Make recordings with known truth.", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def _simulate() -> None:
    """Make recordings with known truth."""


@app.command("abr")
def simulate_abr(
    out: Annotated[Path, typer.Argument(help="File to write, e.g. recordings.npz.", metavar="OUT")],
    patients: Annotated[int | None, typer.Option(help="Number of patients.", metavar="N")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn.", metavar="S")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Share of the classes: clinical or balanced.", metavar="PRESET")
    ] = None,
    window_ms: Annotated[
        float | None, typer.Option("--window-ms", help="Length of a recording: 10, 12.8 or 15 ms.")
    ] = None,
    polarity: Annotated[
        str | None, typer.Option(help="Clicks: alternating or separate.", metavar="POLARITY")
    ] = None,
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Simulate auditory brainstem responses with their true waves, thresholds and classes."""
    from neuroprism.abr.simulate import SimulationConfig, simulate
    from neuroprism.abr.source import describe_masks
    from neuroprism.abr.store import save_recordings, schema_path

    flags = {
        "n_patients": patients,
        "seed": seed,
        "preset": preset,
        "window_ms": window_ms,
        "polarity": polarity,
    }
    config = load(
        SimulationConfig,
        overrides=[(name, value, "command line") for name, value in flags.items() if value is not None],
    )
    path = free_path(out, overwrite=overwrite)
    recordings = simulate(config)
    save_recordings(path, recordings)
    typer.echo(f"{len(recordings):,} recordings of {recordings.n_patients:,} patients: {path}")
    typer.echo(f"Schema with units: {schema_path(path)}")
    typer.echo("Classes: " + ", ".join(f"{name} {n:,}" for name, n in recordings.class_counts().items()))
    typer.echo(describe_masks(recordings))


@app.command("eeg")
def simulate_eeg(
    name: Annotated[str, typer.Argument(help="Dataset; `neuroprism datasets` lists them.", metavar="NAME")],
    out: Annotated[Path, typer.Argument(help="Folder to write; new or empty.", metavar="OUT")],
    subjects: Annotated[int, typer.Option(help="Number of subjects, at least 3.", metavar="N")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.", metavar="S")] = 0,
) -> None:
    """Simulate raw EEG recordings of a dataset in its own format, with rhythms that tell the classes."""
    from neuroprism.eeg.simulate import simulate_raw

    try:
        simulate_raw(name, out, n_subjects=subjects, seed=seed)
        sizes = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror or error}") from None
    typer.echo(f"{len(sizes):,} files of {subjects} subjects, {sum(sizes) / 1e6:,.1f} MB: {out}")
