"""`neuroprism predict`: wave V, hearing class and threshold of recordings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuroprism.cli.trained_options import CheckpointArgument, DeviceOption, WeightsOption, read_network
from neuroprism.core.errors import UserError
from neuroprism.core.text_table import text_table

if TYPE_CHECKING:
    from neuroprism.abr.estimate import Estimate
    from neuroprism.abr.predictions import AbrPredictions
    from neuroprism.abr.recordings import AbrRecordings


def predict(
    checkpoint: CheckpointArgument,
    recordings: Annotated[
        Path,
        typer.Argument(
            help="Set of recordings (.npz), or a table of traces (.csv): one row a recording, samples in the "
            "columns 1, 2, 3 and so on.",
            metavar="RECORDINGS",
            show_default=False,
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="File to write: .csv or .json.", metavar="FILE")] = None,
    age: Annotated[float | None, typer.Option(help="Age of all recordings, years.", metavar="YEARS")] = None,
    intensity: Annotated[
        float | None, typer.Option(help="Stimulus level of all recordings, dB nHL.", metavar="DB")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Stimuli per second of all recordings.", metavar="HZ")
    ] = None,
    noise_uv: Annotated[
        float | None,
        typer.Option(
            "--noise-uv", help="SD of the noise left in every average, for --denoise.", metavar="UV"
        ),
    ] = None,
    sample_rate_hz: Annotated[
        float | None, typer.Option("--sample-rate-hz", help="Samples per second of a table.", metavar="HZ")
    ] = None,
    start_ms: Annotated[
        float | None,
        typer.Option(
            "--window-start-ms", help="Time of the first sample of a table; 0 unless given.", metavar="MS"
        ),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of a table: uv (unless given), nv, mv or v.", metavar="UNIT")
    ] = None,
    weights: WeightsOption = "selected",
    device: DeviceOption = "cpu",
    rows: Annotated[int, typer.Option(help="Recordings and ears to show.", min=1, metavar="N")] = 10,
    *,
    denoise: Annotated[
        bool, typer.Option("--denoise", help="Write the denoised traces too; takes longer.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Predict wave V, hearing class and threshold; research software, not a medical device."""
    from neuroprism.abr.prediction_files import check_target, write_predictions
    from neuroprism.abr.predictor import AbrPredictor

    if out is not None:
        check_target(out, overwrite=overwrite)
    elif denoise:
        raise UserError("--denoise needs --out, the file for the denoised traces")
    predictor = AbrPredictor(read_network(checkpoint, device=device, weights=weights))
    found = predictor.predict(
        _read(recordings, sample_rate_hz=sample_rate_hz, start_ms=start_ms, unit=unit),
        denoised=denoise,
        age_years=age,
        level_db_nhl=intensity,
        rate_hz=rate,
        residual_noise_uv=noise_uv,
    )
    if out is not None:
        write_predictions(out, found)
    _show(found, rows)
    if out is not None:
        typer.echo(f"Predictions of {len(found):,} recordings: {out}")
    typer.echo(found.statement)


_TABLE_OPTIONS = {"sample_rate_hz": "--sample-rate-hz", "start_ms": "--window-start-ms", "unit": "--unit"}


def _read(path: Path, **table: Any) -> AbrRecordings:
    if path.suffix == ".csv":
        from neuroprism.abr.trace_table import read_traces

        given = {name: value for name, value in table.items() if value is not None}
        return read_traces(path, **given)
    from neuroprism.abr.source import read_file

    for name, value in table.items():
        if value is not None:
            raise UserError(f"{_TABLE_OPTIONS[name]} is for tables (.csv); {path} says its own")
    return read_file(path)


def _show(found: AbrPredictions, n_rows: int) -> None:
    typer.echo(text_table(_HEADER, [_row(found, row) for row in range(min(n_rows, len(found)))]))
    if len(found) > n_rows:
        typer.echo(f"... and {len(found) - n_rows:,} more recordings")
    if found.ears:
        typer.echo("\nThreshold from the levels of one ear, dB nHL")
        header = ["ear", "levels", "threshold [95 %]", "lowest level with V"]
        typer.echo(text_table(header, [_ear(ear) for ear in found.ears[:n_rows]]))
        if len(found.ears) > n_rows:
            typer.echo(f"... and {len(found.ears) - n_rows:,} more ears")
    if any(found.unlike_training):
        typer.echo("\n* unlike the training data; see the notes")
    elif found.notes:
        typer.echo()
    for note in found.notes:
        typer.echo(f"Note: {note}")


_HEADER = [
    "recording",
    "dB nHL",
    "P(V)",
    "V ms [95 %]",
    "V uV [95 %]",
    "class",
    "P(class)",
    "threshold [95 %]",
]


def _row(found: AbrPredictions, row: int) -> list[str]:
    name = f"{row + 1}" + ("*" if found.unlike_training[row] else "")
    if found.patient_id[row]:
        name += f" {found.patient_id[row]}/{found.ear[row]}"
    present = bool(found.v_present[row])
    return [
        name,
        _number(found.conditions["level_db_nhl"][row], 0),
        _number(found.v_probability[row], 2),
        _interval(found.latency_ms, row, 2) if present else "-",
        _interval(found.amplitude_uv, row, 2) if present else "-",
        str(found.hearing_class[row]),
        _number(found.class_probability[row].max(), 2),
        _interval(found.threshold_db_nhl, row, 0),
    ]


def _ear(ear: Any) -> list[str]:
    lowest = ear.lowest_level_with_v_db_nhl
    last = f"none up to {ear.levels_db_nhl[-1]:g}" if lowest is None else f"{lowest:g}"
    if ear.v_missing_above:
        last += " (not at every level above)"
    bounds = _bounds(ear.threshold_db_nhl, ear.low_db_nhl, ear.high_db_nhl, 0)
    return [ear.ear_id, f"{len(ear.levels_db_nhl)}", bounds, last]


def _interval(estimate: Estimate, row: int, digits: int) -> str:
    return _bounds(estimate.value[row], estimate.low[row], estimate.high[row], digits)


def _bounds(value: float, low: float, high: float, digits: int) -> str:
    if math.isnan(low):
        return _number(value, digits)
    return f"{_number(value, digits)} [{_number(low, digits)}, {_number(high, digits)}]"


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
