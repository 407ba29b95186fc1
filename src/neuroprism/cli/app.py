"""The `neuroprism` program: commands, and one line instead of a traceback.

Exit codes: 0 done, 1 training could not go on, 2 the user's input is at fault
(nothing was written), 130 interrupted, 143 ended by SIGTERM.
"""

from __future__ import annotations

import sys
import time
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from neuroprism.cli import (
    baseline,
    check_monitoring,
    compare,
    config,
    datasets,
    diagnose,
    evaluate,
    export,
    finetune,
    generate,
    import_abr,
    import_lmdb,
    plot,
    predict,
    prepare,
    simulate,
    suggest_weights,
    summary,
    sweep,
    train,
)
from neuroprism.cli.spelled_values import SpelledValues
from neuroprism.core.errors import ConfigError, NeuroprismError
from neuroprism.core.launch import read_launch

app = typer.Typer(
    name="neuroprism",
    help="Trains biosignal networks and shows what happens while they train.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)
app.command("train")(train.train)
app.command("finetune", cls=SpelledValues)(finetune.finetune)
app.command("sweep", no_args_is_help=True)(sweep.sweep)
app.command("config")(config.show)
app.command("check-monitoring")(check_monitoring.check_monitoring)
app.add_typer(simulate.app, name="simulate")
app.command("datasets")(datasets.show)
app.command("prepare", cls=SpelledValues, no_args_is_help=True)(prepare.prepare)
app.add_typer(import_abr.app, name="import")
app.command("import-lmdb", no_args_is_help=True)(import_lmdb.import_lmdb)
app.command("baseline", no_args_is_help=True)(baseline.baseline)
app.command("plot", no_args_is_help=True)(plot.plot)
app.command("generate", no_args_is_help=True)(generate.generate)
app.command("evaluate", no_args_is_help=True)(evaluate.evaluate)
app.command("predict", no_args_is_help=True)(predict.predict)
app.command("summary", no_args_is_help=True)(summary.summary)
app.command("diagnose", no_args_is_help=True)(diagnose.diagnose)
app.command("suggest-weights", no_args_is_help=True)(suggest_weights.suggest_weights)
app.command("compare", no_args_is_help=True)(compare.compare)
app.command("export", no_args_is_help=True)(export.export)

INTERRUPTED = 130

PATIENCE_SECONDS = 5.0
"""How long a process leaves the word to another one that should have the same to say."""


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code; user errors become one line on stderr."""
    try:
        return int(typer.main.get_command(app).main(arguments, "neuroprism", standalone_mode=False) or 0)
    except TyperException as error:
        return _fail(error.format_message(), 2)
    except NeuroprismError as error:
        return _fail(str(error), error.exit_code, said_by=error.said_by)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", INTERRUPTED)


def main(command: str | None = None) -> NoReturn:
    """Run the program on the arguments of this process and leave it.

    Parameters
    ----------
    command
        Command to run, for scripts that are a door to one of them; otherwise
        the first argument names it.
    """
    sys.exit(run([*([command] if command else []), *sys.argv[1:]]))


def _fail(message: str, code: int, *, said_by: int | None = None) -> int:
    """Say why, in one of the processes that know it; `said_by`: in the one that they agreed on."""
    rank = _rank()
    if rank != (said_by or 0):
        # Leaving first would make the launcher end the process that speaks; it ends this one instead.
        time.sleep(PATIENCE_SECONDS)
    if said_by in (None, rank):
        # Only the help that a command without arguments gives is longer than a line.
        sys.stderr.write(f"{message}\n" if "\n" in message else f"neuroprism: {message}\n")
    return code


def _rank() -> int:
    try:
        return read_launch().rank
    except ConfigError:
        return 0
