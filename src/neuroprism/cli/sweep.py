"""`neuroprism sweep FILE`: many runs in processes side by side, and one table."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from neuroprism.core.config import load, to_dict
from neuroprism.core.errors import NeuroprismError
from neuroprism.core.section import Section
from neuroprism.runs.sweep import (
    Children,
    Ended,
    Job,
    PlannedRun,
    Standing,
    SweepConfig,
    check_same_settings,
    plan,
    standing,
    sweep_table,
)
from neuroprism.runs.sweep.plan import command_words
from neuroprism.runs.sweep.processes import Terminated
from neuroprism.runs.sweep.standing import FLAGS

CONSOLE = "console.txt"
"""What a run printed, in its folder."""


class SweepInterrupted(NeuroprismError):  # noqa: N818 - an interruption is no error
    """The sweep was interrupted; its runs have saved what they had."""


def sweep(
    file: Annotated[Path, typer.Argument(help="What to combine, as YAML.", metavar="FILE")],
    metric: Annotated[
        str | None, typer.Option(help="Series of the table, e.g. val_acc or val/total.", metavar="NAME")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and run nothing.")] = False,
) -> int:
    """Train every combination of a grid with every seed, side by side; ends with 1 if a run failed."""
    described = load(SweepConfig, file=file)
    runs = plan(described)
    found = [_look(described, run, source=str(file)) for run in runs]
    to_do = [(run, now) for run, now in zip(runs, found, strict=True) if now != "finished"]
    environment = {"OMP_NUM_THREADS": str(described.threads)}
    if dry_run:
        for run, now in to_do:
            words = ["neuroprism", *command_words(described, run), *FLAGS[now]]
            typer.echo(f"{_assignments(environment)} {shlex.join(words)}")
        return 0
    typer.echo(_announcement(described, found))
    n_failed = _run(described, to_do, environment, n_before=len(runs) - len(to_do))
    typer.echo("\n" + sweep_table(runs, metric=metric))
    return 1 if n_failed else 0


def _look(described: SweepConfig, run: PlannedRun, *, source: str) -> Standing:
    """Check the settings of a run, and return what there is of it.

    Raises
    ------
    UserError
        If a setting is wrong, or the run was made with others.
    """
    overrides = [(key, value, source) for key, value in run.settings.items()]
    found = standing(run.folder)
    config: Section
    if described.command == "train":
        from neuroprism.abr.config import AbrConfig

        config = load(AbrConfig, file=described.config, environment=os.environ, overrides=overrides)
    else:
        config = _finetuning(described, overrides)
    if found != "new":
        check_same_settings(run.folder, to_dict(config))
    return found


def _finetuning(described: SweepConfig, overrides: Sequence[tuple[str, object, str]]) -> Section:
    from neuroprism.eeg.catalog import datasets
    from neuroprism.eeg.config import EegConfig

    config = load(EegConfig, file=described.config, environment=os.environ, overrides=overrides)
    criterion = datasets[config.data.dataset].spec.criterion
    return config.model_copy(update={"training": config.training.selecting(criterion)})


def _announcement(described: SweepConfig, found: Sequence[Standing]) -> str:
    parts = [
        f"{n} {what}"
        for what, names in (
            ("finished before", ("finished",)),
            ("to go on", ("resumable",)),
            ("to begin", ("new", "unusable")),
        )
        if (n := sum(one in names for one in found))
    ]
    pace = f"{described.processes} at a time, threads each: {described.threads}"
    return f"{len(found)} runs in {described.out}: {', '.join(parts)}; {pace}"


@dataclass
class _Progress:
    """Counts the runs of a sweep, and says how each ended."""

    n: int
    n_done: int
    n_failed: int = 0

    def tell(self, ended: Ended) -> None:
        self.n_done += 1
        self.n_failed += ended.code != 0
        how = f"finished in {ended.seconds:.0f} s"
        if ended.code:
            code = f"exit code {ended.code}" if ended.code > 0 else f"signal {-ended.code}"
            how = f"failed with {code}: {ended.last_line.removeprefix('neuroprism: ')}"
        typer.echo(f"[{self.n_done}/{self.n}] {ended.job.name} {how}")


def _run(
    described: SweepConfig,
    to_do: Sequence[tuple[PlannedRun, Standing]],
    environment: Mapping[str, str],
    *,
    n_before: int,
) -> int:
    """Run what is to be done; return how many failed.

    Raises
    ------
    SweepInterrupted
        After Ctrl-C or SIGTERM, once every run has ended.
    """
    program = [sys.executable, "-m", "neuroprism"]
    jobs = [
        Job(
            name=run.name,
            words=[*program, *command_words(described, run), "--quiet", *FLAGS[now]],
            output=run.folder / CONSOLE,
        )
        for run, now in to_do
    ]
    progress = _Progress(n=n_before + len(jobs), n_done=n_before)
    try:
        with Children(described.processes, {**os.environ, **environment}) as children:
            for ended in children.run(jobs):
                progress.tell(ended)
    except KeyboardInterrupt as error:
        interrupted = SweepInterrupted(
            f"interrupted after {progress.n_done} of {progress.n} runs; the same command goes on"
        )
        interrupted.exit_code = 143 if isinstance(error, Terminated) else 130
        raise interrupted from None
    return progress.n_failed


def _assignments(environment: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in environment.items())
