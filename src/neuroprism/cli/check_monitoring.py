"""`neuroprism check-monitoring`: the whole monitoring path on a short real run.

Trains a small ABR model on simulated recordings, then reads back what every
part of the monitor left behind and prints a table of what passed.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from neuroprism.core.errors import NeuroprismError, RunError

PASSED, FAILED, SKIPPED = "ok", "FAIL", "skip"


def check_monitoring(
    keep: Annotated[
        Path | None, typer.Option(help="Keep the runs in this folder, to look at them.", metavar="DIR")
    ] = None,
) -> None:
    """Check bar, step lines, summaries, JSON, TensorBoard, tracker, alert and resume on a real run."""
    from neuroprism.cli.monitoring_checks import CHECKS, make_runs

    with _folder(keep) as folder:
        typer.echo(f"Training three short runs in {folder} ...")
        runs = make_runs(folder)
        results = [(name, *_outcome(check, runs)) for name, check in CHECKS.items()]
    typer.echo(_table(results))
    marks = Counter(mark for _, mark, _ in results)
    skipped = f", {marks[SKIPPED]} skipped" if marks[SKIPPED] else ""
    typer.echo(f"{marks[PASSED]} passed, {marks[FAILED]} failed{skipped}")
    if marks[FAILED]:
        raise typer.Exit(1)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"--keep {keep}: {error.strerror}") from None
        yield keep
        return
    folder = Path(tempfile.mkdtemp(prefix="neuroprism-check-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _outcome(check: Callable[[Any], str], runs: Any) -> tuple[str, str]:
    """Return how a check ended, and what it found or what went wrong."""
    from neuroprism.cli.monitoring_checks import NotChecked

    try:
        return PASSED, check(runs)
    except NotChecked as reason:
        return SKIPPED, str(reason)
    except (AssertionError, NeuroprismError) as error:
        return FAILED, str(error) or "assertion failed"
    except Exception as error:  # noqa: BLE001 - a broken part must not hide the others
        return FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}"


def _table(results: list[tuple[str, str, str]]) -> str:
    width = max(len(name) for name, _, _ in results)
    return "\n".join(f"{mark:4}  {name:{width}}  {detail}" for name, mark, detail in results)
