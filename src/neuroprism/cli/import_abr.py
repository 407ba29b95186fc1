"""`neuroprism import abr`: recordings of clinics and laboratories into the project's format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroprism.abr.importers import Declared, importers, read_recordings, report_path, store
from neuroprism.abr.importers.declared import CHOICES
from neuroprism.abr.store import schema_path
from neuroprism.cli.free_path import free_path
from neuroprism.core.errors import UserError

app = typer.Typer(help="Read recordings that others made.", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def _import() -> None:
    """Read recordings that others made."""


def _one_of(name: str) -> str:
    return "|".join(CHOICES[name])


Format = Annotated[str, typer.Option("--format", help=f"One of {', '.join(sorted(importers))}.")]
SampleRate = Annotated[float | None, typer.Option(help="Sampling rate.", metavar="HZ")]
Unit = Annotated[str | None, typer.Option(help="Unit of the samples.", metavar=_one_of("unit"))]
Start = Annotated[
    float | None, typer.Option(help="Time of the first sample after the onset of the stimulus.", metavar="MS")
]
Window = Annotated[float | None, typer.Option(help="Length to keep, from the first sample.", metavar="MS")]
Polarity = Annotated[str | None, typer.Option(help="Of the stimulus.", metavar=_one_of("polarity"))]
LevelUnit = Annotated[
    str | None, typer.Option(help="dB nHL, dB SPL or dB peSPL.", metavar=_one_of("level_unit"))
]
NhlZero = Annotated[
    float | None, typer.Option(help="The dB SPL of 0 dB nHL, to convert levels.", metavar="DB")
]
Level = Annotated[float | None, typer.Option(help="Level of every recording.", metavar="DB")]
Rate = Annotated[float | None, typer.Option(help="Stimuli per second.", metavar="HZ")]
Ear = Annotated[str | None, typer.Option(help="Of every recording.", metavar=_one_of("ear"))]
Patient = Annotated[str | None, typer.Option(help="Who was recorded.", metavar="NAME")]
SourceName = Annotated[str | None, typer.Option(help="Stands before every patient.", metavar="NAME")]
Map = Annotated[list[str] | None, typer.Option("--map", help="Name of a column.", metavar="THEIRS=OURS")]
ClassName = Annotated[list[str] | None, typer.Option(help="Name of a class.", metavar="THEIRS=OURS")]
Samples = Annotated[str | None, typer.Option(help="Columns of samples.", metavar="FIRST:LAST")]
DecimalComma = Annotated[bool, typer.Option("--decimal-comma", help="Numbers are written 0,5.")]
Threshold = Annotated[
    str | None, typer.Option(help="How thresholds were found.", metavar=_one_of("threshold_provenance"))
]
UnmarkedV = Annotated[
    str | None, typer.Option(help="What a missing wave V means.", metavar=_one_of("unmarked_v"))
]
AgeZero = Annotated[str | None, typer.Option(help="What an age of 0 means.", metavar=_one_of("age_zero"))]
KeepDerived = Annotated[bool, typer.Option("--keep-derived", help="Keep labels computed from others.")]
AllowPickle = Annotated[bool, typer.Option("--allow-pickle", help="Read plain data of a pickle.")]
Match = Annotated[str | None, typer.Option(help="Files of a folder to read.", metavar="PATTERN")]
Rater = Annotated[str | None, typer.Option(help="Whose marks of waves.", metavar="NAME")]
Channel = Annotated[str | None, typer.Option(help="Channel to read.", metavar="NAME")]
PerSweep = Annotated[int | None, typer.Option(help="From one stimulus to the next.", metavar="N")]
Reject = Annotated[float | None, typer.Option(help="Leave out larger sweeps.", metavar="UV")]
Highpass = Annotated[float | None, typer.Option(help="Filter before averaging.", metavar="HZ")]
Event = Annotated[list[str] | None, typer.Option(help="Event to average.", metavar="NAME")]
EventLevel = Annotated[list[str] | None, typer.Option(help="Its level.", metavar="NAME=DB")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]


@app.command("abr")
def import_abr(
    source: Annotated[Path, typer.Argument(help="File or folder to read.", metavar="SOURCE")],
    out: Annotated[Path, typer.Argument(help="File to write, e.g. recordings.npz.", metavar="OUT")],
    form: Format,
    sample_rate_hz: SampleRate = None,
    unit: Unit = None,
    window_start_ms: Start = None,
    window_ms: Window = None,
    polarity: Polarity = None,
    level_unit: LevelUnit = None,
    nhl_zero_db_spl: NhlZero = None,
    level_db: Level = None,
    rate_hz: Rate = None,
    ear: Ear = None,
    patient: Patient = None,
    source_name: SourceName = None,
    columns: Map = None,
    class_name: ClassName = None,
    samples: Samples = None,
    threshold_provenance: Threshold = None,
    unmarked_v: UnmarkedV = None,
    age_zero: AgeZero = None,
    match: Match = None,
    rater: Rater = None,
    channel: Channel = None,
    samples_per_sweep: PerSweep = None,
    reject_uv: Reject = None,
    highpass_hz: Highpass = None,
    event: Event = None,
    event_level: EventLevel = None,
    *,
    decimal_comma: DecimalComma = False,
    keep_derived: KeepDerived = False,
    allow_pickle: AllowPickle = False,
    overwrite: Overwrite = False,
) -> None:
    """Import recordings; what their files do not say is asked for, never guessed."""
    given = dict(locals())
    from neuroprism.abr.source import describe_masks

    for name in ("source", "out", "form", "overwrite", "class_name", "event", "event_level"):
        given.pop(name)
    given["columns"] = _pairs("--map", columns)
    declared = Declared(
        **given,
        classes=_pairs("--class-name", class_name),
        events=tuple(event or ()),
        event_levels=_levels(event_level),
    )
    importers[form]
    path = free_path(out, overwrite=overwrite)
    imported = read_recordings(source, form, declared)
    store(path, imported)
    typer.echo(imported.report.text())
    typer.echo(describe_masks(imported.recordings))
    typer.echo(f"Recordings: {path}; schema with units: {schema_path(path)}; report: {report_path(path)}")


def _pairs(flag: str, words: list[str] | None) -> dict[str, str]:
    pairs = {}
    for word in words or ():
        # Names of columns may hold the sign, ours never do.
        name, equals, value = word.rpartition("=")
        if not (equals and name and value):
            raise UserError(f"{flag} {word}: it must be NAME=VALUE")
        pairs[name] = value
    return pairs


def _levels(words: list[str] | None) -> dict[str, float]:
    levels = {}
    for name, value in _pairs("--event-level", words).items():
        try:
            levels[name] = float(value)
        except ValueError:
            raise UserError(f"--event-level {name}={value}: the level must be a number") from None
    return levels
